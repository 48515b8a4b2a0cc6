"""A duty goes to another process when its holder stands still for long enough, by the clock of whoever looks."""

from __future__ import annotations

import os

import pytest

from codemation.core.ids import WorkerId
from codemation.core.ports import DUTIES, Stores, WorkerRow
from codemation.host.duties.holding import Holding
from codemation.host.memory import memory_stores
from codemation.host.runtime.liveness import place, started

SILENCE = 6.0


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


class Process:
    """Somebody who holds duties, on a clock of his own."""

    def __init__(self, stores: Stores, number: int, where: str = "elsewhere", pid: int = 1) -> None:
        self.stores, self.worker, self.now = stores, WorkerId(number), 100.0 * number
        self.register(where, pid)
        self.holding = Holding(stores.duties, DUTIES, SILENCE, place(), clock=lambda: self.now)

    def register(self, where: str, pid: int) -> None:
        row = WorkerRow(
            id=self.worker, name=f"process {self.worker}", place=where, pid=pid, pid_started=started(pid) or 7
        )
        self.stores.workers.register(row)

    def beat(self, seconds: float = 0.0) -> frozenset[str]:
        """Let time pass here and beat; says what is held then."""
        self.now += seconds
        pulse = self.stores.duties.beat(self.worker, self.holding.held, did={})
        self.holding.look(pulse, self.worker)
        return frozenset(self.holding.held)


def test_whoever_comes_first_has_all_duties_and_keeps_them_as_long_as_he_beats(stores: Stores) -> None:
    one, two = Process(stores, 1), Process(stores, 2)
    assert one.beat() == frozenset(DUTIES)
    for _ in range(10):
        assert one.beat(3.0) == frozenset(DUTIES)
        assert two.beat(3.0) == frozenset()


def test_who_stands_still_loses_them_after_six_seconds_of_whoever_looks(stores: Stores) -> None:
    one, two = Process(stores, 1), Process(stores, 2)
    one.beat()
    assert two.beat() == frozenset()
    assert two.beat(5.9) == frozenset()
    assert two.beat(0.1) == frozenset(DUTIES)
    assert one.beat(60.0) == frozenset(), "it was frozen, and learns of it with its first beat"
    assert two.beat() == frozenset(DUTIES)


def test_time_in_which_the_database_did_not_answer_does_not_count(stores: Stores) -> None:
    one, two = Process(stores, 1), Process(stores, 2)
    one.beat()
    two.beat()
    two.now += 3600.0
    two.holding.outage()
    assert two.beat() == frozenset()
    assert two.beat(5.0) == frozenset()
    assert two.beat(1.0) == frozenset(DUTIES)


def test_a_process_of_this_place_that_is_gone_loses_them_at_once(stores: Stores) -> None:
    gone = Process(stores, 1, where=place(), pid=2**22 + 1)
    there = Process(stores, 2, where=place(), pid=os.getpid())
    gone.beat()
    assert there.beat() == frozenset(DUTIES)
    assert Process(stores, 3).beat() == frozenset()


def test_the_buried_and_those_who_leave_lose_them_at_once(stores: Stores) -> None:
    one, two, three = (Process(stores, number) for number in (1, 2, 3))
    one.beat()
    stores.workers.bury([one.worker])
    assert two.beat() == frozenset(DUTIES)
    two.holding.leave(two.worker)
    assert three.beat() == frozenset(DUTIES)
    assert two.beat() == frozenset()
