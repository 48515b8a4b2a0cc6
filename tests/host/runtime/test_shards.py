"""Batches that are worked on in parts (semantics §3, "shards")."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.facts import decode_delta
from codemation.core.ids import NodeId
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.opening import begin, reopen
from codemation.host.overview import run_view
from codemation.testing import Harness
from tests.host.runtime.conftest import PATIENCE, Run, opened

SOON = cm.Retry(3, backoff="none", delay="1ms")
LATER = cm.Retry(3, backoff="fixed", delay="6s", jitter=False)


def ints(*nodes: Any) -> Any:
    """A workflow over whole numbers."""
    flow: Any = cm.workflow("w", input=int)
    for node in nodes:
        flow = flow.then(node)
    return flow.build()


def revisions(app: App, handle: RunHandle) -> list[list[str]]:
    """What the journal says, by the names of the facts."""
    _, entries = app.stores.journal.load(handle.id)
    return [[type(fact).__name__ for fact in decode_delta(entry.delta)] for entry in entries]


def test_shards_run_side_by_side_and_the_join_is_one_activation(app: App, launch: Run) -> None:
    meet = threading.Barrier(4)

    @cm.node(shards=4)
    def work(n: int) -> int:
        if n % 5 == 0:
            meet.wait(PATIENCE)
        return -n

    handle = launch(ints(work), list(range(20))).serve()
    assert handle.result(timeout=PATIENCE) == [-n for n in range(20)]
    assert revisions(app, handle) == [["Began", "Due"], ["Done", "Ended"]]
    assert app.stores.runs.tickets(handle.id) == ()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_output_has_the_order_of_the_input(run: Run, concurrency: int) -> None:
    @cm.node(shard_size=3, concurrency=concurrency)
    def copies(n: int) -> list[int]:
        return [n] * (n % 3)

    assert run(ints(copies), list(range(10))).output == [n for n in range(10) for _ in range(n % 3)]


def test_an_async_node_in_parts(run: Run) -> None:
    @cm.node(shards=3, concurrency=2)
    async def work(n: int) -> int:
        return n + 1

    assert run(ints(work), list(range(7))).output == list(range(1, 8))


def test_each_item_keeps_its_key_whatever_shard_it_is_in(run: Run) -> None:
    keys: dict[int, set[str]] = {n: set() for n in range(6)}

    def work(n: int, ctx: cm.Context) -> int:
        keys[n].add(ctx.idempotency_key.partition("/")[2])
        return n

    for options in ({}, {"shards": 3}, {"shard_size": 5}):
        run(ints(cm.node(**options)(work)), list(range(6)))
    assert keys == {n: {f"work/1/{n}"} for n in range(6)}


def test_a_per_batch_node_is_called_once_for_each_part(run: Run) -> None:
    calls: list[tuple[list[int], str]] = []

    @cm.node(shard_size=4)
    def total(ns: list[int], ctx: cm.Context) -> list[int]:
        calls.append((ns, ctx.idempotency_key.rpartition("/")[2]))
        return [len(ns), sum(ns)]

    assert run(ints(total), list(range(10))).output == [4, 6, 4, 22, 2, 17]
    assert sorted(calls, key=lambda call: call[1]) == [
        ([0, 1, 2, 3], "0-4"),
        ([4, 5, 6, 7], "4-8"),
        ([8, 9], "8-10"),
    ]


def test_the_parts_of_a_table_come_together_as_a_table(run: Run) -> None:
    @cm.node
    def rows() -> pl.DataFrame:
        return pl.DataFrame({"n": range(20_000)})

    @cm.node(shards=4)
    def tripled(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(many=pl.lit(len(table)), m=pl.col("n") * 3)

    handle = run(cm.workflow("w").then(rows).then(tripled).build())
    table = handle["tripled"].polars
    assert table["m"].to_list() == [3 * n for n in range(20_000)]
    assert set(table["many"].to_list()) == {5_000}


def test_what_is_sorted_in_parts_knows_its_rows(run: Run) -> None:
    @cm.node
    def rows() -> pl.DataFrame:
        return pl.DataFrame({"n": [3, 1, 2, 9, 8, 7]})

    sort = cm.nodes.sort.options(shards=2)
    handle = run(cm.workflow("w").then(rows).then(sort, by="n").build())
    assert handle["sort"].polars["n"].to_list() == [1, 2, 3, 7, 8, 9]
    assert [place.key for place in handle["sort"].trace(3).ancestors] == ["rows:5"]


def test_an_effect_on_parts_passes_its_items_on(run: Run) -> None:
    seen: list[int] = []

    @cm.node(shards=3)
    def note(ns: list[int]) -> None:
        seen.extend(ns)

    handle = run(cm.workflow("w", input=int).tap(note).build(), list(range(9)))
    assert (handle.output, sorted(seen)) == (list(range(9)), list(range(9)))


def test_parts_whose_effect_failed_are_dropped(run: Run) -> None:
    @cm.node(shards=3, on_error="drop")
    def note(ns: list[int]) -> None:
        if 4 in ns:
            raise ValueError("no")

    assert run(cm.workflow("w", input=int).tap(note).build(), list(range(9))).output == [0, 1, 2, 6, 7, 8]


def test_items_that_fail_go_where_they_would_without_shards(run: Run) -> None:
    @cm.node(shards=3)
    def work(n: int) -> int:
        if n % 4 == 1:
            raise ValueError(f"no {n}")
        return n

    items = list(range(9))
    assert run(ints(work.options(on_error="drop")), items).output == [0, 2, 3, 4, 6, 7, 8]
    handle = run(ints(work.options(on_error="port")), items)
    assert [failure.item for failure in handle["work"]["error"].items] == [1, 5]


def test_a_failed_shard_fails_the_node_and_a_resume_does_only_what_is_missing(app: App, launch: Run) -> None:
    calls: Counter[int] = Counter()
    broken = threading.Event()
    broken.set()

    @cm.node(shards=3)
    def work(n: int) -> int:
        calls[n] += 1
        if n == 4 and broken.is_set():
            raise ValueError("not yet")
        return n

    handle = launch(ints(work), list(range(9)))
    with pytest.raises(RunFailed, match="not yet") as caught:
        handle.result()
    assert isinstance(caught.value.__cause__, ValueError)
    error = handle.snapshot.nodes[NodeId("work")].error
    assert error is not None
    assert error.item == 4
    done = [n for n, count in calls.items() if n != 4]
    broken.clear()
    assert app.resume(handle.id, ints(work)).result() == list(range(9))
    assert {calls[n] for n in done} == {1}
    assert calls[4] == 2


def test_the_parts_of_a_batch_that_had_ended_are_not_called_again_by_a_resume(app: App, launch: Run) -> None:
    calls: Counter[int] = Counter()
    broken = threading.Event()
    broken.set()

    @cm.node(shard_size=2)
    def work(ns: list[int]) -> list[int]:
        calls[ns[0]] += 1
        if ns[0] == 6 and broken.is_set():
            raise ValueError("not yet")
        return [-n for n in ns]

    handle = launch(ints(work), list(range(9)))
    with pytest.raises(RunFailed, match="not yet"):
        handle.result()
    done = dict(calls)
    broken.clear()
    assert app.resume(handle.id, ints(work)).result() == [-n for n in range(9)]
    assert {n: calls[n] - done.get(n, 0) for n in (0, 2, 4, 6, 8)} == {
        n: 1 if n == 6 or n not in done else 0 for n in (0, 2, 4, 6, 8)
    }


def test_a_shard_that_nobody_survives_fails_the_node_and_is_named(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @cm.node(shards=3)
    def work(n: int) -> int:
        if n == 4:
            begun.set()
            go_on.wait(PATIENCE)
        return n

    workflow = ints(work)
    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as second:
        handle = first.launch(Launch(workflow=workflow, items=list(range(9)))).serve()
        assert begun.wait(PATIENCE)
        waiter = threading.Event()
        while [row.shards for row in stores.runs.tickets(handle.id) if row.shards] != [(2, 3)]:
            waiter.wait(0.01)
        stores.workers.bury([first.engine.worker])
        stores.tickets.take_over([first.engine.worker], poison_after=1)
        with pytest.raises(RunFailed, match="shard 2 of 3: the process that worked on it died 1 times"):
            second.resume(handle.id, workflow).result()
        go_on.set()
        record = second.engine.open(handle.id).snapshot.nodes[NodeId("work")]
        assert (record.status, record.partial.count) == ("failed", 6)


def test_what_was_given_in_parts_is_recalled_as_a_whole(run: Run) -> None:
    calls: list[int] = []

    @cm.node(shards=3, cache=True)
    def work(n: int) -> int:
        calls.append(n)
        return n

    assert run(ints(work), list(range(6))).output == list(range(6))
    again = run(ints(work), list(range(6)))
    assert (again.output, len(calls)) == (list(range(6)), 6)


def test_what_does_not_fit_is_found_before_any_part_is_begun(launch: Run) -> None:
    calls: list[int] = []

    @cm.node
    def loose() -> list[Any]:
        return [1, 2, 3, "x"]

    @cm.node(shards=2)
    def work(n: int) -> int:
        calls.append(n)
        return n

    handle = launch(cm.workflow("w").then(loose).then(work).build())
    with pytest.raises(RunFailed, match="item 3"):
        handle.result()
    assert calls == []


def test_short_delays_are_waited_for_inside_and_long_ones_on_the_ticket_of_the_shard() -> None:
    tries: Counter[int] = Counter()

    def work(n: int, ctx: cm.Context) -> int:
        tries[n] += 1
        if n == 3 and tries[n] < 3:
            raise ConnectionError(f"try {ctx.attempt}")
        return n

    for retry in (SOON, LATER):
        tries.clear()
        with Harness() as harness:
            handle = harness.run(ints(cm.node(shards=2, retry=retry)(work)), list(range(6)))
            harness.advance("1m")
            assert handle.output == list(range(6))
        assert tries == {n: 3 if n == 3 else 1 for n in range(6)}


def test_a_per_batch_part_is_tried_again_alone(run: Run) -> None:
    calls: Counter[int] = Counter()

    @cm.node(shards=3, retry=SOON)
    def work(ns: list[int], ctx: cm.Context) -> list[int]:
        calls[ns[0]] += 1
        if ns[0] == 2 and ctx.attempt < 3:
            raise ConnectionError("no")
        return ns

    assert run(ints(work), list(range(6))).output == list(range(6))
    assert calls == {0: 1, 2: 3, 4: 1}


def test_a_total_timeout_holds_for_all_parts_together(launch: Run) -> None:
    waiter = threading.Event()

    @cm.node(shards=2, total_timeout="200ms")
    def work(n: int) -> int:
        waiter.wait(0.3 if n else 0.0)
        return n

    with pytest.raises(RunFailed, match="total_timeout"):
        launch(ints(work), list(range(4))).result()


def test_a_part_that_fails_in_a_caught_piece_comes_to_its_end(run: Run) -> None:
    @cm.node(shards=2)
    def work(ns: list[int]) -> list[int]:
        if 3 in ns:
            raise ValueError("no")
        return ns

    def caught(failed: Any) -> Any:
        return failed.map(lambda failure: f"{failure.type}: {failure.error}", id="said")

    flow = cm.workflow("w", input=int).pipe(lambda piece: piece.then(work), on_error=caught)
    assert run(flow.build(), list(range(4))).output in (["ValueError: no"], [0, 1, "ValueError: no"])


def test_the_shards_of_a_process_that_has_died_are_redone_alone(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls: Counter[int] = Counter()

    @cm.node(shards=3)
    def work(n: int) -> int:
        calls[n] += 1
        if n == 4 and calls[4] == 1:
            begun.set()
            go_on.wait(PATIENCE)
        return -n

    workflow = ints(work)
    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as second:
        handle = first.launch(Launch(workflow=workflow, items=list(range(9)))).serve()
        assert begun.wait(PATIENCE)
        waiter = threading.Event()
        while [row.shards for row in stores.runs.tickets(handle.id) if row.shards] != [(2, 3)]:
            waiter.wait(0.01)
        row = run_view(handle).nodes[0]
        assert (row.status, row.shards, row.mark.caption) == ("running", (2, 3), "2 of 3 shards")
        assert handle.watched is not None
        assert handle.watched.meter.readings()[row.id].done == 1
        stores.workers.bury([first.engine.worker])
        stores.tickets.take_over([first.engine.worker])
        assert second.resume(handle.id, workflow).result() == [-n for n in range(9)]
        go_on.set()
        assert handle.result(timeout=PATIENCE) == [-n for n in range(9)]
    assert {calls[n] for n in (0, 1, 2, 6, 7, 8)} == {1}
    assert stores.runs.tickets(handle.id) == ()


def test_a_cancel_stops_the_parts(app: App, launch: Run) -> None:
    begun = threading.Event()
    calls: list[int] = []

    @cm.node(shards=6)
    def work(n: int, ctx: cm.Context) -> int:
        calls.append(n)
        begun.set()
        waiter = threading.Event()
        while not ctx.cancelled:
            waiter.wait(0.01)
        return n

    handle = launch(ints(work), list(range(6))).serve()
    assert begun.wait(PATIENCE)
    handle.cancel()
    with pytest.raises(cm.RunCancelled):
        handle.wait(timeout=PATIENCE)
    assert handle.status == "cancelled"
    assert app.stores.runs.tickets(handle.id) == ()


def test_a_node_in_a_loop_is_split_in_each_round(run: Run) -> None:
    @cm.node(shards=2)
    def more(n: int) -> int:
        return n + 1

    flow = cm.workflow("w", input=int).loop(more, until=lambda n: n >= 5, max=9)
    assert run(flow.build(), [1, 2, 3, 4]).output == [5, 5, 5, 5]


def test_a_session_works_on_the_whole(app: App) -> None:
    @cm.node(shards=3)
    def work(n: int) -> int:
        return n + 1

    session = begin(app, Launch(workflow=ints(work), items=[1, 2, 3]))
    session.continue_()
    assert session.output == [2, 3, 4]


def test_a_session_goes_on_with_the_shards_of_a_run_that_was_left(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls: Counter[int] = Counter()

    @cm.node(shards=3)
    def work(n: int) -> int:
        calls[n] += 1
        if n == 4 and calls[4] == 1:
            begun.set()
            go_on.wait(PATIENCE)
        return -n

    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as second:
        handle = first.launch(Launch(workflow=ints(work), items=list(range(9)))).serve()
        assert begun.wait(PATIENCE)
        waiter = threading.Event()
        while [row.shards for row in stores.runs.tickets(handle.id) if row.shards] != [(2, 3)]:
            waiter.wait(0.01)
        stores.workers.bury([first.engine.worker])
        stores.tickets.take_over([first.engine.worker])
        session = reopen(second, handle.id, ints(work))
        session.continue_()
        assert session.output == [-n for n in range(9)]
        go_on.set()
    assert {calls[n] for n in (0, 1, 2, 6, 7, 8)} == {1}
