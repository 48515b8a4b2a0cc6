"""Nodes that give a table another shape do what they say, on tables of every library and on items."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import ContractError
from codemation.host.handles import RunHandle

Run = Callable[..., RunHandle]
ROWS = [
    {"sku": "b", "qty": 3, "price": 1.5},
    {"sku": "a", "qty": None, "price": 2.0},
    {"sku": "b", "qty": 1, "price": 1.5},
    {"sku": None, "qty": 3, "price": 0.5},
]


class Order(BaseModel):
    sku: str
    qty: int


@cm.node
def stock() -> pa.Table:
    return pa.Table.from_pylist(ROWS)


@cm.node
def orders() -> list[Order]:
    return [Order(sku=sku, qty=qty) for sku, qty in [("b", 3), ("a", 2), ("b", 1)]]


def rows(table: Any) -> list[dict[str, Any]]:
    return pa.table(table).to_pylist()


def stock_table() -> pa.Table:
    return pa.Table.from_pylist(ROWS)


def test_select_keeps_columns_in_the_order_named_or_drops_the_named_ones() -> None:
    assert pa.table(cm.nodes.select(stock_table(), columns=["price", "sku"])).column_names == ["price", "sku"]
    assert pa.table(cm.nodes.select(stock_table(), without=["price"])).column_names == ["sku", "qty"]
    with pytest.raises(ContractError, match="did you mean 'price'"):
        cm.nodes.select(stock_table(), columns=["prcie"])
    with pytest.raises(ContractError, match="either columns"):
        cm.nodes.select(stock_table())


def test_rename_changes_names_and_lets_two_change_places_but_never_makes_two_of_one_name() -> None:
    swapped = pa.table(cm.nodes.rename(stock_table(), columns={"sku": "qty", "qty": "sku"}))
    assert swapped.column_names == ["qty", "sku", "price"]
    with pytest.raises(ContractError, match="'sku' and 'qty' would both be called 'sku'"):
        cm.nodes.rename(stock_table(), columns={"qty": "sku"})


def test_cast_changes_types_and_shows_what_cannot_be_changed() -> None:
    texts = pa.table({"n": ["1", "two", None, "4", "V"], "d": ["2026-01-01"] * 5})
    with pytest.raises(ContractError, match="'n' cannot become int64: it holds 'two' in row 1, 'V' in row 4"):
        cm.nodes.cast(texts, columns={"n": "int"})
    made = pa.table(cm.nodes.cast(texts, columns={"n": "int", "d": "date"}, on_bad="null"))
    assert made.column("n").to_pylist() == [1, None, None, 4, None]
    assert str(made.schema.field("d").type) == "date32[day]"
    with pytest.raises(ContractError, match="there is no type 'intt'"):
        cm.nodes.cast(texts, columns={"n": "intt"})
    with pytest.raises(ContractError, match="of which"):
        cm.nodes.cast(pa.table({"l": [[1], [2]]}), columns={"l": "bool"})


@pytest.mark.parametrize(
    ("spelt", "kind"),
    [
        ("decimal(10, 2)", pa.decimal128(10, 2)),
        ("timestamp[us, tz=Europe/Berlin]", pa.timestamp("us", "Europe/Berlin")),
        ("list<int>", pa.list_(pa.int64())),
        ("str", pa.string()),
    ],
)
def test_types_are_spelt_as_arrow_or_python_does(spelt: str, kind: pa.DataType) -> None:
    made = pa.table(cm.nodes.cast(pa.table({"x": pa.array([None], kind)}), columns={"x": spelt}))
    assert made.schema.field("x").type == kind


def test_sort_is_stable_takes_several_columns_and_places_missing_values() -> None:
    assert [row["price"] for row in rows(cm.nodes.sort(stock_table(), by="qty"))] == [1.5, 1.5, 0.5, 2.0]
    first = rows(cm.nodes.sort(stock_table(), by=["qty", "price"], descending=[True, False], nulls="first"))
    assert [(row["qty"], row["price"]) for row in first] == [(None, 2.0), (3, 0.5), (3, 1.5), (1, 1.5)]
    with pytest.raises(ContractError, match="descending says it of 1"):
        cm.nodes.sort(stock_table(), by=["qty", "price"], descending=[True])
    with pytest.raises(ContractError, match="have no order"):
        cm.nodes.sort(pa.table({"l": [[1], [2]]}), by="l")
    with pytest.raises(ContractError, match="nothing to sort by"):
        cm.nodes.sort(stock_table(), by=[])


def test_distinct_keeps_the_first_the_last_or_none_of_those_that_are_equal() -> None:
    assert [row["qty"] for row in rows(cm.nodes.distinct(stock_table(), on="sku"))] == [3, None, 3]
    assert [row["qty"] for row in rows(cm.nodes.distinct(stock_table(), on="sku", keep="last"))] == [None, 1, 3]
    assert [row["sku"] for row in rows(cm.nodes.distinct(stock_table(), on="sku", keep="none"))] == ["a", None]
    assert pa.table(cm.nodes.distinct(pa.concat_tables([stock_table()] * 2))).num_rows == 4
    with pytest.raises(ContractError, match="cannot be compared by 'l'"):
        cm.nodes.distinct(pa.table({"l": [[1], [1]]}))


def test_sample_takes_the_same_rows_for_the_same_seed_in_their_order() -> None:
    numbers = pa.table({"n": list(range(100))})
    some = [row["n"] for row in rows(cm.nodes.sample(numbers, rows=10, seed=7))]
    assert some == sorted(some)
    assert some == [row["n"] for row in rows(cm.nodes.sample(numbers, fraction=0.1, seed=7))]
    assert some != [row["n"] for row in rows(cm.nodes.sample(numbers, rows=10, seed=8))]
    assert pa.table(cm.nodes.sample(numbers, rows=1000)).num_rows == 100
    for wrong in ({}, {"rows": 1, "fraction": 0.1}, {"rows": -1}, {"fraction": 1.5}):
        with pytest.raises(ContractError):
            cm.nodes.sample(numbers, **wrong)  # type: ignore[arg-type]


def test_group_makes_a_row_of_each_group_in_the_order_in_which_they_begin() -> None:
    made = cm.nodes.group(
        stock_table(),
        by="sku",
        aggregates={
            "worth": ("price", "sum"),
            "rows": ("*", "rows"),
            "known": ("qty", "count"),
            "all": ("qty", "list"),
        },
    )
    assert rows(made) == [
        {"sku": "b", "worth": 3.0, "rows": 2, "known": 2, "all": [3, 1]},
        {"sku": "a", "worth": 2.0, "rows": 1, "known": 0, "all": [None]},
        {"sku": None, "worth": 0.5, "rows": 1, "known": 1, "all": [3]},
    ]
    assert rows(cm.nodes.group(stock_table(), by=[], aggregates={"n": ("*", "rows")})) == [{"n": 4}]
    with pytest.raises(ContractError, match="no column 'prise'"):
        cm.nodes.group(stock_table(), by="sku", aggregates={"x": ("prise", "sum")})
    with pytest.raises(ContractError, match="sum of 'sku' \\(string\\)"):
        cm.nodes.group(stock_table(), by="qty", aggregates={"x": ("sku", "sum")})
    with pytest.raises(ContractError, match="already"):
        cm.nodes.group(stock_table(), by="sku", aggregates={"sku": ("qty", "sum")})


def test_join_matches_rows_by_key_in_the_order_of_the_left_side() -> None:
    names = pa.table({"sku": ["a", "b", "c", None], "price": [9.0, 8.0, 7.0, 6.0], "tags": [["x"], [], ["y"], []]})
    inner = rows(cm.nodes.join(stock_table(), right=names, on="sku"))
    assert [(row["sku"], row["price"], row["price_right"], row["tags"]) for row in inner] == [
        ("b", 1.5, 8.0, []),
        ("a", 2.0, 9.0, ["x"]),
        ("b", 1.5, 8.0, []),
    ]
    outer = rows(cm.nodes.join(stock_table(), right=names, on="sku", how="outer"))
    assert [(row["sku"], row["qty"], row["price_right"]) for row in outer] == [
        ("b", 3, 8.0),
        ("a", None, 9.0),
        ("b", 1, 8.0),
        (None, 3, None),
        ("c", None, 7.0),
        (None, None, 6.0),
    ]
    assert pa.table(cm.nodes.join(stock_table(), right=names, on="sku", how="left")).num_rows == 4
    assert [row["sku"] for row in rows(cm.nodes.join(stock_table(), right=names, on="sku", how="semi"))] == [
        "b",
        "a",
        "b",
    ]
    assert [row["sku"] for row in rows(cm.nodes.join(stock_table(), right=names, on="sku", how="anti"))] == [None]
    with pytest.raises(ContractError, match="'qty' is int64 and string"):
        cm.nodes.join(stock_table(), right=pa.table({"qty": ["1"]}), on="qty")
    with pytest.raises(ContractError, match="the right table has no column 'sku'"):
        cm.nodes.join(stock_table(), right=pa.table({"sk": ["1"]}), on="sku")


def test_sums_that_need_more_than_64_bits_are_right() -> None:
    table = pa.table({"k": ["a", "a", "b"], "n": [2**62, 2**62, None], "m": [1, 2, 3]})
    made = rows(cm.nodes.group(table, by="k", aggregates={"n": ("n", "sum"), "m": ("m", "sum")}))
    assert made == [{"k": "a", "n": Decimal(2**63), "m": 3}, {"k": "b", "n": None, "m": 3}]


def test_whole_numbers_become_decimals_if_they_fit() -> None:
    cast = cm.nodes.cast(pa.table({"n": [12, None]}), columns={"n": "decimal(4, 2)"})
    assert rows(cast) == [{"n": Decimal("12.00")}, {"n": None}]
    with pytest.raises(ContractError, match=r"'n' cannot become decimal128\(4, 2\): it holds .*123.* in row 1"):
        cm.nodes.cast(pa.table({"n": [12, 123, None]}), columns={"n": "decimal(4, 2)"})


def test_a_time_is_in_utc_unless_it_says_its_zone() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    zoned = {"at": "timestamp[us, tz=Europe/Oslo]"}
    for said in (noon.replace(tzinfo=None), "2026-07-01T14:00:00+02:00"):
        assert rows(cm.nodes.cast(pa.table({"at": [said]}), columns=zoned)) == [{"at": noon}]
    with pytest.raises(ContractError, match="'2026-10-25 02:30:00' in row 0"):
        cm.nodes.cast(pa.table({"at": ["2026-10-25 02:30:00"]}), columns=zoned)


def test_keys_that_are_stored_in_other_types_match_if_they_are_equal() -> None:
    zoned = pa.array([datetime(2026, 1, 1, tzinfo=UTC)])
    alike: list[tuple[Any, Any]] = [
        (pl.DataFrame({"k": ["a"]}), pa.table({"k": ["a"]})),
        (pl.DataFrame({"k": pl.Series(["a"], dtype=pl.Categorical)}), pa.table({"k": ["a"]})),
        (pd.DataFrame({"k": pd.Categorical(["a"])}), pd.DataFrame({"k": ["a"]})),
        (pa.table({"k": pa.array([1], pa.int32())}), pa.table({"k": [1]})),
        (pa.table({"k": [1]}), pd.DataFrame({"k": [1.0, None]})),
        (pa.table({"k": [Decimal("1.0")]}), pa.table({"k": [Decimal("1.00")]})),
        (pa.table({"k": zoned}), pa.table({"k": zoned.cast(pa.timestamp("s", "Europe/Oslo"))})),
    ]
    for left, right in alike:
        assert pa.table(cm.nodes.join(left, right=right, on="k")).num_rows == 1
    far = pa.table({"k": [2**53 + 1]}), pa.table({"k": [float(2**53)]})
    with pytest.raises(ContractError, match="'k' is int64 and double"):
        cm.nodes.join(far[0], right=far[1], on="k")
    halves = cm.nodes.join(pa.table({"k": [1]}), right=pa.table({"k": [1.0, 1.5]}), on="k", how="outer")
    assert rows(halves) == [{"k": 1.0}, {"k": 1.5}]


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_a_table_of_any_library_can_be_given_and_is_given_back_as_the_caller_wants_it(library: Any) -> None:
    found = cm.nodes.distinct(cm.nodes.sort(library(ROWS), by="price"), on="sku")
    assert pl.DataFrame(found)["sku"].to_list() == [None, "b", "a"]


def test_the_rows_of_a_table_pass_through_a_workflow_and_come_out_as_the_configured_library(run: Run) -> None:
    flow = cm.workflow("shaping.table").then(stock).then(cm.nodes.sort, by="price").then(cm.nodes.sample, rows=2)
    done = run(flow.then(cm.nodes.select, columns=["price"]).build())
    assert isinstance(done.output, pl.DataFrame)
    assert done["sort"].count == 4
    assert done["select"].count == 2


def test_items_stay_the_items_that_they_were(run: Run) -> None:
    flow = cm.workflow("shaping.items").then(orders).then(cm.nodes.sort, by="qty").then(cm.nodes.distinct, on="sku")
    done = run(flow.build())
    assert done["sort"].items == [Order(sku="b", qty=1), Order(sku="a", qty=2), Order(sku="b", qty=3)]
    assert done["distinct"].items == [Order(sku="b", qty=1), Order(sku="a", qty=2)]


def test_sorted_items_stay_sorted_when_branches_join_again(run: Run) -> None:
    flow = cm.workflow("shaping.branches").then(orders).then(cm.nodes.sort, by="qty")
    done = run(flow.branch(lambda order: order.sku == "a").map(lambda order: order.qty).build())
    assert done.output == [1, 2, 3]


def test_two_tables_are_joined_by_giving_a_flow_as_the_right_side(run: Run) -> None:
    @cm.node
    def prices() -> pl.DataFrame:
        return pl.DataFrame({"sku": ["a", "b"], "euro": [5, 6]})

    @cm.workflow("shaping.joined")
    def joined(start: cm.Flow) -> cm.Flow:
        return start.then(orders).then(cm.nodes.join, right=start.then(prices), on="sku")

    assert run(joined)["join"].items[0] == {"sku": "b", "qty": 3, "euro": 6}


KEYS = st.one_of(st.none(), st.integers(-2, 2))
NUMBERS = st.one_of(st.none(), st.integers(-9, 9))
TABLES = st.lists(st.fixed_dictionaries({"k": KEYS, "v": NUMBERS}), max_size=12)
SCHEMA = pa.schema({"k": pa.int64(), "v": pa.int64(), "at": pa.int64()})


def table_of(drawn: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{**row, "at": at} for at, row in enumerate(drawn)], SCHEMA)


@given(TABLES, st.booleans(), st.sampled_from(["first", "last"]))
def test_sorting_is_what_sorted_does(drawn: list[dict[str, Any]], falling: bool, nulls: Any) -> None:
    missing = 1 if nulls == "last" else -1

    def rank(row: dict[str, Any]) -> tuple[int, int]:
        return (missing, 0) if row["k"] is None else (0, -row["k"] if falling else row["k"])

    numbered = table_of(drawn).to_pylist()
    assert rows(cm.nodes.sort(table_of(drawn), by="k", descending=falling, nulls=nulls)) == sorted(numbered, key=rank)


@given(TABLES)
def test_grouping_is_what_a_dictionary_does(drawn: list[dict[str, Any]]) -> None:
    groups: dict[Any, list[Any]] = {}
    for row in drawn:
        groups.setdefault(row["k"], []).append(row["v"])
    made = rows(cm.nodes.group(table_of(drawn), by="k", aggregates={"all": ("v", "list"), "least": ("v", "min")}))
    assert made == [
        {"k": key, "all": held, "least": min((one for one in held if one is not None), default=None)}
        for key, held in groups.items()
    ]
    firsts = rows(cm.nodes.distinct(table_of(drawn), on="k"))
    assert [row["k"] for row in firsts] == list(groups)


@given(TABLES, TABLES, st.sampled_from(["inner", "left", "semi", "anti"]))
def test_joining_is_what_two_loops_do(left: list[dict[str, Any]], right: list[dict[str, Any]], how: Any) -> None:
    pairs = []
    for row in table_of(left).to_pylist():
        found = [other for other in table_of(right).to_pylist() if row["k"] is not None and other["k"] == row["k"]]
        if how in ("semi", "anti"):
            pairs += [(row["at"], None)] * ((how == "semi") == bool(found))
        else:
            pairs += [(row["at"], other["at"]) for other in found] or [(row["at"], None)] * (how == "left")
    made = rows(cm.nodes.join(table_of(left), right=table_of(right), on="k", how=how))
    assert [(row["at"], row.get("at_right")) for row in made] == pairs


@given(st.lists(st.one_of(st.none(), st.text("12x", max_size=3)), max_size=40))
def test_casting_leaves_out_exactly_what_is_no_number(texts: list[str | None]) -> None:
    made = cm.nodes.cast(pa.table({"n": pa.array(texts, pa.string())}), columns={"n": "int"}, on_bad="null")
    assert [row["n"] for row in rows(made)] == [int(text) if text and text.isdigit() else None for text in texts]


def test_a_number_that_is_none_is_never_equal_to_itself_but_one_group() -> None:
    table = pa.table({"f": [math.nan, math.nan, 1.0]})
    assert pa.table(cm.nodes.distinct(table)).num_rows == 2
