"""`join` makes a stream wider, for items and for tables alike (semantics §3, "merge and join")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.workflow import Workflow
from tests.host.runtime.conftest import Run

LEFT: list[dict[str, Any]] = [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}, {"k": 2, "v": "c"}]
RIGHT: list[dict[str, Any]] = [{"k": 2, "v": "x", "w": 7}, {"k": 3, "v": "y", "w": 8}]
MATCHED: list[dict[str, Any]] = [
    {"k": 2, "v": "b", "v_right": "x", "w": 7},
    {"k": 2, "v": "c", "v_right": "x", "w": 7},
]
ONLY_LEFT: list[dict[str, Any]] = [{"k": 1, "v": "a", "v_right": None, "w": None}]
ONLY_RIGHT: list[dict[str, Any]] = [{"k": 3, "v": None, "v_right": "y", "w": 8}]


@dataclass
class Left:
    k: int
    v: str


class Right(BaseModel):
    k: int
    v: str
    w: int


@cm.node
def left_dicts() -> list[dict[str, Any]]:
    return LEFT


@cm.node
def right_dicts() -> list[dict[str, Any]]:
    return RIGHT


@cm.node
def left_objects() -> list[Left]:
    return [Left(**row) for row in LEFT]


@cm.node
def right_objects() -> list[Right]:
    return [Right(**row) for row in RIGHT]


@cm.node
def left_table() -> pl.DataFrame:
    return pl.DataFrame(LEFT)


@cm.node
def right_table() -> pa.Table:
    return pa.Table.from_pylist(RIGHT)


def joined(left: Any, right: Any, how: Any) -> Workflow[Any, ...]:
    start = cm.workflow("w").then(left)
    return start.join(start.then(right), on="k", how=how).build()


@pytest.mark.parametrize(
    ("how", "rows"),
    [("inner", MATCHED), ("left", ONLY_LEFT + MATCHED), ("outer", ONLY_LEFT + MATCHED + ONLY_RIGHT)],
)
@pytest.mark.parametrize(
    ("sides", "kind"),
    [
        ((left_dicts, right_dicts), "items"),
        ((left_objects, right_objects), "items"),
        ((left_table, right_dicts), "items"),
        ((left_table, right_table), "table"),
    ],
    ids=["dicts", "objects", "mixed", "tables"],
)
def test_rows_are_matched_by_key_in_the_order_of_the_left(
    run: Run, sides: tuple[Any, Any], kind: str, how: str, rows: list[dict[str, Any]]
) -> None:
    handle = run(joined(*sides, how))
    assert handle["join"].items == rows
    assert handle["join"].batch.kind == kind


def test_several_keys_and_several_others(run: Run) -> None:
    @cm.workflow("w")
    def wide(start: cm.Flow) -> cm.Flow:
        left = start.then(left_dicts)
        return left.join(left.map(lambda row: row, id="again"), start.then(right_dicts), on=["k", "v"], how="left")

    assert [row["k"] for row in run(wide)["join"].items] == [1, 2, 2]


@cm.node
def more_table() -> pa.Table:
    return pa.table({"k": [2], "v": ["z"]})


@cm.node
def more_dicts() -> list[dict[str, Any]]:
    return [{"k": 2, "v": "z"}]


@pytest.mark.parametrize("nodes", [(left_table, right_table, more_table), (left_dicts, right_dicts, more_dicts)])
def test_a_column_that_three_sides_have_is_not_lost_but_refused(run: Run, nodes: tuple[Any, ...]) -> None:
    start = cm.workflow("w")
    first, *others = [start.then(node) for node in nodes]
    with pytest.raises(RunFailed, match="have 'v', and 'v_right' is taken"):
        run(first.join(*others, on="k").build())


def test_texts_of_all_libraries_match(run: Run) -> None:
    @cm.node
    def of_polars() -> pl.DataFrame:
        return pl.DataFrame({"name": ["ä", "b"], "n": [1, 2]})

    @cm.node
    def of_arrow() -> pa.Table:
        return pa.table({"name": ["ä"], "m": [3]})

    start = cm.workflow("w").then(of_polars)
    assert run(start.join(start.then(of_arrow), on="name").build())["join"].items == [{"name": "ä", "n": 1, "m": 3}]


def test_a_missing_field_is_named(run: Run) -> None:
    start = cm.workflow("w").then(left_dicts)
    with pytest.raises(RunFailed, match="a record to join has no field 'nope'; it has 'k', 'v'"):
        run(start.join(start.then(right_dicts), on="nope").build())


def test_what_has_no_fields_cannot_be_joined(run: Run) -> None:
    start = cm.workflow("w").then(left_dicts)
    with pytest.raises(RunFailed, match="int has no fields to join on"):
        run(start.join(start.map(lambda row: 1), on="k").build())


def test_a_side_that_was_skipped_counts_as_empty(run: Run) -> None:
    start = cm.workflow("w").then(left_dicts)
    nothing = start.filter(lambda row: False).map(lambda row: row)
    assert run(start.join(nothing, on="k", how="left").build()).output == LEFT
    assert run(start.join(nothing, on="k").build()).output == []


def test_tables_that_are_appended_stay_a_table(run: Run) -> None:
    start = cm.workflow("w").then(left_table)
    handle = run(start.merge(start.then(left_table, id="more")).build())
    assert (handle["merge"].batch.kind, handle["merge"].count) == ("table", 6)


def test_branches_that_give_tables_join_as_one_table(run: Run) -> None:
    @cm.node
    def rows(table: pl.DataFrame) -> int:
        return table.height

    workflow = (
        cm.workflow("w")
        .then(left_table)
        .parallel(a=lambda f: f.then(left_table, id="a"), b=lambda f: f.then(left_table, id="b"))
        .then(rows)
        .build()
    )
    assert run(workflow).output == 6
