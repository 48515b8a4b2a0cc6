"""The scheduler of a worker: what it claims for its threads at once, and what becomes of that."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.ids import WorkerId
from codemation.core.launch import Launch
from codemation.core.ports import Claim, Lane, Stores
from codemation.host.backend import Backend
from codemation.host.desk import Part
from codemation.host.handles import RunHandle
from codemation.host.memory import memory_stores
from codemation.host.runtime.chain import GAP
from codemation.host.runtime.fleet import FleetScheduler
from codemation.host.settings import Settings
from codemation.host.worker import WorkerApp
from tests.core.simulation.faults import reached
from tests.host.runtime.conftest import PATIENCE

SLOTS = 8
_done = Counter[int]()


@cm.node
def noted(n: int) -> int:
    _done[n] += 1
    return n


FLOW = cm.workflow("noted", input=int).map(noted).map(noted, id="again").build()


class Crowd:
    """A worker on memory stores whose steps all wait at a dam, and threads that are lent to it."""

    def __init__(self, path: Path) -> None:
        self.asked: list[int] = []
        """How many tickets each claim of several was for."""
        self.heard: Callable[[Sequence[Claim]], object] = lambda claims: None
        """Called with what was claimed where several were asked for, before the answer comes."""
        self.dam = threading.Event()
        self._inner = memory_stores()
        backend = Backend(stores=reached(self._inner, self._call), close=lambda: None, describes="memory")
        # Nobody listens there: whoever has something to say finds that Redis is away, and goes on.
        settings = Settings(path, {"scheduler": "celery", "redis_url": "redis://127.0.0.1:1/0"}, {})
        self.app = WorkerApp(backend, settings, Part(slots=SLOTS))
        assert isinstance(self.app.scheduler, FleetScheduler)
        self.scheduler = self.app.scheduler
        self._threads: list[threading.Thread] = []

    @property
    def stores(self) -> Stores:
        return self._inner

    def _call(self, name: str, method: Callable[..., Any], args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        if name.startswith("journal.step"):
            assert self.dam.wait(PATIENCE)
        given = method(*args, **more)
        if name == "tickets.claim_some":
            self.asked.append(args[2])
            self.heard(given)
        return given

    def submit(self, many: int) -> list[RunHandle]:
        return [self.app.submit(Launch(workflow=FLOW, items=[number])) for number in range(many)]

    def lend(self, many: int) -> None:
        for _ in range(many):
            thread = threading.Thread(target=self.scheduler.shift)
            thread.start()
            self._threads.append(thread)

    def fill(self) -> None:
        """Until every slot has a ticket whose result waits to be written."""
        until(lambda: sum(_done.values()) == SLOTS)
        until(lambda: len(self.scheduler._sleepers) == SLOTS - 3)  # three write by themselves

    def ended(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def states(self, runs: list[RunHandle]) -> Counter[str]:
        return Counter(row.state for run in runs for row in self.stores.runs.tickets(run.id))


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    _done.clear()
    crowd = Crowd(tmp_path)
    yield crowd
    crowd.dam.set()
    crowd.scheduler.leave()
    crowd.ended()
    crowd.app.close()


def test_one_claim_is_for_all_who_wait_and_never_for_more_than_there_are_slots(crowd: Crowd) -> None:
    runs, most = crowd.submit(40), list[int]()
    crowd.heard = lambda _: most.append(crowd.states(runs)["running"])
    crowd.lend(SLOTS)
    crowd.fill()
    crowd.dam.set()
    crowd.ended()
    assert [run.result(timeout=PATIENCE) for run in runs] == [[number] for number in range(40)]
    assert set(_done.values()) == {2}
    assert max(crowd.asked) > 1
    assert max(most) <= SLOTS


def test_what_was_claimed_for_others_is_given_back_by_a_worker_that_leaves(crowd: Crowd) -> None:
    runs = crowd.submit(40)
    crowd.heard = lambda _: crowd.scheduler.leave()
    crowd.lend(SLOTS)
    crowd.fill()
    crowd.dam.set()
    crowd.ended()
    assert max(crowd.asked) > 1
    until(lambda: crowd.scheduler.idle)  # a thread of its own may be about to go
    until(lambda: not crowd.scheduler.known())  # the committer may be about to say what it has written
    assert set(crowd.states(runs)) == {"ready"}


def test_a_thread_that_comes_takes_what_is_there_before_it_asks(crowd: Crowd) -> None:
    """Also when those for whom it was claimed have gone: here nobody else is left to take it."""
    runs = crowd.submit(SLOTS + 1)
    worker, lanes = crowd.app.engine.worker, crowd.scheduler._desk.lanes()
    crowd.dam.set()
    first, second = crowd.stores.tickets.claim_some(worker, lanes, 2)
    crowd.scheduler._intake.arriving.update({first.holding: time.monotonic(), second.holding: time.monotonic()})
    crowd.scheduler._intake.spare.extend((first, second))
    assert crowd.scheduler.has_work
    assert not crowd.scheduler.idle
    crowd.lend(1)
    crowd.ended()
    assert [run.result(timeout=PATIENCE) for run in runs] == [[number] for number in range(SLOTS + 1)]
    until(lambda: crowd.scheduler.idle)  # a thread of its own may be about to go


def test_what_others_have_taken_over_before_the_answer_to_a_claim_came_is_not_called_here(crowd: Crowd) -> None:
    """The worker is taken for dead while it asks, and somebody else has what it has asked for when the answer comes."""
    runs, other, taken = crowd.submit(40), WorkerId(7), list[Claim]()

    def stands_still(claims: Sequence[Claim]) -> None:
        if taken:
            return
        crowd.stores.tickets.take_over([crowd.app.engine.worker])
        for claim in claims:
            lane = Lane(queue=claim.queue, digest=FLOW.digest)
            again = crowd.stores.tickets.claim(other, [lane], claim.holding.ticket)
            taken.extend(() if again is None else (again,))
        time.sleep(GAP)

    crowd.heard = stands_still
    crowd.lend(SLOTS)
    crowd.fill()
    crowd.dam.set()
    crowd.ended()
    assert taken
    numbers = [number for number, run in enumerate(runs) if run.id in {claim.run for claim in taken}]
    assert [_done[number] for number in numbers] == [0] * len(numbers)
    crowd.stores.tickets.hand_back([claim.holding for claim in taken])
    crowd.lend(1)
    crowd.ended()
    assert [run.result(timeout=PATIENCE) for run in runs] == [[number] for number in range(40)]
