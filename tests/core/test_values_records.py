"""Models, dataclasses, namedtuples and enums come back exactly, and stay readable when their classes change."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import types
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, RootModel, computed_field

from codemation.core.errors import ContractError, PayloadLost
from codemation.core.values import Unstorable, decode, encode, pack, unpack

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
Module = Callable[[str], Any]


class Colour(Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias
    SESSION = object()


class Lane(StrEnum):
    STOCK = "stock"


class Level(IntEnum):
    HIGH = 3


class Rights(Flag):
    READ = 1
    WRITE = 2


class Bits(IntFlag):
    ONE = 1


class Line(BaseModel):
    sku: str
    quantity: int = 1


class Order(BaseModel):
    id: str = Field(alias="orderId")
    lines: list[Line] = []
    lane: Lane = Lane.STOCK
    at: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def total(self) -> int:
        return sum(line.quantity for line in self.lines)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int = 0


class Shy(BaseModel):
    known: int
    _memory: dict[str, Any] = PrivateAttr(default_factory=dict)


class Strict(BaseModel):
    even: int

    @pydantic.field_validator("even", mode="before")
    @classmethod
    def doubled(cls, value: int) -> int:
        """Would change the value if it ran again."""
        return value * 2


class Names(RootModel[list[str]]):
    pass


class Box(BaseModel, Generic[T]):
    content: T


class Nothing(BaseModel):
    pass


@dataclass
class Plain:
    id: int
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    id: int
    inner: Plain | None = None


@dataclass
class Derived:
    given: InitVar[int]
    made: int = field(init=False)
    never: int = field(init=False)

    def __post_init__(self, given: int) -> None:
        self.made = given + 1
        self.beside = "not a field"

    @cached_property
    def cached(self) -> object:
        return object()


class Base:
    __slots__ = ("__hidden", "__weakref__", "beside")

    def hide(self, value: int) -> None:
        self.__hidden = value

    def hidden(self) -> int:
        return self.__hidden


@dataclass(slots=True)
class Slotted(Base):
    id: int


@dataclass
class Wrapped(Generic[T]):
    value: T


@pydantic.dataclasses.dataclass
class Checked:
    id: int


class Subclass(Plain):
    pass


@dataclass
class Fault(Exception):
    code: int


class Point(NamedTuple):
    x: int
    y: float = 0.0


Pair = namedtuple("Pair", "left right")


class Picky(Point):
    def __new__(cls, *_parts: int) -> Picky:
        raise AssertionError("objects are made without asking the class")


def returned(value: Any) -> Any:
    """What comes back of a value, after it has gone both ways by itself, in a batch of its class and in a mixed one."""
    alone, [batched, again], [mixed, _] = decode(encode(value)), unpack(pack([value, value])), unpack(pack([value, 1]))
    assert type(alone) is type(batched) is type(mixed)
    assert alone == batched == again == mixed
    return batched


@pytest.mark.parametrize(
    "value",
    [
        Colour.CRIMSON,
        Colour.SESSION,
        Lane.STOCK,
        Level.HIGH,
        Rights.READ | Rights.WRITE,
        Bits(5),
    ],
    ids=str,
)
def test_members_of_enums_are_the_same_members(value: Enum) -> None:
    assert returned(value) is value


def test_an_enum_is_a_key_like_any_other() -> None:
    [(key, level)] = returned({Lane.STOCK: Level.HIGH}).items()
    assert key is Lane.STOCK
    assert level is Level.HIGH


@pytest.mark.parametrize(
    "value",
    [
        Order(orderId="a", lines=[Line(sku="x"), Line(sku="y", quantity=3)], at=datetime(2024, 1, 1, tzinfo=UTC)),
        Order.model_construct(id=3, lines="not lines"),
        Open.model_validate({"known": 1, "other": {"$": 2}}),
        Names(["a"]),
        Nothing(),
        Box[int](content=1),
        Box[list[Line] | None](content=[Line(sku="a")]),
        Box[dict[str, tuple[int, ...]]](content={"a": (1, 2)}),
        Box[Box[Line]](content=Box[Line](content=Line(sku="a"))),
        Box[Literal["a"]](content="a"),
        Box(content=1),
        Plain(1, ["a"]),
        Frozen(id=1, inner=Plain(2)),
        Subclass(1),
        Checked(1),
        Wrapped[int](1),
        Point(1, 2.5),
        Pair([1], {2}),
        tuple.__new__(Picky, (1, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_comes_back_equal_in_its_class(value: object) -> None:
    back = returned(value)
    assert type(back) is type(value)
    assert back == value


def test_a_model_remembers_which_fields_were_given() -> None:
    batch = [Line(sku="a"), Line(sku="b", quantity=1), Line.model_construct(), Line(sku="c")]
    assert [line.model_fields_set for line in map(returned, batch)] == [line.model_fields_set for line in batch]
    assert [line.model_fields_set for line in typed(unpack(pack(batch)), Line)] == [
        line.model_fields_set for line in batch
    ]


def typed(values: list[object], cls: type[T]) -> list[T]:
    return [value for value in values if isinstance(value, cls)]


def test_a_model_keeps_extras_and_private_attributes_but_not_caches() -> None:
    opened = Open.model_validate({"known": 1, "more": Line(sku="a"), "$": 1})
    assert returned(opened).model_extra == opened.model_extra
    shy = Shy(known=1)
    shy._memory["seen"] = {1, 2}
    assert returned(shy)._memory == {"seen": {1, 2}}
    order = Order(orderId="a", lines=[Line(sku="x")])
    assert order.total == 1
    assert "total" not in vars(returned(order))
    assert returned(order).total == 1


def test_validators_do_not_run_again() -> None:
    assert returned(Strict(even=2)).even == 4


def test_a_dataclass_keeps_what_it_has_and_misses_what_it_missed() -> None:
    value = Derived(1)
    assert value.cached is value.cached
    back = returned_alone(value)
    assert vars(back) == {"made": 2, "beside": "not a field"}
    slotted = Slotted(1)
    slotted.beside = 2  # type: ignore[attr-defined]
    slotted.hide(3)
    back = returned_alone(slotted)
    assert (back.id, back.beside, back.hidden()) == (1, 2, 3)
    assert not hasattr(returned_alone(Slotted(1)), "beside")


def returned_alone(value: object) -> Any:
    return decode(encode(value))


def test_a_class_inside_a_function_is_found_by_the_process_that_stored_it() -> None:
    class Local(BaseModel):
        inner: int

    assert returned(Local(inner=1)) == Local(inner=1)
    assert returned(Box[Annotated[Local, "noted"]](content=Local(inner=1))).content == Local(inner=1)


def test_records_that_are_more_than_their_fields_are_refused() -> None:
    with pytest.raises(Unstorable, match="a Fault object cannot be stored"):
        encode(Fault(1))
    broken = Plain(1)
    vars(broken)["\ud800"] = 1
    with pytest.raises(Unstorable, match="a name that is not Unicode"):
        encode(broken)
    shy = Shy(known=1)
    shy._memory["lock"] = object()
    with pytest.raises(Unstorable, match=r"value\._memory\['lock'\]: an object object"):
        encode(shy)


@given(
    st.lists(st.builds(Line, sku=st.text(), quantity=st.integers()) | st.builds(Line, sku=st.text("ab")), max_size=9)
)
def test_a_batch_of_models_is_the_same_in_columns(batch: list[Line]) -> None:
    assert unpack(pack(batch)) == batch
    assert pack(batch) == pack(batch)


def test_a_batch_of_one_class_names_it_once() -> None:
    packed = pack([Frozen(id=number, inner=None) for number in range(1000)])
    assert packed.count(b"Frozen") == 1
    assert len(packed) < 12_000


# --- classes that change --------------------------------------------------------------------------------------------


@pytest.fixture
def module() -> Iterator[Module]:
    """A module whose source can be written anew."""
    made = types.ModuleType("changing")

    def write(source: str) -> types.ModuleType:
        for name in [name for name in vars(made) if not name.startswith("__")]:
            delattr(made, name)
        head = (
            "from dataclasses import *\nfrom enum import *\nfrom typing import *\n"
            "from pydantic import *\nimport pydantic\n"
        )
        exec(head + textwrap.dedent(source), vars(made))  # noqa: S102 - source of the test's own
        return made

    sys.modules["changing"] = made
    yield write
    del sys.modules["changing"]


VERSIONS = {
    "model": "class A(BaseModel):\n    id: int\n    old: str = ''",
    "dataclass": "@dataclass\nclass A:\n    id: int\n    old: str = ''\n    made: int = field(init=False, default=1)",
    "pydantic dataclass": "@pydantic.dataclasses.dataclass\nclass A:\n    id: int\n    old: str = ''",
    "namedtuple": "class A(NamedTuple):\n    id: int\n    old: str = ''",
}
CHANGED = {
    "model": "class A(BaseModel):\n    id: float\n    new: int = 7\n    old: str = ''",
    "dataclass": (
        "class Odd: ...\n@dataclass\nclass A:\n    id: float\n    new: int = 7\n    old: str = ''\n"
        "    odd: Odd | None = None\n    made: int = field(init=False, default=5)"
    ),
    "pydantic dataclass": (
        "@pydantic.dataclasses.dataclass\nclass A:\n    id: float\n    new: int = 7\n    old: str = ''"
    ),
    "namedtuple": "class A(NamedTuple):\n    id: float\n    new: int = 7\n    old: str = ''",
}
UNFIT = "class A(BaseModel):\n    id: int\n    new: int"


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize("batched", [True, False], ids=["columns", "tagged"])
def test_a_changed_class_validates_what_was_stored(module: Module, kind: str, *, batched: bool) -> None:
    old = module(VERSIONS[kind]).A(id=3, old="x")
    packed = pack([old] if batched else [old, 1])
    for later in (CHANGED[kind], CHANGED["model"]):
        now = module(later)
        [back, *_] = unpack(packed)
        assert isinstance(back, now.A)
        assert (type(back.id), back.id, back.new, back.old) == (float, 3.0, 7, "x")
    module(UNFIT)
    with pytest.raises(ContractError, match=r"A\.new: what was stored no longer fits the class.*Field required"):
        unpack(packed)


@pytest.mark.parametrize("kind", VERSIONS)
def test_a_class_that_is_gone_leaves_its_fields(module: Module, kind: str) -> None:
    old = module(VERSIONS[kind]).A(id=3, old="x")
    packed = pack([old]), pack([old, 1])
    for now in ("", "A = 3", "def A(**fields): raise AssertionError", "class A: ..."):
        module(now)
        for data in packed:
            [back, *_] = unpack(data)
            assert isinstance(back, dict)
            assert (back["id"], back["old"]) == (3, "x")
    del sys.modules["changing"]
    assert isinstance(unpack(packed[0])[0], dict)
    module("")
    sys.modules["changing"] = types.ModuleType("changing")


def test_the_same_class_written_again_is_built_without_validators(module: Module) -> None:
    source = (
        "class A(BaseModel):\n    id: Annotated[int, Field(gt=0)]\n    names: list[Annotated[str, Field(min_length=1)]]"
    )
    packed = pack([module(source).A(id=1, names=["a"])])
    now = module(source.replace("gt=0", "gt=5"))
    assert unpack(packed) == [now.A.model_construct(id=1, names=["a"])]
    assert isinstance(unpack(packed)[0], now.A)


def test_what_was_given_and_what_was_extra_survive_a_change(module: Module) -> None:
    source = "class A(BaseModel, extra='allow'):\n    id: int = 1\n    old: int = 2"
    packed = pack([module(source).A(old=5, more=6), 1])
    now = module(source.replace("old: int", "new: int = 3\n    old: float"))
    [back, _] = unpack(packed)
    assert isinstance(back, now.A)
    assert (back.model_dump(), back.model_fields_set) == (
        {"id": 1, "new": 3, "old": 5.0, "more": 6},
        {"old", "more"},
    )
    module("")
    assert unpack(packed)[0] == {"id": 1, "old": 5, "more": 6}


def test_a_changed_root_model_validates_its_root(module: Module) -> None:
    packed = pack([module("class A(RootModel[list[int]]): ...").A([1])])
    now = module("class A(RootModel[list[float]]): ...")
    assert unpack(packed) == [now.A([1.0])]


def test_a_changed_class_that_cannot_validate_says_so(module: Module) -> None:
    packed = pack([module(VERSIONS["dataclass"]).A(id=3)])
    module("@dataclass\nclass A:\n    id: 'Unheard'\n    old: str = ''")
    with pytest.raises(ContractError, match="A has changed since it was stored, and cannot validate its old data"):
        unpack(packed)


def test_an_error_about_a_changed_class_does_not_show_the_data(module: Module) -> None:
    packed = pack([module("class A(BaseModel):\n    id: str").A(id="confidential")])
    module("class A(BaseModel):\n    id: int")
    with pytest.raises(ContractError, match=r"A\.id: .*valid integer") as misfit:
        unpack(packed)
    assert "confidential" not in str(misfit.value)


def test_an_enum_may_rename_or_lose_a_member(module: Module) -> None:
    packed = pack([module("class A(Enum):\n    ONE = 1\n    TWO = 2").A.TWO])
    swapped = module("class A(Enum):\n    ONE = 2\n    TWO = 1")
    assert unpack(packed) == [swapped.A.TWO]
    renamed = module("class A(Enum):\n    DEUX = 2")
    assert unpack(packed) == [renamed.A.DEUX]
    module("class A(Enum):\n    ONE = 1")
    with pytest.raises(ContractError, match="A has no member 'TWO' any more"):
        unpack(packed)
    for gone in ("", "A = int", "class A(BaseModel):\n    id: int"):
        module(gone)
        assert unpack(packed) == [2]
    kept_by_name = pack([module("class A(Enum):\n    ONE = object()").A.ONE])
    module("")
    assert unpack(kept_by_name) == ["ONE"]


def test_a_flag_whose_value_cannot_be_stored_is_refused(module: Module) -> None:
    made = module("class A(Flag):\n    ONE = 1")
    made.A.ONE._value_ = object()
    with pytest.raises(Unstorable, match="an object object"):
        encode(made.A.ONE)


def test_members_of_a_set_and_keys_whose_class_is_gone(module: Module) -> None:
    made = module("@dataclass(frozen=True)\nclass A:\n    id: int")
    as_set, as_key = pack([{made.A(1)}]), pack([{made.A(1): 2}])
    module("")
    assert unpack(as_set) == [[{"id": 1}]]
    with pytest.raises(PayloadLost, match=r"a key of a stored dict came back as a plain dict"):
        unpack(as_key)


def test_a_generic_class_that_is_generic_no_more_leaves_its_fields(module: Module) -> None:
    made = module("T = TypeVar('T')\nclass A(BaseModel, Generic[T]):\n    id: T\nclass B(BaseModel):\n    id: int")
    packed = pack([made.A[int](id=1)]), pack([made.A[made.B](id=made.B(id=1))]), pack([made.A[Any](id=1)])
    for later in (
        "class A(BaseModel):\n    id: int",
        "A = 3",
        "T = TypeVar('T')\nS = TypeVar('S')\nclass A(BaseModel, Generic[T, S]):\n    id: T",
    ):
        module(later)
        assert [unpack(data) for data in packed] == [[{"id": 1}], [{"id": {"id": 1}}], [{"id": 1}]]


def test_urls_whose_class_is_gone_leave_their_text(module: Module) -> None:
    packed = pack([module("class A(HttpUrl): ...").A("http://a.b/")])
    module("A = int")
    assert unpack(packed) == ["http://a.b/"]


def test_a_module_that_fails_to_import_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_on_import.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    data = b'[{"$":"record","type":"broken_on_import:A","shape":"","fields":{"id":1}}]'
    with pytest.raises(PayloadLost, match="broken_on_import, whose import fails: ZeroDivisionError"):
        unpack(data)
    assert unpack(data.replace(b"broken_on_import", b"no_such_module_here")) == [{"id": 1}]


def test_fields_of_every_spelling_have_a_fingerprint_that_another_process_shares() -> None:
    script = textwrap.dedent("""
        from collections.abc import Callable
        from typing import *
        from dataclasses import dataclass
        from pydantic import *
        from codemation.core.values import pack
        T = TypeVar("T")
        def checked(value): return value
        class A(BaseModel):
            a: list[Annotated[int, AfterValidator(checked)]] = []
            b: Literal["x", 1] = 1
            c: "Callable[[int], str] | None" = None
            d: Optional[Union[int, Any]] = None
            e: dict[str, "A"] = {}
        @dataclass
        class B(Generic[T]):
            a: T
            b: "list[T]"
        print(pack([A(), 1]), pack([B(1, [])]))
    """)
    runs = [
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in "ab"
    ]
    assert runs[0].stdout == runs[1].stdout
    assert "shape" in runs[0].stdout


def test_classes_of_a_script_are_found_in_its_main_module() -> None:
    script = textwrap.dedent("""
        from pydantic import BaseModel
        from codemation.core.values import pack, unpack
        class A(BaseModel):
            id: int
        packed = pack([A(id=1)])
        class A(BaseModel):
            id: int
        assert type(unpack(packed)[0]) is A
    """)
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_classes_without_number_do_not_fill_the_memory() -> None:
    from codemation.core.values import classes, coding

    for number in range(1_100):
        made = pydantic.create_model(f"Made{number}", id=(int, ...))
        encode(made(id=number))
    assert len(classes._shapes) <= 1_000
    assert len(coding._found) <= 1_000


def test_a_validator_in_an_annotation_is_no_part_of_the_type() -> None:
    from codemation.core.values.classes import spell

    assert spell(list[Annotated[int, AfterValidator(abs)]]) == "builtins:list[builtins:int]"
    assert spell(str | None) == "builtins:str | builtins:NoneType"
    assert spell(Callable[[int], str]) == "collections.abc:Callable[[builtins:int], builtins:str]"
