"""Who lives: processes here by what the system says of them, others by their beats."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow
from codemation.host.runtime.liveness import SILENCE, Observer, place, started, this_process


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def row(pid: int, pid_started: int, **changes: object) -> WorkerRow:
    """A worker of this place."""
    made = WorkerRow(id=WorkerId(7), name="w", place=place(), pid=pid, pid_started=pid_started)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_this_process_lives_and_says_where_it_is() -> None:
    mine = this_process(WorkerId(1), "1.0")
    assert (mine.place, mine.pid, mine.version) == (place(), os.getpid(), "1.0")
    assert mine.pid_started == started(os.getpid())
    assert Observer(place()).dead([mine]) == []


def test_a_process_that_has_ended_is_dead_at_once(child: subprocess.Popen[bytes]) -> None:
    observer, begun = Observer(place()), started(child.pid)
    assert begun is not None
    worker = row(child.pid, begun)
    assert observer.dead([worker]) == []
    child.kill()
    child.wait()
    assert observer.dead([worker]) == [worker.id]


def test_a_zombie_is_dead_though_its_pid_is_there(child: subprocess.Popen[bytes]) -> None:
    begun = started(child.pid) or 0
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
    assert started(child.pid) is None
    assert Observer(place()).dead([row(child.pid, begun)]) == [7]


def test_a_pid_that_another_process_has_now_is_not_taken_for_the_old_one(child: subprocess.Popen[bytes]) -> None:
    begun = started(child.pid) or 0
    observer = Observer(place())
    assert observer.dead([row(child.pid, begun + 1)]) == [7]
    assert observer.dead([row(child.pid, 0)]) == []  # where the system does not say when it began


def test_a_worker_elsewhere_is_dead_when_its_beat_has_stood_still_for_long() -> None:
    clock = Clock()
    observer = Observer("here", clock=clock)
    there = row(1, 1, place="there", beat=5)
    assert observer.dead([there]) == []
    clock.now += SILENCE - 0.1
    assert observer.dead([there]) == []
    clock.now += 0.2
    assert observer.dead([there]) == [there.id]
    assert observer.dead([replace(there, beat=6)]) == []
    clock.now += SILENCE - 0.1
    assert observer.dead([replace(there, beat=6)]) == []


def test_after_an_outage_and_after_an_absence_all_observations_start_anew() -> None:
    clock = Clock()
    observer = Observer("here", clock=clock)
    there = row(1, 1, place="there", beat=5)
    observer.dead([there])
    clock.now += 2 * SILENCE
    observer.outage()
    assert observer.dead([there]) == []
    clock.now += SILENCE / 2
    assert observer.dead([]) == []
    clock.now += SILENCE
    assert observer.dead([there]) == []
