"""What a run is given: taken as it is meant, checked as a whole before anything starts, and never half stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, create_model

import codemation as cm
from codemation.core.errors import InputError
from codemation.core.ids import START
from codemation.core.payload import decode_items
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.launching import decoded_params, encoded_input, encoded_params
from codemation.host.tables import ArrowTables

TABLES = ArrowTables()


class Order(BaseModel):
    id: int
    note: str = ""


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Mark:
    at: int


@cm.node
def echo(value: Any) -> Any:
    return value


@cm.node
def book(order: Order) -> Order:
    return order


@cm.node
def make() -> int:
    return 1


FREE = cm.workflow("free").then(echo).build()
ORDERS = cm.workflow("orders", input=Order).then(book).build()
SOURCE = cm.workflow("source").then(make).build()


def _stored(workflow: Workflow[Any, ...], items: Any) -> list[Any]:
    data, count, kind = encoded_input(workflow, items, TABLES)
    assert kind == "items"
    found = decode_items(data)
    assert (found.scope, len(found.values)) == (START, count)
    return list(found.values)


def _refused(workflow: Workflow[Any, ...], items: Any) -> str:
    with pytest.raises(InputError) as raised:
        encoded_input(workflow, items, TABLES)
    return str(raised.value)


@pytest.mark.parametrize(
    "one",
    [1, 0, "text", "", b"bytes", bytearray(b"bytes"), {"a": 1}, {}, Point(1, 2), Mark(at=1), Decimal("1.10"), False],
)
def test_one_item_is_one_item_even_if_it_could_be_iterated_over(one: object) -> None:
    assert _stored(FREE, one) == [one]
    assert _stored(FREE, [one, one]) == [one, one]


@pytest.mark.parametrize(
    "many", [[1, 2], (1, 2), iter([1, 2]), range(1, 3), (n for n in (1, 2)), {1: "a", 2: "b"}.keys()]
)
def test_a_collection_is_its_items(many: Any) -> None:
    assert _stored(FREE, many) == [1, 2]


def test_no_items_are_no_items_and_nothing_given_is_one_empty_item() -> None:
    assert _stored(FREE, []) == []
    assert _stored(ORDERS, iter(())) == []
    assert _stored(FREE, None) == _stored(SOURCE, None) == [{}]


def test_items_become_what_the_workflow_says_that_they_are() -> None:
    given: list[Any] = [{"id": 1}, Order(id=2), {"id": "3", "note": "x"}]
    assert _stored(ORDERS, given) == [Order(id=1), Order(id=2), Order(id=3, note="x")]
    assert _stored(ORDERS, {"id": 1}) == _stored(ORDERS, Order(id=1)) == [Order(id=1)]


def test_a_workflow_with_input_refuses_to_begin_without_items() -> None:
    assert _refused(ORDERS, None) == '"orders" works on items of Order\n→ run([…]), or run(one_item)'


@pytest.mark.parametrize("items", [[1], [], {"a": 1}, pa.table({"a": [1]})])
def test_items_that_no_node_would_be_given_are_refused(items: Any) -> None:
    assert '"source" takes no items' in _refused(SOURCE, items)


def test_of_the_items_that_do_not_fit_the_first_ten_are_listed_and_the_others_counted() -> None:
    items = [{"id": at if at % 2 else "x"} for at in range(30)]
    told = _refused(ORDERS, items).splitlines()
    assert told[0] == '15 of 30 items do not fit Order of "orders":'
    assert told[1].startswith("  item 0: id: Input should be a valid integer")
    assert [line.split(":")[0] for line in told[1:11]] == [f"  item {at}" for at in range(0, 20, 2)]
    assert told[11:] == ["  … and 5 more"]
    assert "more" not in _refused(ORDERS, items[:20])


def test_an_item_that_is_wrong_as_a_whole_is_told_of_without_a_place() -> None:
    assert _refused(ORDERS, [5]).splitlines()[1] == "  item 0: Input should be a valid dictionary or instance of Order"


def test_an_item_is_never_a_list() -> None:
    assert "item 1: an item is never a list" in _refused(FREE, [1, [2, 3]])


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (object(), "an object object cannot be stored"),
        ([1, object()], "item 1: "),
        ({"a": {"b": [1, lambda: 1]}}, "value['a']['b'][1]"),
        ([pa.table({"a": [1]})], "a Table cannot be stored inside an item"),
        (SecretStr("sesame"), "a secret is never stored"),
        ([Order(id=1), {"token": SecretStr("sesame")}], "item 1: "),
        (memoryview(b"x"), "memoryview"),
        (pa.table({"a": pa.array([1], pa.decimal128(3))}).schema, "cannot be stored"),
        (pd.DataFrame({"a": [object()]}), "cannot be stored"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_no_secret_is_told(items: Any, said: str) -> None:
    told = _refused(FREE, items)
    assert told.startswith('what "free" is given cannot be stored: ')
    assert said in told
    assert "sesame" not in told


def test_what_the_items_themselves_raise_is_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="the file ends here"):
        encoded_input(FREE, broken(), TABLES)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_table_of_any_library_is_stored_as_a_table(library: Any) -> None:
    data, count, kind = encoded_input(ORDERS, library({"id": [1, 2], "note": ["a", "b"]}), TABLES)
    assert (count, kind) == (2, "table")
    assert TABLES.rows(data) == [{"id": 1, "note": "a"}, {"id": 2, "note": "b"}]


def test_the_rows_of_a_table_are_checked_as_items_are() -> None:
    table = pa.table({"id": [str(at) if at % 2 else "x" for at in range(25_000)]})
    told = _refused(ORDERS, table).splitlines()
    assert told[0] == '12500 of 25000 items do not fit Order of "orders":'
    assert told[-2].startswith("  row 18: id: ")
    assert told[-1] == "  … and 12490 more"


_ITEMS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False),
    lambda inner: st.dictionaries(st.text(), inner | st.lists(inner), max_size=3),
    max_leaves=6,
).filter(lambda item: item is not None)


@settings(max_examples=50)
@given(st.lists(_ITEMS, max_size=5))
def test_any_items_are_stored_as_they_are(items: list[Any]) -> None:
    assert _stored(FREE, items) == _stored(FREE, iter(items)) == items


class Colour(Enum):
    RED = "red"


class Window(BaseModel):
    begins: datetime
    lasts: timedelta = timedelta(minutes=90, microseconds=1)


class Plan(cm.Params):
    path: Path = Path("/data/x")
    price: Decimal = Decimal("1.10")
    day: date = date(2024, 2, 29)
    window: Window = Window(begins=datetime(2024, 1, 1, tzinfo=UTC))
    windows: tuple[Window, ...] = (Window(begins=datetime(2024, 1, 1, 12)),)  # noqa: DTZ001 - a local time
    colour: Colour = Colour.RED
    ids: frozenset[int] = frozenset({1, 2})
    shares: Mapping[str, float] = Field(default_factory=lambda: {"a": 0.1})
    key: UUID = UUID(int=7)
    blob: bytes = b"text"
    maybe: int | None = None
    big: int = 2**80
    renamed: int = Field(default=3, alias="re-named")


def _with(params: type[cm.Params]) -> Workflow[Any, ...]:
    return cm.workflow("params", params=params).then(make).build()


def test_params_of_every_kind_come_back_as_they_were() -> None:
    workflow = _with(Plan)
    assert decoded_params(workflow, encoded_params(Plan())) == Plan()
    assert decoded_params(FREE, encoded_params(None)) is None


@settings(max_examples=30)
@given(
    st.builds(
        Plan,
        path=st.text("ab/. ", min_size=1).map(Path),
        price=st.decimals(allow_nan=False, allow_infinity=False),
        day=st.dates(),
        ids=st.frozensets(st.integers()),
        shares=st.dictionaries(
            st.text(st.characters(exclude_characters="\0", codec="utf-8")), st.floats(-1e300, 1e300)
        ),
        key=st.uuids(),
    )
)
def test_any_params_come_back_as_they_were(params: Plan) -> None:
    assert decoded_params(_WITH_PLAN, encoded_params(params)) == params


_WITH_PLAN = _with(Plan)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (SecretStr, SecretStr("sesame")),
        (dict[str, SecretStr], {"token": SecretStr("sesame")}),
        (float, float("nan")),
        (float, float("inf")),
        (bytes, b"\xff"),
        (Any, date(2024, 1, 1)),
        (Any, Colour.RED),
        (Any, {1, 2}),
        (BaseModel, Order(id=1)),
        (str, "a\0b"),
        (str, "\ud800"),
    ],
)
def test_params_that_json_would_not_give_back_are_refused_by_name(annotation: Any, value: Any) -> None:
    fields: dict[str, Any] = {"fine": (int, 1), "odd": (annotation, ...)}
    model = create_model("Odd", __base__=cm.Params, **fields)
    with pytest.raises(InputError) as raised:
        encoded_params(model.model_validate({"odd": value}))
    assert raised.value.message == "these params of Odd cannot be stored: odd"
    assert "sesame" not in str(raised.value)


def test_a_backslash_before_a_zero_is_no_zero() -> None:
    model = create_model("Text", __base__=cm.Params, text=(str, ...))
    params = model.model_validate({"text": "\\u0000"})
    assert decoded_params(_with(model), encoded_params(params)) == params


def test_params_that_the_code_does_not_have_any_more_are_refused_by_name() -> None:
    with pytest.raises(InputError) as raised:
        decoded_params(_WITH_PLAN, '{"price": "much", "pathh": "/x"}')
    assert "price: " in raised.value.message
    assert "pathh: there is no such param; did you mean 'path'?" in raised.value.message


def test_nothing_is_started_of_what_is_refused(app: App, launch: Any) -> None:
    for workflow, items in ((ORDERS, [{"id": "x"}]), (ORDERS, None), (FREE, object()), (SOURCE, [1])):
        with pytest.raises(InputError):
            launch(workflow, items)
    assert app.last is None
    assert app.scheduler.watched() == []


@pytest.mark.parametrize(
    ("wishes", "what"), [({"priority": 1_000_000}, "is no priority"), ({"key": "k" * 1001}, "key")]
)
def test_wishes_that_no_database_could_keep_are_refused(app: App, wishes: dict[str, Any], what: str) -> None:
    launch = cm.workflow("echo").then(echo).build().options(**wishes).launch([1])
    with pytest.raises(InputError, match=what):
        app.launch(launch)
    assert app.stores.runs.page() == ()
