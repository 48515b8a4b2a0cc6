"""How work is counted, joined and stopped: rows of docs/reference/semantics.md."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import codemation as cm
from codemation.host.app import App
from tests.host.runtime.conftest import PATIENCE, Run

ROWS = 1_000_000


def test_a_chain_of_three_nodes_on_a_hundred_items_is_three_activations_in_order(run: Run) -> None:
    calls: list[tuple[str, int]] = []

    def counted(name: str) -> Any:
        @cm.node(id=name)
        def work(n: int) -> int:
            calls.append((name, n))
            return n + 1

        return work

    first, second, third = counted("first"), counted("second"), counted("third")
    handle = run(cm.workflow("w", input=int).then(first).then(second).then(third).build(), list(range(100)))
    assert handle.snapshot.activations == 3
    assert handle.output == list(range(3, 103))
    expected = [(name, n + by) for by, name in enumerate(("first", "second", "third")) for n in range(100)]
    assert calls == expected


@pytest.mark.parametrize(("by", "given"), [("append", [0, 1, 2]), ("position", [0, 1, 2]), ("origin", [0, 1, 2])])
def test_a_merge_whose_other_side_is_empty_gives_what_came(run: Run, by: Any, given: list[int]) -> None:
    @cm.workflow("w", input=int)
    def wide(start: cm.Flow[int]) -> cm.Flow[int]:
        whole = start.map(lambda n: n, id="whole")
        return whole.merge(start.filter(lambda n: n > 9).map(lambda n: n, id="none"), by=by)

    handle = run(wide, [0, 1, 2])
    assert handle["none"].status == "skipped"
    assert handle["merge"].items == given


def test_a_coroutine_of_a_cancelled_run_is_stopped(app: App, launch: Run) -> None:
    begun, stopped = threading.Event(), threading.Event()

    @cm.node
    async def deaf(n: int) -> int:
        begun.set()
        try:
            await asyncio.sleep(600.0)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return n

    handle = launch(cm.workflow("w", input=int).then(deaf).build(), [1]).serve()
    assert begun.wait(PATIENCE)
    app.cancel(handle.id, reason="enough")
    with pytest.raises(cm.RunCancelled, match="enough"):
        handle.result(timeout=PATIENCE)
    assert stopped.wait(PATIENCE)


def test_a_table_of_a_million_rows_passes_through_five_nodes_whole(run: Run) -> None:
    @cm.node
    def wide() -> pa.Table:
        return pa.table({"id": pa.array(range(ROWS))})

    def added(name: str) -> Any:
        @cm.node(id=name)
        def more(rows: pa.Table) -> pa.Table:
            return rows.set_column(0, "id", pc.add(rows["id"], 1))

        return more

    flow: Any = cm.workflow("w").then(wide)
    for name in ("a", "b", "c", "d"):
        flow = flow.then(added(name))
    handle = run(flow.build())
    assert [handle[name].count for name in ("wide", "a", "b", "c", "d")] == [ROWS] * 5
    assert handle["d"].batch.kind == "table"
    column = pa.table(handle["d"].frame).column("id")
    assert (column[0].as_py(), column[ROWS - 1].as_py()) == (4, ROWS + 3)
    assert pc.sum(column).as_py() == sum(range(ROWS)) + 4 * ROWS
