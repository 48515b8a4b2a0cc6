"""Who has stood still while others took over calls nothing any more: rows of docs/reference/semantics.md."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

import codemation as cm
from codemation.core.launch import Launch
from codemation.core.outcome import Outcome
from codemation.core.ports import Lane, Stores
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.runtime import itemwise
from codemation.host.runtime.chain import GAP
from tests.core.simulation.faults import reached
from tests.host.postgres.embedded.world import eventually
from tests.host.runtime.conftest import PATIENCE, opened

ITEMS = list(range(5))


class Standstill:
    """Where a process stands still until another one has ended its run; whatever is called after that is noted."""

    def __init__(self, stores: Stores, path: Path) -> None:
        self._stores, self._path = stores, path
        self.begun, self.over = threading.Event(), threading.Event()
        self.passed = False
        """Whether nobody stands still any more who comes here."""
        self.late: list[int] = []
        """What was called after all was over."""

    def meet(self) -> None:
        """Stand still for so long that others have taken over."""
        if not self.passed:
            self.begun.set()
            assert self.over.wait(PATIENCE)
            time.sleep(GAP)

    def note(self, n: int) -> int:
        if self.over.is_set():
            self.late.append(n)
        return n

    def thing(self) -> int:
        """A resource that takes its time to be opened."""
        self.meet()
        return 1

    def overtaken(self, workflow: Workflow[Any, ...], slow: Stores | None = None, *, hears: bool = False) -> Any:
        """What another process gives that takes a run over from one that stands still, and then goes on.

        That one reaches the stores by way of `slow`. Where it `hears` of that before it goes on, its own threads were
        there all the while, and only its nodes stood still.
        """
        stores, quick = self._stores, {"beat": 0.1} if hears else {}
        with opened(slow or stores, self._path, **quick) as first, opened(stores, self._path) as second:
            handle = first.launch(Launch(workflow=workflow, items=ITEMS)).serve()
            assert self.begun.wait(PATIENCE)
            dead = first.engine.worker
            stores.workers.bury([dead])
            stores.tickets.take_over([dead])
            self.passed = True
            given = second.resume(handle.id, workflow).result()
            if hears:
                eventually(lambda: first.engine.worker != dead)
            self.over.set()
            time.sleep(3 * GAP)  # what is called late is called now
            assert handle.result(timeout=PATIENCE) == given
            return given


@pytest.fixture
def still(stores: Stores, tmp_path: Path) -> Standstill:
    return Standstill(stores, tmp_path)


def a_batch(still: Standstill) -> Workflow[Any, ...]:
    @cm.node
    def work(ns: list[int], one: Annotated[int, cm.use(still.thing)]) -> list[int]:
        return [still.note(n) * one for n in ns]

    return cm.workflow("w", input=int).then(work).build()


def an_awaited_batch(still: Standstill) -> Workflow[Any, ...]:
    @cm.node
    async def work(ns: list[int], one: Annotated[int, cm.use(still.thing)]) -> list[int]:
        return [still.note(n) * one for n in ns]

    return cm.workflow("w", input=int).then(work).build()


def items_in_order(still: Standstill, concurrency: int = 1) -> Workflow[Any, ...]:
    @cm.node(concurrency=concurrency)
    def work(n: int) -> int:
        still.note(n)
        still.meet()
        return n

    return cm.workflow("w", input=int).then(work).build()


def items_in_threads(still: Standstill) -> Workflow[Any, ...]:
    return items_in_order(still, concurrency=2)


def awaited_items(still: Standstill) -> Workflow[Any, ...]:
    @cm.node(concurrency=2)
    async def work(n: int) -> int:
        still.note(n)
        await asyncio.to_thread(still.meet)
        return n

    return cm.workflow("w", input=int).then(work).build()


@pytest.mark.parametrize("flow", [a_batch, an_awaited_batch, items_in_order])
def test_a_process_that_has_stood_still_before_a_call_does_not_make_it(
    flow: Callable[[Standstill], Workflow[Any, ...]], still: Standstill
) -> None:
    assert still.overtaken(flow(still)) == ITEMS
    assert still.late == []


@pytest.mark.parametrize("flow", [items_in_threads, awaited_items])
def test_a_process_that_hears_that_it_was_taken_for_dead_begins_no_further_call(
    flow: Callable[[Standstill], Workflow[Any, ...]], still: Standstill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(itemwise, "CHUNK_SECONDS", PATIENCE)  # else a chunk is refused first
    assert still.overtaken(flow(still), hears=True) == ITEMS
    assert still.late == []


@pytest.mark.parametrize("after", ["journal.step", "tickets.claim"])
def test_a_process_that_has_stood_still_before_an_answer_came_calls_nothing(
    after: str, stores: Stores, still: Standstill
) -> None:
    """Its own step or claim was heard, and the answer came when others had gone on from there."""

    def slowly(name: str, method: Callable[..., Any], args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        given = method(*args, **more)
        if name.startswith(after):
            still.meet()
        return given

    @cm.node
    def whole(ns: list[int]) -> list[int]:
        return ns

    @cm.node
    def noted(n: int) -> int:
        return still.note(n)

    @cm.node
    def noted_too(n: int) -> int:
        return still.note(n)

    @cm.node
    def added(left: list[int], right: list[int]) -> list[int]:
        return [still.note(n) for n, _ in zip(left, right, strict=True)]

    flow = cm.workflow("w", input=int).then(whole).parallel(left=noted, right=noted_too).into(added).build()
    assert still.overtaken(flow, reached(stores, slowly)) == ITEMS
    assert still.late == []


def test_a_process_that_has_stood_still_while_it_asked_whether_it_has_the_ticket_asks_again(
    stores: Stores, still: Standstill
) -> None:
    def slowly(name: str, method: Callable[..., Any], args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        given = method(*args, **more)
        if name == "journal.look":
            still.meet()
        return given

    @cm.node
    def work(n: int) -> int:
        if not still.passed:
            time.sleep(GAP)
        return still.note(n)

    flow = cm.workflow("w", input=int).then(work).build()
    assert still.overtaken(flow, reached(stores, slowly)) == ITEMS
    assert still.late == []


def test_a_thread_that_has_lost_its_ticket_to_another_one_of_its_process_leaves_it_to_that(
    app: App, stores: Stores
) -> None:
    """It was taken from the process, which has claimed it again."""
    gates = [threading.Event(), threading.Event()]
    begun = [threading.Event(), threading.Event()]
    calls: list[int] = []

    @cm.node
    def work(n: int) -> int:
        calls.append(n)
        if n == 0:
            at = calls.count(0) - 1
            begun[at].set()
            assert gates[at].wait(PATIENCE)
            time.sleep(GAP)
        return n

    flow = cm.workflow("w", input=int).then(work).build()
    handle = app.launch(Launch(workflow=flow, items=ITEMS)).serve()
    assert begun[0].wait(PATIENCE)
    (watched,), (ticket,), worker = app.scheduler.watched(), stores.runs.tickets(handle.id), app.engine.worker
    stores.tickets.take_over([worker])
    again = stores.tickets.claim(worker, [Lane(queue="default", digest=flow.digest)], ticket.id)
    assert again is not None
    app.scheduler.submit(watched, Outcome(next=again))
    assert begun[1].wait(PATIENCE)
    gates[0].set()
    eventually(lambda: watched.active == 1)
    assert stores.tickets.held(worker) == (again.holding,)
    gates[1].set()
    assert handle.result(timeout=PATIENCE) == ITEMS
    assert calls == [0, 0, 1, 2, 3, 4]
