"""Finished items of a long activation are recorded in chunks (semantics §3, "item progress")."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import codemation as cm
from codemation.core.launch import Launch
from codemation.core.ports import Stores
from codemation.host.runtime.itemwise import CHUNK_SECONDS
from tests.host.runtime.conftest import PATIENCE, opened


def test_another_process_goes_on_behind_the_last_chunk_of_one_that_has_died(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls: Counter[int] = Counter()

    @cm.node
    def work(n: int) -> int:
        calls[n] += 1
        if n == 1 and calls[1] == 1:
            go_on.wait(CHUNK_SECONDS)
        if n == 3 and calls[3] == 1:
            begun.set()
            go_on.wait(PATIENCE)
        return -n

    workflow = cm.workflow("w", input=int).then(work).build()
    items = list(range(5))
    with opened(stores, tmp_path) as first, opened(stores, tmp_path) as second:
        handle = first.launch(Launch(workflow=workflow, items=items)).serve()
        assert begun.wait(PATIENCE)
        (ticket,) = stores.runs.tickets(handle.id)
        (chunk,) = stores.tickets.progress(ticket.id, ticket.activation)
        assert chunk.items == (0, 1)
        stores.workers.bury([first.engine.worker])
        stores.tickets.take_over([first.engine.worker])
        assert second.resume(handle.id, workflow).result() == [-n for n in items]
        go_on.set()
        assert handle.result(timeout=PATIENCE) == [-n for n in items]
    assert [calls[n] for n in range(4)] == [1, 1, 2, 2]
    assert stores.runs.tickets(handle.id) == ()


def test_nothing_is_left_of_what_was_recorded_on_the_way(stores: Stores, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @cm.node
    def work(n: int) -> int:
        if n == 1:
            threading.Event().wait(CHUNK_SECONDS)
        if n == 2:
            begun.set()
            go_on.wait(PATIENCE)
        return n

    @cm.node
    def after(n: int) -> int:
        return n

    workflow = cm.workflow("w", input=int).then(work).then(after).build()
    with opened(stores, tmp_path) as app:
        handle = app.launch(Launch(workflow=workflow, items=list(range(4)))).serve()
        assert begun.wait(PATIENCE)
        (ticket,) = stores.runs.tickets(handle.id)
        assert len(stores.tickets.progress(ticket.id, ticket.activation)) == 1
        go_on.set()
        assert handle.result(timeout=PATIENCE) == list(range(4))
        assert stores.tickets.progress(ticket.id, ticket.activation) == ()


def test_what_an_item_gave_and_how_it_failed_survives_the_resume(stores: Stores, tmp_path: Path) -> None:
    broken = threading.Event()
    broken.set()

    @cm.node
    def work(n: int) -> list[int]:
        if n == 3 and broken.is_set():
            raise ValueError("not yet")
        return [n] * n

    workflow = cm.workflow("w", input=int).then(work).build()
    with opened(stores, tmp_path) as app:
        handle = app.launch(Launch(workflow=workflow, items=[2, 3, 0, 1]))
        try:
            handle.result()
        except cm.CodemationError:
            broken.clear()
        record = handle.snapshot.nodes[handle.definition.nodes[1].id]
        assert record.partial.count == 1
        assert app.resume(handle.id, workflow).result() == [2, 2, 3, 3, 3, 1]
