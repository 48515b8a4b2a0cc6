"""A table of any library comes back as a table of any library, with the types that it had."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, RootModel, SecretStr

from codemation.core.errors import ContractError, PayloadLost
from codemation.core.tables import Tables, is_table
from codemation.core.values import Unstorable, decode, encode
from codemation.host.tables import ArrowTables

ROOT = Path(__file__).parents[2]
tables: Tables = ArrowTables()


def through(table: object, wanted: Any) -> Any:
    """What comes back of a table."""
    return tables.unpack(tables.pack(table).data, wanted)


ARROW = pa.table(
    {
        "int": pa.array([1, None, 3], pa.int8()),
        "float": pa.array([1.5, float("nan"), None]),
        "text": ["a", None, "é"],
        "category": pa.array(["x", "y", None]).dictionary_encode(),
        "at": pa.array([0, None, 2], pa.timestamp("ns", "Europe/Berlin")),
        "naive": pa.array([0, None, 2], pa.timestamp("s")),
        "day": pa.array([0, None, 2], pa.date32()),
        "clock": pa.array([0, None, 2], pa.time64("us")),
        "span": pa.array([0, None, 2], pa.duration("ms")),
        "money": pa.array([Decimal("1.50"), None, Decimal("-0.01")], pa.decimal128(20, 2)),
        "raw": pa.array([b"", None, b"\xff"]),
        "list": [[1], [], None],
        "struct": [{"a": 1, "b": [{"c": None}]}, None, {"a": None, "b": []}],
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(3),
        "flag": [True, None, False],
    }
).replace_schema_metadata({"author": "somebody"})


@pytest.mark.parametrize("rows", [3, 1, 0])
def test_an_arrow_table_comes_back_as_it_was(rows: int) -> None:
    table = ARROW.slice(0, rows)
    back = through(table, pa.Table)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert back.to_pylist() == table.to_pylist() or rows > 1  # NaN is not itself
    assert str(back.to_pylist()) == str(table.to_pylist())


def test_a_packed_table_knows_its_columns_and_rows_and_keeps_its_data_out_of_its_repr() -> None:
    packed = tables.pack(pa.table({"a": [1, 2], "b": ["secret", "x"]}))
    assert packed.count == 2
    assert packed.schema == (("a", "int64"), ("b", "string")) == tables.schema(packed.data)
    assert "data" not in repr(packed)
    assert isinstance(through(pa.table({"a": [1]}), pa.RecordBatchReader), pa.RecordBatchReader)
    for rows in ([1, 2], []):
        batch = through(pa.table({"a": rows}), pa.RecordBatch)
        assert isinstance(batch, pa.RecordBatch)
        assert batch.num_rows == len(rows)
        assert through(batch, pa.Table).num_rows == len(rows)


def test_large_tables_are_compressed_and_small_ones_stand_on_their_bytes() -> None:
    large = pa.table({"a": range(200_000), "b": ["text"] * 200_000})
    packed = tables.pack(large)
    assert len(packed.data) < large.nbytes / 4
    assert tables.unpack(packed.data, pa.Table) == large
    small = tables.pack(pa.table({"a": [7] * 100}))
    column: Any = tables.unpack(small.data, pa.Table)
    address = column.column("a").chunk(0).buffers()[1].address
    start = pa.py_buffer(small.data).address
    assert start <= address < start + len(small.data)


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_the_same_table_gives_the_same_bytes_however_it_is_cut(values: list[int | None], cuts: list[int]) -> None:
    whole = pa.table({"a": pa.array(values, pa.int64()), "b": pa.array([str(value) for value in values], pa.string())})
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    pieces = [whole.slice(start, stop - start) for start, stop in pairwise(edges)]
    assert bytes(tables.pack(pa.concat_tables(pieces)).data) == bytes(tables.pack(whole).data)


def test_dictionaries_that_differ_from_chunk_to_chunk_are_made_one() -> None:
    chunks = [pa.array(part).dictionary_encode() for part in (["a", "b"], ["b", "c"])]
    table = pa.Table.from_arrays([pa.chunked_array(chunks)], names=["a"])
    back = through(table, pa.Table)
    assert back.column("a").to_pylist() == ["a", "b", "b", "c"]
    assert pa.types.is_dictionary(back.schema.field("a").type)


# --- pandas ---------------------------------------------------------------------------------------------------------

PANDAS = pd.DataFrame(
    {
        "int": [1, 2],
        "Int": pd.array([1, None], dtype="Int64"),
        "boolean": pd.array([True, None], dtype="boolean"),
        "string": pd.array(["a", None], dtype="string"),
        "str": ["a", None],
        "Float": pd.array([1.5, None], dtype="Float32"),
        "arrow": pd.array([1, None], dtype="int64[pyarrow]"),
        "category": pd.Categorical(["a", None], categories=["b", "a", "unused"], ordered=True),
        "period": pd.period_range("2020", "2021", freq="Y"),
        "interval": pd.interval_range(0, 2),
        "zoned": pd.to_datetime(pd.Series(["2020-01-01", None])).dt.tz_localize("Europe/Berlin"),
        "naive": pd.to_datetime(pd.Series(["2020-01-01", None])).dt.as_unit("ns"),
        "span": pd.to_timedelta([1, None]),
        "date": [date(2024, 1, 1), None],
        "decimal": [Decimal("1.5"), None],
        "float": [1.5, float("nan")],
    }
)


@pytest.mark.parametrize("rows", [2, 0])
def test_a_pandas_table_keeps_its_types(rows: int) -> None:
    frame = PANDAS.head(rows)
    pd.testing.assert_frame_equal(through(frame, pd.DataFrame), frame)


def test_a_named_index_becomes_columns_and_any_other_is_dropped() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]})
    named = frame.set_index(pd.Index(["x", "y", "z"], name="key"))
    pd.testing.assert_frame_equal(through(named, pd.DataFrame), named.reset_index())
    filtered = frame[frame["a"] > 1]
    pd.testing.assert_frame_equal(through(filtered, pd.DataFrame), filtered.reset_index(drop=True))
    levels = pd.MultiIndex.from_arrays([["x", "y", "z"], [1, 2, 3]], names=["key", None])
    assert list(through(frame.set_index(levels), pd.DataFrame).columns) == ["key", "a"]
    assert named.index.name == "key"


def test_an_arrow_table_that_pandas_wrote_does_not_bring_its_index_back() -> None:
    table = pa.Table.from_pandas(pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="key")))
    assert list(through(table, pd.DataFrame).columns) == ["a", "key"]
    assert list(through(table, pl.DataFrame).columns) == ["a", "key"]


def test_a_note_of_pandas_that_is_older_than_the_columns_does_not_matter() -> None:
    noted = pa.Table.from_pandas(pd.DataFrame({"a": pd.array([1], dtype="Int64")}))
    changed = noted.set_column(0, "a", pa.array(["x"]))
    assert list(through(changed, pd.DataFrame)["a"]) == ["x"]


def test_long_ints_beside_missing_values_are_not_rounded_for_pandas() -> None:
    table = pa.table(
        {
            "wide": [2**60 + 1, None],
            "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
            "short": [1, None],
            "none": pa.nulls(2, pa.int64()),
        }
    )
    frame = through(table, pd.DataFrame)
    assert frame["wide"][0] == 2**60 + 1
    assert frame["unsigned"][0] == 2**64 - 1
    assert list(frame.dtypes.astype(str)) == ["Int64", "UInt64", "float64", "float64"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "a"], "'x' holds int and str"),
        (["a", b"a"], "'x' holds str and bytes"),
        ([date(2024, 1, 1), datetime(2024, 1, 1, 5)], "'x' holds date and datetime"),  # noqa: DTZ001
        ([object()], "x"),
        ([time(1, tzinfo=UTC)], "'x' holds time with a zone"),
    ],
)
def test_columns_that_arrow_cannot_hold_are_refused_by_name(values: list[object], said: str) -> None:
    with pytest.raises(Unstorable, match=f"DataFrame cannot be stored.*{said}"):
        tables.pack(pd.DataFrame({"ok": range(len(values)), "x": pd.Series(values, dtype=object)}))


def test_what_is_no_table_or_has_two_columns_of_one_name_is_refused() -> None:
    for column in (pd.Series([1]), pl.Series([1]), pa.chunked_array([pa.array([1])]), 3):
        with pytest.raises(Unstorable, match="cannot be stored"):
            tables.pack(column)
    with pytest.raises(Unstorable, match="two columns of this name"):
        tables.pack(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(Unstorable, match="already exists"):
        tables.pack(pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")))


# --- polars ---------------------------------------------------------------------------------------------------------

POLARS = pl.DataFrame(
    {
        "enum": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a", "unused"])),
        "category": pl.Series(["x", None], dtype=pl.Categorical),
        "text": ["a", None],
        "list": [[1], None],
        "array": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2)),
        "struct": [{"a": 1}, {"a": None}],
        "money": [Decimal("1.5"), None],
        "clock": [time(1), None],
        "span": [timedelta(1), None],
        "at": pl.Series([datetime(2024, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), None]),
        "nothing": [None, None],
        "raw": [b"a", None],
    }
)


@pytest.mark.parametrize("rows", [2, 0])
def test_a_polars_table_keeps_its_types(rows: int) -> None:
    frame = POLARS.head(rows)
    back = through(frame, pl.DataFrame)
    assert back.schema == frame.schema
    assert back.equals(frame)


def test_a_lazy_table_is_collected_and_comes_back_lazy() -> None:
    lazy = POLARS.lazy().select("text")
    assert is_table(lazy)
    assert through(lazy, pl.DataFrame).equals(lazy.collect())
    back = through(lazy, pl.LazyFrame)
    assert isinstance(back, pl.LazyFrame)
    assert back.collect().equals(lazy.collect())


def test_python_objects_in_a_polars_table_are_refused() -> None:
    frame = pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(Unstorable, match="column 'a' holds Python objects"):
        tables.pack(frame)
    with pytest.raises(Unstorable, match="DataFrame cannot be stored"):
        tables.pack(pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}))


@pytest.mark.parametrize("wanted", [pa.Table, pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("made", [pa.table, pd.DataFrame, pl.DataFrame])
def test_each_library_reads_what_another_wrote(made: Callable[[dict[str, list[object]]], object], wanted: type) -> None:
    data: dict[str, list[object]] = {"a": [1, 2], "b": ["x", "y"], "c": [1.5, 2.5], "d": [True, False]}
    back = through(made(data), wanted)
    assert isinstance(back, wanted)
    assert tables.rows(tables.pack(back).data) == [
        {"a": 1, "b": "x", "c": 1.5, "d": True},
        {"a": 2, "b": "y", "c": 2.5, "d": False},
    ]


class Foreign:
    """A table of a library that nobody has heard of."""

    def __init__(self, inner: pa.Table) -> None:
        self.inner = inner

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        stream: object = self.inner.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]
        return stream


class Friendly(Foreign):
    @classmethod
    def from_arrow(cls, table: pa.Table) -> Friendly:
        return cls(table)


def test_any_class_that_speaks_arrow_is_a_table() -> None:
    table = pa.table({"a": [1]})
    assert is_table(Foreign(table))
    assert not is_table(Foreign)
    assert through(Foreign(table), pa.Table) == table
    assert through(table, Friendly).inner == table
    assert isinstance(through(table, pl.DataFrame | pd.DataFrame), pl.DataFrame)
    with pytest.raises(ContractError, match="Foreign can be made"):
        through(table, Foreign)
    with pytest.raises(ContractError, match="int is no class of tables"):
        through(table, int)


# --- rows -----------------------------------------------------------------------------------------------------------


def test_rows_are_values_of_python_that_can_be_stored_as_items() -> None:
    rows = tables.rows(tables.pack(ARROW.drop_columns(["float", "at"])).data)
    assert rows[0] == {
        "int": 1,
        "text": "a",
        "category": "x",
        "naive": datetime(1970, 1, 1),  # noqa: DTZ001
        "day": date(1970, 1, 1),
        "clock": time(0),
        "span": timedelta(0),
        "money": Decimal("1.50"),
        "raw": b"",
        "list": [1],
        "struct": {"a": 1, "b": [{"c": None}]},
        "map": [("k", 1)],
        "nothing": None,
        "flag": True,
    }
    assert decode(encode(rows[0])) == rows[0]


def test_nanoseconds_are_kept_and_only_they_need_pandas() -> None:
    table = pa.table(
        {
            "whole": pa.array([1_000], pa.timestamp("ns", "UTC")),
            "fine": pa.array([1], pa.timestamp("ns")),
            "span": pa.array([1_000], pa.duration("ns")),
        }
    )
    [row] = tables.rows(tables.pack(table).data)
    assert type(row["whole"]) is datetime
    assert row["fine"] == pd.Timestamp(1)
    assert row["span"] == timedelta(microseconds=1)
    assert decode(encode(row)) == row


def test_a_page_of_rows_is_read_without_the_rest() -> None:
    data = tables.pack(pa.table({"a": range(200_000)})).data
    assert tables.rows(data, 65_530, 65_540) == [{"a": number} for number in range(65_530, 65_540)]
    assert tables.rows(data, 199_999) == [{"a": 199_999}]
    assert tables.rows(data, 300_000, 300_010) == tables.rows(data, 5, 5) == []


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    sku: str
    colour: Colour | None = None


class Order(BaseModel, extra="allow"):
    id: UUID
    lines: list[Line] = []
    url: AnyUrl | None = None


class Bag(RootModel[dict[str, int]]):
    pass


@dataclass
class Point:
    x: int
    tags: tuple[str, ...] = ()


class Pair(NamedTuple):
    left: int
    right: float


def test_records_of_every_kind_become_rows() -> None:
    orders = [
        Order(id=UUID(int=1), lines=[Line(sku="a", colour=Colour.RED)]),
        Order.model_validate({"id": UUID(int=2), "more": 3}),
    ]
    packed = tables.from_rows([*orders, Point(1, ("t",)), Pair(1, 2.5), Bag({"x": 5}), {"path": Path("a/b")}])
    rows = tables.rows(packed.data)
    assert packed.count == 6
    assert rows[0]["lines"] == [{"sku": "a", "colour": "red"}]
    assert (rows[1]["id"], rows[1]["more"], rows[1]["url"]) == (str(UUID(int=2)), 3, None)
    assert [row["x"] for row in rows] == [None, None, 1, None, 5, None]
    assert rows[2]["tags"] == ["t"]
    assert rows[3]["right"] == 2.5
    assert rows[5]["path"] == "a/b"


def test_numbers_of_all_kinds_stand_in_one_column_as_long_as_none_changes() -> None:
    values = [1, 2.5, np.int64(3), np.float32(0.5), None, pd.NA]
    rows = tables.rows(tables.from_rows([{"a": value} for value in values]).data)
    assert [row["a"] for row in rows] == [1.0, 2.5, 3.0, 0.5, None, None]
    [row] = tables.rows(tables.from_rows([{"a": 2**64 - 1}]).data)
    assert row == {"a": 2**64 - 1}
    zones = [datetime(2024, 1, 1, tzinfo=zone) for zone in (ZoneInfo("Asia/Tokyo"), UTC)]
    assert [row["a"] for row in tables.rows(tables.from_rows([{"a": zone} for zone in zones]).data)] == zones


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "a"], "holds int and str"),
        ([True, 1], "holds bool and int"),
        (["a", b"b"], "holds str and bytes"),
        ([date(2024, 1, 1), datetime(2024, 1, 1, 5)], "holds date and datetime"),  # noqa: DTZ001
        ([datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)], "holds datetime and datetime with a zone"),  # noqa: DTZ001
        ([time(1, tzinfo=UTC)], "holds time with a zone"),
        ([Decimal(1), 1], "holds Decimal and int"),
        ([{"a": 1}, [1]], "holds dict and list"),
        ([bytearray(b"a"), memoryview(b"a"), 1.5], "holds bytes and float"),
        ([np.bool_(True), "a"], "holds bool and str"),
        ([2**60 + 1, 2.5], "cannot be made"),
        ([[1], ["a"]], "cannot be made"),
        (["\ud800"], "cannot be made"),
        ([2**70], "more than 64 bits"),
        ([-1, 2**63], "more than 64 bits"),
        ([2.5, 2**64], "column 'x'"),
        ([SecretStr("hush")], "cannot be made"),
    ],
)
def test_a_column_of_mixed_types_names_itself_and_the_types(values: list[object], said: str) -> None:
    with pytest.raises(ContractError, match="column 'x'") as mixed:
        tables.from_rows([{"id": 1, "x": value} for value in values])
    assert said in str(mixed.value)
    assert "hush" not in str(mixed.value)


def test_items_without_named_fields_are_no_rows() -> None:
    for value in (5, "text", [1], (1, 2), Point, None):
        with pytest.raises(ContractError, match=r"item 1 is .*, and a table needs items with named fields"):
            tables.from_rows([{"a": 1}, value])
    with pytest.raises(ContractError, match="item 0 has the key 1"):
        tables.from_rows([{1: 2}])


def test_rows_without_columns_are_still_rows() -> None:
    packed = tables.from_rows([{}, {}, {}])
    assert (packed.count, packed.schema) == (3, ())
    assert tables.rows(packed.data, 1) == [{}, {}]
    assert tables.concat([packed.data, packed.data]).count == 6
    assert tables.pack(pa.table({"a": [1, 2]}).select([])).count == 2


def test_no_items_are_a_table_without_columns() -> None:
    packed = tables.from_rows([])
    assert (packed.count, packed.schema) == (0, ())
    assert tables.rows(packed.data) == []
    for wanted in (pa.Table, pd.DataFrame, pl.DataFrame):
        assert tuple(through(pa.table({}), wanted).shape) == (0, 0)


records = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    max_size=3,
)


@given(st.lists(records, min_size=1, max_size=8))
def test_rows_become_a_table_and_rows_again(values: list[dict[str, int | None]]) -> None:
    names = dict.fromkeys(name for value in values for name in value)
    rows = tables.rows(tables.from_rows(values).data)
    assert rows == [{name: value.get(name) for name in names} for value in values]


# --- several tables as one ------------------------------------------------------------------------------------------


def joined(*parts: pa.Table) -> pa.Table:
    table = tables.unpack(tables.concat([tables.pack(part).data for part in parts]).data, pa.Table)
    assert isinstance(table, pa.Table)
    return table


def test_tables_with_the_same_columns_in_any_order_are_one() -> None:
    whole = joined(pa.table({"a": [1], "b": ["x"]}), pa.table({"b": ["y"], "a": [2]}))
    assert whole.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    frame = PANDAS
    packed = tables.concat([tables.pack(frame).data] * 2)
    both: Any = tables.unpack(packed.data, pd.DataFrame)
    pd.testing.assert_frame_equal(both, pd.concat([frame, frame], ignore_index=True))
    assert packed.count == 4


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (pa.nulls(1), pa.array(["x"]), pa.string()),
        (pa.array([1], pa.int8()), pa.array([1], pa.int64()), pa.int64()),
        (pa.array([1]), pa.array([0.5]), pa.float64()),
        (pa.array(["a"]), pa.array(["b"], pa.large_string()), pa.large_string()),
        (pa.array([0], pa.timestamp("s")), pa.array([0], pa.timestamp("ns")), pa.timestamp("ns")),
        (pa.array([Decimal("1.5")]), pa.array([Decimal("10.25")]), pa.decimal128(4, 2)),
        (pa.array([{"a": 1}]), pa.array([{"a": None}]), pa.struct([("a", pa.int64())])),
        (pa.array([b"a"]), pa.array([b"b"], pa.large_binary()), pa.large_binary()),
    ],
)
def test_types_that_go_together_are_promoted(one: Any, other: Any, kind: pa.DataType) -> None:
    for parts in ((one, other), (other, one)):
        whole = joined(*[pa.table({"a": part}) for part in parts])
        assert whole.schema.field("a").type == kind
        assert whole.num_rows == 2


def test_categories_of_several_tables_are_one_set() -> None:
    parts = [pa.table({"a": pa.array(values).dictionary_encode()}) for values in (["x"], ["y", "x"])]
    assert joined(*parts).column("a").to_pylist() == ["x", "y", "x"]
    assert joined(parts[0], pa.table({"a": ["z"]})).schema.field("a").type == pa.string()
    assert joined(pa.table({"a": ["z"]}), parts[0]).to_pylist() == [{"a": "z"}, {"a": "x"}]
    empty = pd.DataFrame({"a": pd.Categorical([], categories=["x", "unused"])})
    packed = tables.concat([tables.pack(empty).data] * 2)
    kept: Any = tables.unpack(packed.data, pd.DataFrame)
    assert list(kept["a"].cat.categories) == ["x", "unused"]


def test_what_all_tables_say_about_themselves_is_kept_and_no_more() -> None:
    parts = [
        pa.table({"a": pa.array([1], kind)}).replace_schema_metadata({"same": "yes", "part": name})
        for kind, name in ((pa.int8(), "one"), (pa.int16(), "two"))
    ]
    assert joined(*parts).schema.metadata == {b"same": b"yes"}
    mixed = [pd.DataFrame({"a": pd.array([1], dtype="Int64")}), pd.DataFrame({"a": [0.5]})]
    frame: Any = tables.unpack(tables.concat([tables.pack(part).data for part in mixed]).data, pd.DataFrame)
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"a": [1.0, 0.5]}))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"a": [1]}, {"b": [1]}, "only some of them have the column 'a', 'b'"),
        ({"a": [1]}, {"a": ["x"]}, "'a' is int64 in one of them and string in another"),
        ({"a": [True]}, {"a": [1]}, "'a' is bool in one"),
        ({"a": [[1]]}, {"a": [{"b": 1}]}, "'a' is list"),
        ({"a": [2**60 + 1]}, {"a": [0.5]}, "'a' cannot become double everywhere"),
        (
            {"a": pa.array([0], pa.timestamp("s"))},
            {"a": pa.array([0], pa.timestamp("s", "UTC"))},
            r"timestamp\[s\] in one of them and timestamp\[s, tz=UTC\] in another",
        ),
    ],
)
def test_tables_that_do_not_go_together_say_which_column(one: Any, other: Any, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        joined(pa.table(one), pa.table(other))


# --- damage ---------------------------------------------------------------------------------------------------------


@given(st.data())
def test_damaged_bytes_are_an_error_whatever_was_changed(data: st.DataObject) -> None:
    packed = bytes(tables.pack(ARROW).data)
    changed = bytearray(packed)
    at = data.draw(st.integers(0, len(packed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    for damaged in (bytes(changed), cut):
        for read in (
            tables.rows,
            tables.schema,
            lambda part: tables.unpack(part, pd.DataFrame),
            lambda part: tables.concat([part]),
        ):
            with pytest.raises(PayloadLost, match=r"a stored table of .* is damaged"):
                read(damaged)


def test_bytes_that_are_no_arrow_stream_are_an_error_even_with_a_checksum() -> None:
    for body in (b"nonsense", b"\x08\x00\x00\x00nonsense"):
        stream = body + b"\xff\xff\xff\xff\x00\x00\x00\x00"
        with pytest.raises(PayloadLost, match="a stored table is damaged"):
            tables.rows(stream + b"crc1" + zlib.crc32(stream).to_bytes(4, "little"))


def test_other_readers_of_arrow_can_read_what_is_stored() -> None:
    packed = tables.pack(pa.table({"a": [1]}))
    assert pa.ipc.open_stream(pa.py_buffer(packed.data)).read_all().to_pylist() == [{"a": 1}]
    assert pl.read_ipc_stream(bytes(packed.data)).to_dicts() == [{"a": 1}]


def test_no_library_of_tables_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys; from codemation.host.tables import ArrowTables; from codemation.core.tables import is_table\n"
        "tables = ArrowTables(); is_table(3)\n"
        "def loaded(): return sorted({'pyarrow', 'pandas', 'polars'} & set(sys.modules))\n"
        "print(loaded()); import pyarrow; table = pyarrow.table({'a': pyarrow.nulls(2)})\n"
        "assert len(tables.rows(tables.pack(table).data)) == 2; print('polars' in loaded())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]
