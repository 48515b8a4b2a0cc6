"""Semantics §2, Lineage: every item knows the items it came from, over every built-in node, in both directions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codemation as cm
from codemation.core.errors import RunError
from codemation.core.launch import Launch
from codemation.core.lineage import Trace
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from tests.host.runtime.conftest import opened

Run = Callable[..., RunHandle]


def back(trace: Trace, node: str) -> list[int]:
    """The positions of one node that an item came from."""
    return sorted(place.position for place in trace.ancestors if place.node == node and place.position is not None)


def on(trace: Trace, node: str) -> list[int]:
    """The positions of one node that came of an item."""
    return sorted(place.position for place in trace.descendants if place.node == node and place.position is not None)


@cm.node
def numbers() -> list[int]:
    return [0, 1, 2, 3, 4, 5]


@cm.node
def total(numbers: list[int]) -> int:
    return sum(numbers)


def even(number: int) -> bool:
    return number % 2 == 0


def test_what_became_of_this_record_over_split_filter_and_aggregate(run: Run) -> None:
    flow = cm.workflow("trace.line", input=int).split(lambda n: [n] * n, id="copies").filter(even)
    done = run(flow.aggregate(sum, id="all").build(), [1, 2, 3])
    assert [place.key for place in done["even"].trace(0).ancestors] == ["copies:1", "start:1"]
    told = done["start"].trace(1)
    assert on(told, "copies") == [1, 2]
    assert on(told, "even") == [0, 1]
    assert on(told, "all") == [0]
    assert "even: dropped" in str(done["start"].trace(0))
    assert back(done["all"].trace(0), "copies") == [1, 2]
    assert "all 2 of even" in str(done["all"].trace(0))


def test_branches_and_switches_are_seen_through_and_so_is_the_order_in_which_they_join(run: Run) -> None:
    flow = cm.workflow("trace.branches").then(numbers).branch(even, yes=lambda f: f.map(lambda n: n * 10, id="ten"))
    done = run(flow.map(lambda n: n, id="joined").build())
    assert done["joined"].items == [0, 1, 20, 3, 40, 5]
    assert [back(done["joined"].trace(at), "numbers") for at in range(6)] == [[at] for at in range(6)]
    assert [on(done["numbers"].trace(at), "joined") for at in range(6)] == [[at] for at in range(6)]
    assert "ten:1  20" in str(done["joined"].trace(2))


def test_items_that_took_two_ways_are_told_apart(run: Run) -> None:
    flow = cm.workflow("trace.parallel").then(numbers)
    both = flow.parallel(a=lambda f: f.map(lambda n: n, id="a"), b=lambda f: f.map(lambda n: -n, id="b"))
    done = run(both.filter(lambda n: n != 0 and n > -3, id="kept").build())
    for at, value in enumerate(done["kept"].items):
        trace = done["kept"].trace(at)
        assert back(trace, "numbers") == [abs(value)]
        assert (back(trace, "a"), back(trace, "b")) == (([abs(value)], []) if value > 0 else ([], [abs(value)]))


@pytest.mark.parametrize("by", ["append", "origin", "position"])
def test_every_kind_of_merge_is_seen_through(run: Run, by: Any) -> None:
    @cm.workflow("trace.merged")
    def merging(start: cm.Flow) -> cm.Flow:
        source = start.then(numbers)
        low, high = source.filter(lambda n: n < 4, id="low"), source.filter(lambda n: n > 1, id="high")
        return low.merge(high, by=by)

    done = run(merging)
    assert [back(done["merge"].trace(at), "numbers") for at in range(8)] == [[value] for value in done["merge"].items]


def test_a_merge_that_prefers_one_side_leaves_the_other_out(run: Run) -> None:
    @cm.workflow("trace.preferred")
    def merging(start: cm.Flow) -> cm.Flow:
        source = start.then(numbers)
        low = source.filter(lambda n: n < 4, id="low")
        return source.merge(low, by="origin", prefer=["2"])

    done = run(merging)
    assert back(done["merge"].trace(0), "low") == [0]
    assert back(done["merge"].trace(5), "low") == []


def test_a_join_came_from_both_sides(run: Run) -> None:
    @cm.node
    def orders() -> list[dict[str, Any]]:
        return [{"id": 1, "sku": "b"}, {"id": 2, "sku": "a"}, {"id": 3, "sku": "x"}]

    @cm.node
    def stock() -> pl.DataFrame:
        return pl.DataFrame({"sku": ["a", "b"], "left": [1, 2]})

    @cm.workflow("trace.join")
    def joining(start: cm.Flow) -> cm.Flow:
        return start.then(orders).join(start.then(stock), on="sku", how="left")

    done = run(joining)
    found = [(back(done["join"].trace(at), "orders"), back(done["join"].trace(at), "stock")) for at in range(3)]
    assert found == [([0], [1]), ([1], [0]), ([2], [])]
    assert on(done["stock"].trace(0), "join") == [1]


def test_a_batch_node_came_from_all_unless_its_items_say_otherwise(run: Run) -> None:
    @cm.node
    def all_of(numbers: list[int]) -> list[int]:
        return numbers[:2]

    @cm.node
    def reversed_items(numbers: list[cm.Item[int]]) -> list[cm.Item[int]]:
        return [replace(item, value=item.value * 2) for item in reversed(numbers)]

    done = run(cm.workflow("trace.batch").then(numbers).then(reversed_items).then(all_of).then(total).build())
    assert [back(done["reversed_items"].trace(at), "numbers") for at in range(6)] == [[5], [4], [3], [2], [1], [0]]
    assert str(done["all_of"].trace(0)).splitlines()[:3] == ["all_of:0  10", "came from", "  all 6 of reversed_items"]
    assert [place.key for place in done["numbers"].trace(2).descendants] == ["reversed_items:3", "all_of:*", "total:0"]


def test_rows_of_tables_are_followed_where_a_ready_node_keeps_or_selects_them(run: Run) -> None:
    @cm.node
    def table() -> pa.Table:
        return pa.table({"n": [3, 1, 2, 1], "k": list("abcd")})

    flow = cm.workflow("trace.rows").then(table).then(cm.nodes.sort, by="n").then(cm.nodes.distinct, on="n")
    flow = flow.then(cm.nodes.rename, columns={"n": "m"}).then(cm.nodes.expect, min_rows=1)
    done = run(flow.map(lambda row: row["m"], id="m").then(total).build())
    assert done["m"].items == [1, 2, 3]
    assert [back(done["m"].trace(at), "table") for at in range(3)] == [[1], [2], [0]]
    assert on(done["table"].trace(0), "m") == [2]
    assert "distinct: dropped" in str(done["table"].trace(3))


def test_items_that_a_ready_node_sorted_are_followed(run: Run) -> None:
    @cm.node
    def people() -> list[dict[str, Any]]:
        return [{"n": 3}, {"n": 1}, {"n": 2}]

    done = run(cm.workflow("trace.sorted").then(people).then(cm.nodes.sort, by="n").build())
    assert [back(done["sort"].trace(at), "people") for at in range(3)] == [[1], [2], [0]]


def test_what_a_batch_is_given_beside_its_items_is_an_origin_of_all(run: Run) -> None:
    @cm.node
    def scaled(number: int, by: list[int]) -> int:
        return number * len(by)

    @cm.workflow("trace.beside")
    def beside(start: cm.Flow) -> cm.Flow:
        source = start.then(numbers)
        return source.then(scaled, by=source.filter(even))

    trace = run(beside)["scaled"].trace(5)
    assert [place.key for place in trace.ancestors][:2] == ["numbers:5", "even:*"]


def test_an_item_that_failed_is_followed_to_the_error_port(run: Run) -> None:
    @cm.node
    def picky(number: int) -> int:
        if number == 3:
            raise ValueError("no threes")
        return number

    done = run(cm.workflow("trace.failed").then(numbers).then(picky, on_error="port").then(total).build())
    (failed,) = done["numbers"].trace(3).descendants
    assert failed.key == "picky.error:0"
    assert back(done["picky"]["error"].trace("picky.error:0"), "numbers") == [3]
    with pytest.raises(cm.RunFailed) as raised:
        run(cm.workflow("trace.stopped").then(numbers).then(picky).then(total).build())
    held: Any = raised.value.run
    assert "picky: failed" in str(held["numbers"].trace(0))


def test_what_a_piece_caught_came_from_what_entered_it_and_what_failed_inside(run: Run) -> None:
    @cm.node
    def picky(number: int) -> int:
        if number % 3 == 0:
            raise ValueError("no threes")
        return number

    @cm.node
    def stubborn(numbers: list[int]) -> list[int]:
        raise ValueError("never")

    def piece(flow: cm.Flow[int]) -> cm.Flow[int]:
        return flow.split(lambda n: [n, n + 1], id="two").then(picky)

    flow = cm.workflow("trace.caught").then(numbers)
    done = run(flow.pipe(piece, on_error=lambda f: f.map(lambda one: one.item, id="mended")).build())
    for at, number in enumerate(done["mended"].items):
        trace = done["mended"].trace(at)
        assert back(trace, "numbers") == [number]
        assert back(trace, "picky") == [at]
        assert at in on(done["numbers"].trace(number), "mended")
    whole = run(flow.pipe(lambda f: f.then(stubborn), on_error=lambda f: f.map(str, id="told")).build())
    assert "all 6 of numbers" in str(whole["told"].trace(0))


def test_an_item_that_is_not_there_is_said_so(run: Run) -> None:
    done = run(cm.workflow("trace.none").then(numbers).build())
    with pytest.raises(RunError, match='"numbers" gave 6 items, and none at 6'):
        done["numbers"].trace(6)
    for wrong in ("start:0", "x", -1):
        with pytest.raises(RunError, match="names no item"):
            done["numbers"].trace(wrong)
    assert done["numbers"].trace("numbers:2") == done["numbers"].trace(2)


def test_a_source_came_from_nothing_and_an_end_leads_to_nothing(run: Run) -> None:
    done = run(cm.workflow("trace.ends").then(numbers).build())
    assert str(done["numbers"].trace(0)) == (
        "numbers:0  0\ncame from\n  nothing: it was given to the run, or made by a source\nbecame\n  nothing"
    )


# --- random workflows against a model that carries provenance by hand -------------------------------------------------

Carried = dict[str, Any]
"""A number, and the positions of the run's input that it came from."""


def _split(one: Carried) -> list[Carried]:
    return [{**one, "n": one["n"] + at} for at in range(one["n"] % 3)]


def _kept(one: Carried) -> bool:
    return bool(one["n"] % 3)


def _sums(many: list[Carried]) -> Carried:
    return {"n": sum(one["n"] for one in many) % 7, "from": sorted({at for one in many for at in one["from"]})}


@cm.node
def turned(items: list[cm.Item[Carried]]) -> list[cm.Item[Carried]]:
    return list(reversed(items))


def _verb(flow: cm.Flow, name: str, at: int) -> cm.Flow:
    own = f"{name}{at}"
    match name:
        case "map":
            return flow.map(lambda one: {**one, "n": one["n"] + 1}, id=own)
        case "filter":
            return flow.filter(_kept, id=own)
        case "split":
            return flow.split(_split, id=own)
        case "aggregate":
            return flow.aggregate(_sums, id=own)
        case "turn":
            return flow.then(turned, id=own)
        case "sort":
            return flow.then(cm.nodes.sort, by="n", id=own)
        case "branch":
            return flow.branch(_kept, yes=lambda f: f.map(lambda one: one, id=f"{own}y"), id=own)
        case "sums":
            return flow.branch(_kept, yes=lambda f: f.aggregate(_sums, id=f"{own}s"), id=own)
        case "parallel":
            return flow.parallel(a=lambda f: f.split(_split, id=f"{own}a"), b=lambda f: f.filter(_kept, id=f"{own}b"))
        case _:
            low, high = flow.filter(_kept, id=f"{own}l"), flow.split(_split, id=f"{own}h")
            return low.merge(high, by=name, id=own)  # type: ignore[arg-type]


VERBS = ("map", "filter", "split", "aggregate", "turn", "sort", "branch", "sums", "parallel")
MERGES = ("append", "origin", "position")


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*VERBS, *MERGES]), min_size=1, max_size=5), st.lists(st.integers(0, 9), max_size=5))
def test_the_trace_of_any_workflow_is_what_was_carried_by_hand(verbs: list[str], start: list[int]) -> None:

    flow: Any = cm.workflow("trace.random", input=dict)
    for at, name in enumerate(verbs):
        flow = _verb(flow, name, at)
    workflow = flow.map(lambda one: one, id="last").build()
    given_items = [{"n": n, "from": [at]} for at, n in enumerate(start)]
    with tempfile.TemporaryDirectory() as folder, opened(memory_stores(), Path(folder)) as app:
        run = app.launch(Launch(workflow=workflow, items=given_items, params=None))
        run.wait()
        items = run["last"].items
        carried = [one["from"] for one in items]
        traced = [_starts(run["last"].trace(at), len(start)) for at in range(len(items))]
        assert traced == carried
        for at in range(len(start)):
            became = run["start"].trace(at)
            whole = any(place.node == "last" and place.position is None for place in became.descendants)
            found = list(range(len(items))) if whole else on(became, "last")
            assert found == [position for position, origins in enumerate(carried) if at in origins]


def _starts(trace: Trace, count: int) -> list[int]:
    whole = any(place.node == "start" and place.position is None for place in trace.ancestors)
    return list(range(count)) if whole else back(trace, "start")


@cm.node
def received(n: int) -> cm.Item[cm.Received[str, int]]:
    return cm.Item(cm.Received(item="a long name " * 9, event=n, at=datetime(2026, 1, 2, tzinfo=UTC)))


def test_what_has_no_short_form_is_cut_at_its_end(run: Run) -> None:
    done = run(cm.workflow("w", input=int).then(received).map(lambda one: one.event, id="event").build(), [1])
    assert "received:0  Received(item='a long name" in str(done["event"].trace(0))
