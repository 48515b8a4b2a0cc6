"""Faults 11, 16 and 20 for triggers: several processes, killed and frozen, outages, a clock that is an hour off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from codemation.core.ids import WorkerId, WorkflowId
from codemation.core.ports import DutyRow, RunRow, Stores
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.triggers.activation import activate
from tests.host.postgres.embedded.world import REPOSITORY
from tests.host.postgres.server import Server, running_server
from tests.journeys.clockwork import ALL
from tests.journeys.driver import settings_of
from tests.journeys.test_clocks import HOUR, set_clock

PATIENCE = 60.0
QUICK = {"duty_silence": 1.0, "beat": 0.4, "silence": 1.5}
"""So that others take over within seconds."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@dataclass(slots=True)
class Clockwork:
    """A process that fires triggers."""

    process: subprocess.Popen[str]
    worker: WorkerId

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it as a power cut would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@dataclass(slots=True)
class Town:
    """A folder, a database, and the processes that work there."""

    folder: Path
    url: str
    app: App
    """Of the test itself: it arms and looks, and does no duty."""
    works: list[Clockwork] = field(default_factory=list)

    @property
    def stores(self) -> Stores:
        return self.app.stores

    def start(self, **settings: Any) -> Clockwork:
        """A process that fires triggers, at work."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.journeys.clockwork",
                str(self.folder),
                self.url,
                json.dumps(settings or QUICK),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CLOCKWORK": str(self.folder)},
        )
        assert process.stdout is not None
        worker = process.stdout.readline()
        assert worker, "it did not begin"
        self.works.append(Clockwork(process, WorkerId(int(worker))))
        return self.works[-1]

    def arm(self, *names: str) -> None:
        for name in names:
            activate(self.app, ALL[name], "test")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def runs(self, workflow: str) -> list[RunRow]:
        return list(self.stores.runs.page(workflow=workflow, limit=10_000))

    def origins(self, workflow: str, what: str = "at") -> list[str]:
        """What each run was started for, in order."""
        return sorted((row.origin or {})[what] for row in self.runs(workflow))

    def holder(self, duty: str = "schedule") -> Clockwork:
        """The process that has a duty, once one has it."""
        eventually(lambda: any(self._holds(work, duty) for work in self.works), "nobody takes the duty")
        return next(work for work in self.works if self._holds(work, duty))

    def duty(self, name: str = "schedule") -> DutyRow:
        pulse = self.stores.duties.beat(WorkerId(0), {}, did={})
        return next(row for row in pulse.duties if row.name == name)

    def _holds(self, work: Clockwork, duty: str) -> bool:
        return self.duty(duty).holder == work.worker

    def over(self, *workflows: str) -> bool:
        return all(row.status in FINISHED for name in workflows for row in self.runs(name))


def eventually(true: Callable[[], bool], else_: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, else_
        time.sleep(0.05)


@pytest.fixture
def town(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Town]:
    name = f"triggers_{abs(hash(request.node.name)) % 10**9}"
    (tmp_path / "source").touch()
    with server.database(name) as url, App.open(settings_of(tmp_path, url)) as app:
        town = Town(tmp_path, url, app)
        try:
            yield town
        finally:
            for work in town.works:
                work.stop()


@contextmanager
def frozen(work: Clockwork) -> Iterator[None]:
    work.send(signal.SIGSTOP)
    try:
        yield
    finally:
        work.send(signal.SIGCONT)


def gaps(times: list[str]) -> set[timedelta]:
    moments = [datetime.fromisoformat(at) for at in times]
    return {later - earlier for earlier, later in pairwise(moments)}


def test_each_tick_and_item_is_one_run_while_holders_are_killed_and_frozen(town: Town) -> None:
    """Three processes; the one that has the duties dies, the next one is stopped, taken over from, and goes on."""
    for _ in range(3):
        town.start()
    town.arm("clock.ticked", "clock.polled", "clock.followed")
    written = [f"line {number}" for number in range(30)]

    def write(count: int) -> None:
        with (town.folder / "source").open("a") as source:
            source.writelines(f"{written.pop(0)}\n" for _ in range(count))

    def further(count: int) -> None:
        there = len(town.runs("clock.ticked"))
        eventually(lambda: len(town.runs("clock.ticked")) >= there + count, "the clock stands still")

    write(10)
    further(2)
    first = town.holder()
    first.stop()
    town.works.remove(first)
    write(10)
    further(2)
    second = town.holder()
    assert second is not first
    with frozen(second):
        eventually(lambda: not town._holds(second, "schedule"), "nobody takes over from who stands still")
        write(10)
        further(2)
    further(2)
    assert town.holder() is not second
    lines = {f"line {number}" for number in range(30)}
    eventually(lambda: set(town.origins("clock.polled", "key")) == lines, "items are lost")
    town.stores.armory.disarm(WorkflowId("clock.ticked"), "test")
    names = ("clock.ticked", "clock.polled", "clock.followed")
    eventually(lambda: not any(one.owed for one in town.stores.armory.triggers()), "something is owed for ever")
    eventually(lambda: town.over(*names), "a run is stuck")
    ticks, items = town.origins("clock.ticked"), town.origins("clock.polled", "key")
    assert Counter(ticks).most_common(1)[0][1] == 1
    assert gaps(ticks) == {timedelta(seconds=1)}, "a tick is missing"
    assert Counter(items).most_common(1)[0][1] == 1
    for name in names:
        assert {row.status for row in town.runs(name)} == {RunStatus.SUCCEEDED}
    followed = town.origins("clock.followed", "key")
    assert sorted(key.partition(":")[0] for key in followed) == sorted(row.id for row in town.runs("clock.ticked"))
    assert town.stores.runs.unattended() == ()


def test_after_an_outage_each_schedule_makes_up_for_what_it_says(town: Town) -> None:
    """Nobody has looked for ten minutes; then two processes begin at once."""
    names = [f"clock.{policy}" for policy in ("skip", "latest", "all")]
    town.arm(*names)
    town.execute("UPDATE triggers SET next_at = date_trunc('minute', now_()) - interval '10 minutes'")
    for _ in range(2):
        town.start(**QUICK, tick_grace=1.0)
    eventually(lambda: len(town.runs("clock.all")) >= 11, "what was missed is not made up for")

    def latest_is_last() -> bool:
        """Not at once where a minute begins meanwhile: it is the latest of one before it is the last of the other."""
        latest, every = town.origins("clock.latest"), town.origins("clock.all")
        return bool(latest) and latest == every[-len(latest) :]

    eventually(latest_is_last, "the latest is not made up for, or another instead")
    eventually(lambda: town.over(*names), "a run is stuck")
    every, latest, skip = (town.origins(f"clock.{policy}") for policy in ("all", "latest", "skip"))
    assert gaps(every) == {timedelta(minutes=1)}
    assert len(every) in (11, 12)  # a minute may have begun meanwhile
    assert len(latest) <= 2
    assert len(skip) <= 1


def test_a_clock_that_is_an_hour_off_starts_nothing_twice_and_takes_no_duty_away(town: Town) -> None:
    """The clock of the database jumps ahead and back; whoever has the duties keeps them."""
    town.start()
    town.arm("clock.ticked")
    eventually(lambda: len(town.runs("clock.ticked")) >= 2, "the clock stands still")
    holder, epoch = town.holder(), town.duty().epoch
    town.start()
    try:
        set_clock(town.url, HOUR)
        eventually(lambda: len(town.runs("clock.ticked")) >= 10, "nothing comes by the new time")
        set_clock(town.url, 0.0)
        beats = town.duty().beat
        eventually(lambda: town.duty().beat >= beats + 6, "the holder stands still")
    finally:
        set_clock(town.url, 0.0)
    eventually(lambda: town.over("clock.ticked"), "a run is stuck")
    assert (town.duty().holder, town.duty().epoch) == (holder.worker, epoch)
    assert Counter(town.origins("clock.ticked")).most_common(1)[0][1] == 1


def test_a_source_that_is_asked_by_a_frozen_process_is_asked_by_another(town: Town) -> None:
    """What the frozen one says when it goes on counts for nothing, and doubles nothing."""
    (town.folder / "brake").touch()
    (town.folder / "source").write_text("one\ntwo\n")
    first = town.start()
    town.arm("clock.polled")
    asked = "SELECT owner FROM triggers WHERE kind = 'poll' AND owner IS NOT NULL"

    def owner() -> int | None:
        with psycopg.connect(town.url) as connection:
            row = connection.execute(asked).fetchone()  # type: ignore[call-overload]
        return row and row[0]

    eventually(lambda: owner() == first.worker, "nobody asks the source")
    first.send(signal.SIGSTOP)
    try:
        (town.folder / "brake").unlink()
        town.start()
        eventually(lambda: town.origins("clock.polled", "key") == ["one", "two"], "nobody else asks the source")
    finally:
        first.send(signal.SIGCONT)
    with (town.folder / "source").open("a") as source:
        source.write("three\n")
    eventually(lambda: town.origins("clock.polled", "key") == ["one", "three", "two"], "the source is not asked")
    eventually(lambda: town.over("clock.polled"), "a run is stuck")
    assert sorted((town.folder / "notes").read_text().split("\n")[:-1]) == ["item one", "item three", "item two"]
