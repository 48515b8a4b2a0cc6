"""Two processes deal with the ticks of one schedule, and are killed wherever they write: each tick has its one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import codemation as cm
from codemation.core.ids import RunId
from codemation.core.ports import DueSchedule, Firing, NewRun, Stores, Tick, nothing
from codemation.core.ticks import between
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.backend import Backend
from codemation.host.memory import Tables, stores_on
from codemation.host.settings import Settings
from codemation.host.triggers.activation import activate
from codemation.host.triggers.adopting import adopt_left
from codemation.host.triggers.ticking import tick
from tests.host.triggers.town import fire, known, rows, settle, ticking
from tests.testing.clock import Clock

GRACE = 30.0


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


@dataclass
class Fate:
    """When a process is killed: at its so many-th write, before it or after it."""

    left: int | None = None
    after: bool = False
    advanced: list[datetime] = field(default_factory=list)
    """When the schedule was moved on."""

    def suffer(self, write: Callable[[], Any]) -> Any:
        self.left = None if self.left is None else self.left - 1
        if self.left == 0 and not self.after:
            raise Killed
        done = write()
        if self.left == 0:
            raise Killed
        return done


class _Writes:
    """A port whose writes a process may not survive; whatever else it is asked goes on to the real one."""

    def __init__(self, port: Any, fate: Fate) -> None:
        self._port, self._fate = port, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _Schedules(_Writes):
    def advance(self, schedule: DueSchedule, ticks: list[Tick], next_at: datetime | None) -> int | None:
        def write() -> int | None:
            owed: int | None = self._port.advance(schedule, ticks, next_at)
            if owed is not None:
                self._fate.advanced.append(schedule.now)
            return owed

        found: int | None = self._fate.suffer(write)
        return found


class _Firings(_Writes):
    def claim(self, *args: Any, **more: Any) -> tuple[Firing, ...]:
        found: tuple[Firing, ...] = self._fate.suffer(lambda: self._port.claim(*args, **more))
        return found

    def started(self, firing: Firing, run: RunId) -> None:
        self._fate.suffer(lambda: self._port.started(firing, run))


class _Journal(_Writes):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        found: RunId = self._fate.suffer(lambda: self._port.start(run, meanwhile))
        return found


class Town:
    """Processes on one database; whoever is killed is buried, and another one begins."""

    def __init__(self, workflow: Workflow[Any, ...], path: Path, stack: ExitStack) -> None:
        self.workflow, self.path, self.stack = workflow, path, stack
        self.clock, self.advanced = Clock(), list[datetime]()
        self.stores = stores_on(Tables(self.clock))
        self.apps = [self.process(), self.process()]
        activate(self.apps[0][0], workflow, "somebody")
        (row,) = self.stores.armory.triggers()
        assert row.next_at is not None
        self.trigger = row.id
        # What is armed now counts from the real time; the town has a time of its own.
        self.stores.armory.disarm(workflow.id, "")
        arm = replace(next(iter(known(workflow).values())).arm, next_at=self.clock() + timedelta(seconds=1))
        self.first = next(between(arm.config, self.clock(), self.clock() + timedelta(days=1)))
        self.stores.armory.arm(workflow.id, workflow.digest, [replace(arm, next_at=self.first)], "")

    def process(self) -> tuple[App, Fate]:
        fate = Fate(advanced=self.advanced)
        stores: Stores = replace(
            self.stores,
            schedules=_Schedules(self.stores.schedules, fate),
            firings=_Firings(self.stores.firings, fate),
            journal=_Journal(self.stores.journal, fate),
        )
        app = App(Backend(stores=stores, close=lambda: None, describes="memory"), Settings(self.path, {}, {}))
        self.stack.enter_context(app)
        app.work()
        app.upkeep.triggers.know({self.workflow.id: self.workflow})
        return app, fate

    def act(self, number: int, kill: tuple[int, bool] | None) -> None:
        """Let a process do its duties, and perhaps be killed."""
        app, fate = self.apps[number]
        fate.left, fate.after = kill or (None, False)
        try:
            while tick(app.engine, GRACE)[1]:
                pass
            adopt_left(app, app.upkeep.triggers.known)
            settle(app)
            fire(app)
            fate.left = None
        except Killed:
            fate.left = None
            self.stores.workers.bury([app.engine.worker])
            self.stores.tickets.take_over([app.engine.worker])
            self.stores.firings.free()
            self.apps[number] = self.process()


def expected(town: Town, config: dict[str, Any], policy: str) -> list[str]:
    """Which ticks have a run, going by when the schedule was moved on."""
    found, since = list[datetime](), town.first
    for now in town.advanced:
        came = list(between(config, since, now + timedelta(microseconds=1)))
        fresh = [at for at in came if now - at <= timedelta(seconds=GRACE)]
        match policy:
            case "all":
                found += came
            case "skip":
                found += fresh
            case _:
                found += fresh or came[-1:]
        since = now + timedelta(microseconds=1)
    return [at.isoformat() for at in found]


steps = st.lists(
    st.tuples(
        st.sampled_from([1.0, 10.0, 25.0, 95.0, 700.0]),  # seconds that pass
        st.integers(0, 1),  # who acts
        st.none() | st.tuples(st.integers(1, 6), st.booleans()),  # whether it is killed, where
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=40, deadline=None)
@given(policy=st.sampled_from(["skip", "latest", "all"]), steps=steps)
def test_each_tick_has_exactly_the_run_that_its_catch_up_asks_for(
    policy: Any, steps: list[tuple[float, int, tuple[int, bool] | None]]
) -> None:
    workflow = ticking(cm.every("20s", catch_up=policy, params=lambda at: {"at": at.isoformat()}))
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        town = Town(workflow, Path(path), stack)
        for seconds, number, kill in steps:
            town.clock.later(seconds)
            town.act(number, kill)
        town.act(0, None)
        app = town.apps[0][0]
        settle(app)
        wanted = expected(town, {"every": 20.0}, policy)
        assert sorted(row.origin["at"] for row in rows(app) if row.origin) == wanted
        ticks = town.stores.schedules.ticks(town.trigger, town.first, town.clock() + timedelta(days=1))
        assert {at.isoformat(): run for at, run in ticks.items()} == {
            row.origin["at"]: row.id for row in rows(app) if row.origin
        }
        assert town.stores.armory.triggers()[0].owed == 0
