"""Who is woken for what: few for quick nodes, everybody for slow ones, and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

import codemation as cm
from codemation.core.launch import Launch
from codemation.core.ports import Commit
from codemation.host.app import App
from codemation.host.memory import memory_stores
from codemation.host.memory.journal import MemoryJournal
from codemation.host.runtime.sleepers import Sleepers
from tests.host.runtime.conftest import PATIENCE, opened


class Slumber:
    """Threads that sleep until they are woken, and say so."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.sleepers = Sleepers(self.guard)
        self.woken: list[str] = []
        self._threads: list[threading.Thread] = []

    def put(self, name: str, seconds: float = PATIENCE, concern: object = None) -> None:
        """Let one more fall asleep, and return when it sleeps."""

        def sleep() -> None:
            with self.guard:
                before = len(self.sleepers)
                asleep.set()
                self.sleepers.sleep(seconds, concern)
                assert len(self.sleepers) <= before + 1
                self.woken.append(name)

        asleep = threading.Event()
        self._threads.append(threading.Thread(target=sleep, daemon=True))
        self._threads[-1].start()
        assert asleep.wait(PATIENCE)
        with self.guard:
            pass  # it has let go of the lock, so it sleeps

    def awaited(self, count: int) -> list[str]:
        """Who has woken, when so many have."""
        until = time.monotonic() + PATIENCE
        while len(self.woken) < count and time.monotonic() < until:
            time.sleep(0.001)
        return self.woken


def test_whoever_fell_asleep_last_is_woken_first() -> None:
    slumber = Slumber()
    for name in "abc":
        slumber.put(name)
    with slumber.guard:
        slumber.sleepers.wake()
    assert slumber.awaited(1) == ["c"]
    with slumber.guard:
        assert len(slumber.sleepers) == 2
        slumber.sleepers.wake(5)
    assert sorted(slumber.awaited(3)) == ["a", "b", "c"]


def test_those_who_are_concerned_are_woken_and_nobody_else() -> None:
    slumber, mine, other = Slumber(), object(), object()
    slumber.put("mine", concern=mine)
    slumber.put("other", concern=other)
    with slumber.guard:
        slumber.sleepers.wake_for(mine)
    assert slumber.awaited(1) == ["mine"]
    with slumber.guard:
        assert len(slumber.sleepers) == 1
        slumber.sleepers.wake_all()
    assert slumber.awaited(2) == ["mine", "other"]


def test_a_sleeper_whose_time_is_over_is_not_counted_any_more() -> None:
    slumber = Slumber()
    slumber.put("short", seconds=0.01)
    assert slumber.awaited(1) == ["short"]
    with slumber.guard:
        assert len(slumber.sleepers) == 0
        slumber.sleepers.wake()  # nobody is there, and nothing happens


class SlowJournal(MemoryJournal):
    """One that takes as long as a commit does, so that results meet."""

    def _step(self, commit: Commit) -> bool:
        time.sleep(0.001)
        return super()._step(commit)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    stores = memory_stores()
    assert isinstance(stores.journal, MemoryJournal)
    with opened(replace(stores, journal=SlowJournal(stores.journal._tables)), tmp_path) as app:
        app.scheduler._threads = 6
        yield app


def test_slow_nodes_of_many_runs_work_side_by_side_whoever_recorded_what_came_before(app: App) -> None:
    """All wait for one another: with a thread less they would wait for ever."""
    meeting = threading.Barrier(6, timeout=PATIENCE)

    @cm.node
    def quick(n: int) -> int:
        return n + 1

    @cm.node
    def slow(n: int) -> int:
        meeting.wait()
        return n + 1

    flow = cm.workflow("w", input=int).then(quick).then(quick, id="again").then(slow).then(quick, id="last").build()
    for _ in range(10):
        runs = [app.submit(Launch(workflow=flow, items=[1])) for _ in range(6)]
        assert [run.result(timeout=PATIENCE) for run in runs] == [[5]] * 6


def test_quick_nodes_of_many_runs_all_come_to_their_end_and_the_threads_to_theirs(app: App) -> None:
    @cm.node
    def quick(n: int) -> int:
        return n + 1

    flow = cm.workflow("w", input=int)
    for number in range(8):
        flow = flow.then(quick, id=f"n{number}")
    workflow = flow.build()
    app.scheduler._longest_idle = 0.05
    for _ in range(5):
        runs = [app.submit(Launch(workflow=workflow, items=[1])) for _ in range(12)]
        assert [run.result(timeout=PATIENCE) for run in runs] == [[9]] * 12
    until = time.monotonic() + PATIENCE
    while app.scheduler._alive and time.monotonic() < until:
        time.sleep(0.01)
    assert app.scheduler._alive == 0


def test_a_thread_that_leaves_a_run_that_it_drove_leaves_nothing_behind(app: App) -> None:
    """Whoever waits for one run works on others too; when its own is over, somebody else goes on with them."""

    @cm.node
    def quick(n: int) -> int:
        return n + 1

    short = cm.workflow("short", input=int).then(quick).build()
    flow = cm.workflow("long", input=int)
    for number in range(10):
        flow = flow.then(quick, id=f"n{number}")
    long = flow.build()
    for _ in range(10):
        with ExitStack() as after:
            others = [app.submit(Launch(workflow=long, items=[1])) for _ in range(4)]
            for run in others:
                after.callback(run.wait, PATIENCE)
            assert app.launch(Launch(workflow=short, items=[1])).go().output == [2]
