"""`expect` lets good rows through untouched, and says in words what is wrong with the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import ContractError, RunFailed
from codemation.host.handles import RunHandle
from codemation.nodes.expecting import Unexpected

Run = Callable[..., RunHandle]
STOCK = pa.table(
    {
        "sku": ["a", "b", "a", None, "c", None],
        "qty": [1, 2, 3, None, 5000, 6],
        "unit": ["kg", "kg", "pc", "lb", None, "kg"],
    }
)


class Row(BaseModel):
    sku: str
    qty: int


def report(table: Any = STOCK, **expected: Any) -> str:
    with pytest.raises(Unexpected) as raised:
        cm.nodes.expect(table, **expected)
    return raised.value.message


def test_all_is_looked_at_and_what_is_not_met_is_said_first_with_its_first_rows() -> None:
    said = report(
        min_rows=1,
        unique=["sku"],
        not_null=["qty"],
        values={"unit": ["kg", "pc"]},
        between={"qty": (1, 1000)},
        matches={"sku": "[ab]"},
        columns={"qty": "int", "price": "float"},
        holds={"the total is right": False},
    )
    assert said.splitlines()[0] == "6 rows: 7 of 9 expectations not met"
    assert "NOT MET  qty is never missing: 1 row not\n         row 3: {" in said
    assert "NOT MET  sku is unique: 1 row not\n         row 2: {'sku': 'a'}" in said
    assert "NOT MET  unit is one of 'kg', 'pc': 1 row not\n         row 3: {'unit': 'lb'}" in said
    assert "NOT MET  qty is at least 1 and at most 1000: 1 row not\n         row 4: {'qty': 5000}" in said
    assert "NOT MET  sku matches '[ab]': 1 row not\n         row 4: {'sku': 'c'}" in said
    assert "NOT MET  price is a column of float\n         there is no such column; there are sku, qty, unit" in said
    assert "NOT MET  the total is right" in said
    assert said.index("met  at least 1 row") > said.index("the total is right")


def test_many_bad_rows_are_counted_and_three_are_shown() -> None:
    said = report(pa.table({"n": list(range(1000))}), between={"n": (None, 9)})
    assert "n is at most 9: 990 rows not" in said
    assert said.endswith("and 987 more")


def test_a_number_that_is_none_counts_as_missing_and_lies_in_no_range() -> None:
    table = pa.table({"f": [1.0, math.nan, None]})
    assert "2 rows not" in report(table, not_null=["f"])
    assert "1 row not" in report(table, between={"f": (0, 2)})


def test_good_rows_go_through() -> None:
    good = cm.nodes.expect(STOCK.slice(0, 2), min_rows=1, max_rows=2, unique=["sku", "qty"], between={"qty": (0, None)})
    assert pa.table(good).equals(STOCK.slice(0, 2))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({}, "nothing is expected"),
        ({"unique": ["skuu"]}, "did you mean 'sku'"),
        ({"between": {"sku": (1, 2)}}, "cannot be compared with 1"),
        ({"values": {"qty": ["many"]}}, "values of the type of the column"),
        ({"matches": {"sku": "["}}, "cannot be matched"),
        ({"matches": {"qty": "1"}}, "cannot be matched"),
        ({"columns": {"qty": "number"}}, "there is no type"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_no_matter_of_the_rows(expected: Any, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        cm.nodes.expect(STOCK, **expected)


@cm.node
def given() -> list[Row]:
    return [Row(sku="a", qty=1), Row(sku="a", qty=2)]


@cm.node
def load(rows: pa.Table) -> int:
    return rows.num_rows


def test_the_fourth_workflow_of_the_api_goes_through_it(run: Run) -> None:
    done = run(cm.workflow("stock.ok").then(given).then(cm.nodes.expect, min_rows=1, unique=["qty"]).then(load).build())
    assert done.output == 2
    assert done["expect"].items == [Row(sku="a", qty=1), Row(sku="a", qty=2)]
    assert done["expect"].batch == done["given"].batch  # nothing is stored twice
    assert "2 rows: 0 of 2 expectations not met" in done["expect"].logs


def test_the_node_fails_with_the_report_which_is_also_in_its_log(run: Run) -> None:
    with pytest.raises(RunFailed, match="sku is unique: 1 row not") as raised:
        run(cm.workflow("stock.bad").then(given).then(cm.nodes.expect, unique=["sku"]).then(load).build())
    failed: Any = raised.value.run
    assert "NOT MET  sku is unique" in failed["expect"].logs
    assert failed["expect"].error.type == "Unexpected"


def test_with_a_warning_the_rows_go_on_and_with_an_error_port_they_go_elsewhere(run: Run) -> None:
    warned = cm.workflow("stock.warn").then(given).then(cm.nodes.expect, unique=["sku"], on_unmet="warn").then(load)
    done = run(warned.build())
    assert done.output == 2
    assert "NOT MET" in done["expect"].logs
    routed = cm.workflow("stock.port").then(given).then(cm.nodes.expect, unique=["sku"], on_error="port").then(load)
    done = run(routed.build())
    assert "NOT MET  sku is unique" in done["expect"].failures[0].error


def test_a_polars_table_can_be_checked_in_a_cell() -> None:
    assert "sku is unique" in report(pl.DataFrame(STOCK), unique=["sku"])


def test_that_no_rows_came_at_all_is_seen(run: Run) -> None:
    nothing = cm.workflow("w", input=dict).filter(lambda row: False)
    with pytest.raises(RunFailed, match="at least 1 row"):
        run(nothing.then(cm.nodes.expect, min_rows=1, not_null=["id"]).build(), [{"id": 1}])
    done = run(nothing.then(cm.nodes.expect, not_null=["id"]).map(lambda row: row).build(), [{"id": 1}])
    assert (done["expect"].count, done["map"].count) == (0, 0)
    with pytest.raises(Unexpected, match="at least 1 row"):
        cm.nodes.expect(pa.table({"id": pa.array([], pa.int64())}), min_rows=1)
