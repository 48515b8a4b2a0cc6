"""Whatever a node may return comes back equal and of the same types, or is refused with its place."""

from __future__ import annotations

import contextlib
import math
import struct
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, HttpUrl, PostgresDsn, TypeAdapter

from codemation.core.errors import PayloadLost
from codemation.core.values import MAX_DEPTH, Unstorable, decode, encode, pack, register, unpack

ROOT = Path(__file__).parents[2]


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types through and through; NaN is the same as NaN, and -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
        case Decimal():
            return one.as_tuple() == other.as_tuple()  # type: ignore[no-any-return]
        case datetime() | time():
            return repr(one) == repr(other)
        case list() | tuple() | deque():
            return len(one) == len(other) and all(map(same, one, other))
        case dict():
            return same([*one.items()], [*other.items()])
        case set() | frozenset():
            return len(one) == len(other) and all(any(same(member, mate) for mate in other) for member in one)
        case _:
            return bool(one == other)


def returned(value: object) -> Any:
    """What comes back of a value, after it has gone both ways by itself and in a batch."""
    assert same(decode(encode(value)), unpack(pack([value]))[0])
    return unpack(pack([value]))[0]


texts = st.text(st.characters())  # with surrogates
zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"]).map(ZoneInfo),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text("UTC+ab")),
)
folds = st.integers(0, 1)
datetimes = st.builds(lambda at, zone, fold: at.replace(tzinfo=zone, fold=fold), st.datetimes(), zones, folds)
times = st.builds(lambda at, zone, fold: at.replace(tzinfo=zone, fold=fold), st.times(), zones, folds)
hashables = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**2000, 2**2100),
    st.floats(),
    st.complex_numbers(allow_nan=False),
    texts,
    st.binary(),
    datetimes,
    st.dates(),
    times,
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.ip_addresses(),
    st.builds(PurePosixPath, st.text("ab/.")),
    st.builds(PureWindowsPath, st.sampled_from(["", "c:", "c:\\\\"]), st.text("ab\\.")).filter(
        lambda path: PureWindowsPath(str(path)) == path
    ),
    st.builds(Path, st.text("ab/.")),
)
keys = hashables.filter(lambda key: not (isinstance(key, Decimal) and key.is_snan()))
keys = st.recursive(
    keys, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)), max_leaves=3
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(hashables, st.binary().map(bytearray)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.dictionaries(texts | st.sampled_from(["$", "$$", "v"]), inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4).map(OrderedDict),
        st.dictionaries(keys, st.integers(), max_size=4).map(Counter),
        st.dictionaries(keys, inner, max_size=4).map(lambda held: defaultdict(list, held)),
    ),
    max_leaves=20,
)


@given(values)
@settings(max_examples=300)
def test_a_value_comes_back_equal_and_of_the_same_types(value: object) -> None:
    assert same(decode(encode(value)), value)


@given(st.lists(values, max_size=5))
def test_a_batch_comes_back_and_its_bytes_are_always_the_same(batch: list[object]) -> None:
    packed = pack(batch)
    assert same(unpack(packed), batch)
    assert pack(batch) == packed
    assert pack(unpack(packed)) == packed
    packed.decode("utf-8")


@pytest.mark.parametrize(
    "value",
    [
        10**20_000,
        -(10**20_000),
        0.1 + 0.2,
        5e-324,
        -0.0,
        float("nan"),
        float("-inf"),
        "\ud800\udc00",  # two lone surrogates, which are not the character that they would spell
        "\x00 and é and 𝄞",
        {"\udfff": 1, "$": "list", "v": [1]},
        {1: "int", "1": "str", None: "none", (1, 2): "tuple"},
        {True: 1, 2.0: 2},
        [[], (), set(), frozenset(), {}, b"", ""],
        complex(-0.0, 1),
        Decimal("-0E+3"),
        Decimal("sNaN12"),
        Fraction(1, 3),
        datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "MEZ")),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(seconds=-1, microseconds=5))),
        time(1, 2, 3, 4, tzinfo=UTC),
        date.max,
        timedelta.min,
        UUID(int=1),
        Path("/tmp/caf\udce9"),  # noqa: S108 - as Python spells a file name that is not UTF-8
        ip_address("::1"),
        ip_network("10.0.0.0/8"),
        ip_interface("10.0.0.1/8"),
        deque([1, 2], maxlen=3),
        defaultdict(None, {1: 2}),
        defaultdict(set, {"a": {1}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_odd_corners_of_each_type_come_back(value: object) -> None:
    assert same(returned(value), value)


@pytest.mark.parametrize("odd", [None, "\ud800", 1 << 80, math.inf, b"x"])
@pytest.mark.parametrize("count", [1, 100])
def test_values_of_several_kinds_come_back_from_small_and_large_batches(odd: object, count: int) -> None:
    batch = [*(value for at in range(count) for value in (at, f"text {at}", at / 2, at % 2 == 0, None)), odd]
    assert same(unpack(pack(batch)), batch)


def test_a_deque_keeps_its_length_and_a_defaultdict_its_factory() -> None:
    assert returned(deque([1], maxlen=3)).maxlen == 3
    assert returned(defaultdict(list))["new"] == []


def test_times_that_pydantic_parsed_keep_the_zone_that_it_gave_them() -> None:
    parsed = TypeAdapter(datetime).validate_json('"2026-01-01T12:00:00.5-03:30"')
    back = returned(parsed)
    assert repr(back) == repr(parsed)
    assert returned(parsed.timetz()) == parsed.timetz()


@pytest.mark.parametrize(
    "url", [AnyUrl("s3://bucket/key?a=b#c"), HttpUrl("http://exämple.com/ä"), PostgresDsn("postgres://u@a:1,b:2/db")]
)
def test_urls_of_pydantic_come_back_in_their_class(url: object) -> None:
    assert same(returned(url), url)


def test_sets_have_one_spelling_whatever_order_they_are_in() -> None:
    script = "from codemation.core.values import pack; print(pack([{f'name {number}' for number in range(50)}]))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != b""


SCALARS = [
    *(kind(1) for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)),
    np.bool_(True),
    np.float16(0.1),
    np.float32(0.1),
    np.float64(-0.0),
    np.longdouble("0.1"),
    np.complex64(1 + 2j),
    np.complex128(complex("nan")).real,
    np.str_("é"),
    np.bytes_(b"\x01"),
    np.datetime64("2024-01-01T00:00:00.123456789"),
    np.datetime64("2024-01", "M"),
    np.datetime64("NaT"),
    np.timedelta64(5, "ms"),
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_numpy_scalars_come_back_in_their_type(value: Any) -> None:
    back = returned_scalar(value)
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back == value or (back != back and value != value)  # noqa: PLR0124 - NaN and NaT


def returned_scalar(value: object) -> Any:
    return decode(encode(value))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<i4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a", "éb"]),
        np.array([], dtype="f8"),
        np.array(3.5),
        np.array(["2024-01-01"], dtype="M8[ns]"),
        np.array([1 + 2j]),
        np.array([1, 2], dtype=">i2"),
    ],
    ids=repr,
)
def test_numpy_arrays_come_back_and_can_be_written_to(array: Any) -> None:
    back = decode(encode(array))
    assert isinstance(back, np.ndarray)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    back[...] = back


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2024-01-01T00:00:00.123456789"),
        pd.Timestamp("2024-10-27T00:30:00", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2024-10-27T01:30:00", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2024-01-01", tz="UTC"),
        pd.Timestamp("3000-01-01").as_unit("s"),
        pd.Timedelta("1 days 00:00:00.000000001"),
        pd.Timedelta(3, unit="s").as_unit("ms"),
    ],
    ids=repr,
)
def test_times_of_pandas_come_back_with_unit_and_zone(value: Any) -> None:
    back: Any = decode(encode(value))
    assert repr(back) == repr(value)
    assert back == value
    assert back.unit == value.unit
    assert getattr(back, "fold", 0) == getattr(value, "fold", 0)


def test_missing_values_of_pandas_come_back_as_themselves() -> None:
    back: Any = decode(encode([pd.NaT, pd.NA]))
    assert back[0] is pd.NaT
    assert back[1] is pd.NA


def test_a_package_registers_a_class_of_its_own() -> None:
    @dataclass
    class Opaque:
        __slots__ = ("data",)
        data: tuple[int, ...]

    class Point:
        def __init__(self, x: int, y: Decimal) -> None:
            self.x, self.y = x, y

    register(Point, "test.point", lambda point: (point.x, point.y), lambda parts: Point(*parts))
    back = returned_point(Point(1, Decimal(2)))
    assert (type(back), back.x, back.y) == (Point, 1, Decimal(2))
    register(Point, "test.point", lambda point: [point.x], lambda parts: Point(parts[0], Decimal(0)))
    assert returned_point(Point(1, Decimal(2))).y == 0
    with pytest.raises(ValueError, match=r"'test.point' of .*Opaque is already taken by .*Point"):
        register(Opaque, "test.point", lambda opaque: opaque.data, Opaque)
    with pytest.raises(ValueError, match="already taken by codemation"):
        register(Opaque, "dict", lambda opaque: opaque.data, Opaque)


def returned_point(value: object) -> Any:
    return decode(encode(value))


# --- what cannot be stored ------------------------------------------------------------------------------------------


class Session:
    """Something that lives in its process only."""


class Order(BaseModel, arbitrary_types_allowed=True):
    customer: dict[str, Any] = {}
    session: Session | None = None


class Shout(str):
    __slots__ = ()


class Odd(tzinfo):
    def utcoffset(self, when: datetime | None, /) -> timedelta:
        return timedelta(0)

    dst = utcoffset

    def tzname(self, when: datetime | None, /) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("value", "path", "way_out"),
    [
        (Session(), "value", "return its data"),
        ([0, {"a": Order(customer={"b": Session()})}], "value[1]['a'].customer['b']", "return its data"),
        ({1: Session()}, "value[1]", "return its data"),
        ({(1, 2): Session()}, "value[<tuple>]", "return its data"),
        ({Session(): 1}, "value.keys()[0]", "return its data"),
        ({"k" * 200: Session()}, f"value['{'k' * 38}…]", "return its data"),
        ({Session()}, "value{…}", "return its data"),
        ((1, Session()), "value[1]", "return its data"),
        (deque([Session()]), "value[0]", "return its data"),
        (Shout("a"), "value", r"return str\(…\) of it"),
        (iter([1, 2]), "value", "return a list of what it yields"),
        (pd.DataFrame(), "value", "return the table itself"),
        (np.array([Session()]), "value", r"array\.tolist"),
        (np.array([(1, 2)], dtype="i4,i4")[0], "value", "return its fields as a dict"),
        (datetime(2024, 1, 1, tzinfo=Odd()), "value", "zoneinfo"),
        (defaultdict(lambda: 1), "value", r"dict\(…\)"),
        (test_sets_have_one_spelling_whatever_order_they_are_in, "value", "return its data"),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, str) else "",
)
def test_what_cannot_be_stored_is_refused_with_its_place_and_a_way_out(value: object, path: str, way_out: str) -> None:
    with pytest.raises(Unstorable, match=way_out) as refused:
        encode(value)
    assert refused.value.path == path
    assert refused.value.index is None


def test_a_batch_says_which_of_its_values_it_was() -> None:
    for batch in ([1, 2, {"a": Session()}], [Order(), Order(), Order(session=Session())]):
        with pytest.raises(Unstorable, match=r"item 2: value.*: a Session object cannot be stored") as refused:
            pack(batch)
        assert refused.value.index == 2
        assert refused.value.type_name == "Session"


def test_secrets_are_refused_and_do_not_show_in_the_error() -> None:
    class Login(BaseModel):
        user: str
        token: Any

    for secret in (TypeAdapter(kind).validate_python("hush") for kind in secret_kinds()):
        for value in (secret, Login(user="a", token=secret), [secret]):
            for store in (encode, lambda value: pack([value])):
                with pytest.raises(Unstorable, match="a secret is never stored") as refused:
                    store(value)
                assert "hush" not in str(refused.value)


def secret_kinds() -> list[Any]:
    from pydantic import Secret, SecretBytes, SecretStr

    return [SecretStr, SecretBytes, Secret[str]]


def test_a_cycle_is_refused_and_shown() -> None:
    tree: dict[str, Any] = {"name": "root", "children": [{"name": "leaf"}]}
    tree["children"][0]["parent"] = tree
    with pytest.raises(
        Unstorable, match=r"value\['tree'\]\['children'\]\[0\]\['parent'\]: it leads back to value\['tree'\]"
    ):
        encode({"tree": tree})


def nested(levels: int, wrap: Callable[[object], object]) -> object:
    value: object = None
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: {"a": value},
        lambda value: {1: value},
        lambda value: (value,),
        lambda value: defaultdict(list, {1: value}),
        lambda value: OrderedDict(a=value),
        lambda value: Order(customer={}, session=None).model_copy(update={"session": value}),
    ],
    ids=["list", "dict", "pairs", "tuple", "defaultdict", "ordered", "model"],
)
def test_nesting_is_stored_down_to_a_bound_and_read_wherever_the_stack_stands(
    wrap: Callable[[object], object],
) -> None:
    value = nested(MAX_DEPTH, wrap)

    def deep(frames: int) -> object:
        return deep(frames - 1) if frames else decode(encode(value))

    assert deep(250) == value
    with pytest.raises(Unstorable, match=r"value.* … .*: it is nested deeper than 64 levels"):
        encode(wrap(wrap(value)))


# --- damaged payloads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1",
        b"1",
        b"\xff",
        b'[{"$":"unheard-of"}]',
        b'[{"$":1}]',
        b'[{"$":"tuple","v":1}]',
        b'[{"$":"bytes"}]',
        b'[{"$":"datetime","v":["2024-01-01",["odd"],0]}]',
        b'[{"$":"pandas","type":"Period"}]',
        b'[{"$":"record","type":1,"shape":"","fields":{}}]',
        b'[{"$":"record","type":"a:b","shape":"","fields":[]}]',
        b'[{"$":"dict","v":[[[1],2]]}]',
        b'{"type":"a:b"}',
        b'{"type":"a:b","shape":"","count":2,"columns":{"a":[1,2],"b":[1]}}',
        b"[" * 100_000 + b"]" * 100_000,
        b'[{"a":' * 900 + b"1" + b"}]" * 900,
    ],
    ids=lambda data: data[:30].decode(errors="replace"),
)
def test_damaged_bytes_are_an_error_of_their_own(data: bytes) -> None:
    with pytest.raises(PayloadLost, match="stored"):
        unpack(data)


@given(st.lists(values, max_size=3), st.data())
def test_cut_or_changed_bytes_never_raise_anything_else(batch: list[object], data: st.DataObject) -> None:
    packed = bytearray(pack(batch))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PayloadLost):
        unpack(bytes(packed))


def test_reading_imports_nothing_heavy_that_a_payload_does_not_need() -> None:
    script = (
        "import sys; from codemation.core.values import pack, unpack; unpack(pack([1, {'a': b'b'}]));"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_path_that_its_own_text_would_not_give_back_is_refused() -> None:
    with pytest.raises(Unstorable, match=r"PureWindowsPath .*cannot be stored") as refused:
        pack([PureWindowsPath("", "\\\\.\\")])
    assert "give the text itself" in refused.value.way_out
