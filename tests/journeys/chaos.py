"""Everything at random: processes and the server are killed, runs are cancelled and gone on with.

In the tests for some seconds; by hand for as long as wanted: `python -m tests.journeys.chaos --minutes 10`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from codemation.core.errors import RunError
from codemation.core.ids import RunId
from codemation.core.states import RunStatus
from codemation.host.app import App
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.plant import Work, expected, plant
from tests.journeys.world import PATIENCE, Driver, World, judge_journal, judge_keys, seeded, temporary_world

DRIVERS = 3
"""Processes at a time."""
RUNS = 2
"""Runs that a process begins with."""


@dataclass(slots=True, kw_only=True)
class Chaos:
    """A world in which things go wrong, and what has been asked of it."""

    world: World
    app: App
    chance: random.Random
    work: Work
    keys: list[str] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)
    cancelled: set[RunId] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """A process starts runs, or goes on with some that were started."""
        fresh = [self.world.key() for _ in range(RUNS)]
        self.keys += fresh
        old = self.chance.sample(self.keys, min(1, len(self.keys)))
        for keys in (fresh, old) if self.chance.random() < 0.5 else (fresh,):
            self.drivers.append(self.world.start(self.work, *keys))

    def kill_driver(self) -> None:
        """A process is gone from one moment to the next."""
        self.chance.choice(self.drivers).send(signal.SIGKILL)

    def interrupt_driver(self) -> None:
        """Somebody presses Ctrl-C."""
        self.chance.choice(self.drivers).send(signal.SIGINT)

    def kill_server(self) -> None:
        """The database is gone, until somebody needs it."""
        process = self.world.project.postmaster
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def cancel(self) -> None:
        """Somebody cancels a run, whatever it does."""
        run = self._known()
        if run is not None:
            self.app.cancel(run, reason="chaos")
            self.cancelled.add(run)

    def resume(self) -> None:
        """Somebody goes on with a run here, whether or not another process does."""
        run = self._known()
        if run is not None:
            with suppress(RunError):  # somebody works on it, or it has succeeded
                self.app.resume(run, plant).serve()

    def one(self) -> None:
        """One thing happens."""
        self.drivers = [driver for driver in self.drivers if driver.lives]
        if len(self.drivers) < DRIVERS:
            happens: Callable[[], None] = self.begin
        else:
            ways = [self.kill_driver, self.interrupt_driver, self.kill_server, self.cancel, self.resume]
            (happens,) = self.chance.choices(ways, weights=[4, 2, 1, 2, 2])
        self.done[happens.__name__] += 1
        happens()

    def _known(self) -> RunId | None:
        started = [RunId(event["run"]) for driver in self.drivers for event in driver.told("begun")]
        return self.chance.choice(started) if started else None

    def judge(self) -> None:
        """Quiet: whatever was asked for comes to its right end."""
        for driver in self.drivers:
            driver.send(signal.SIGINT)
            driver.wait()
        handles = [begun(self.app, self.work, key) for key in self.keys]
        for handle in handles:
            if handle.status is RunStatus.CANCELLED:
                assert handle.id in self.cancelled
                handle = self.app.resume(handle.id, plant)  # noqa: PLW2901 - the same run, which goes on
            handle.wait(PATIENCE)
            assert handle.status is RunStatus.SUCCEEDED
            assert handle.output == expected(self.work.size)
        done = effects(self.world.ledger)
        for run in {handle.id for handle in handles}:
            mine = [one for one in done if one.run == run]
            judge_journal(self.app, run, mine)
            judge_keys(run, self.work, mine)
        assert self.app.stores.runs.unattended() == ()


def chaos(seconds: float) -> Counter[str]:
    """Let things go wrong for so long, and judge; what has happened, and how often."""
    chance = seeded("chaos")
    with temporary_world() as world, world.open() as app:
        work = world.work(size=3, pace=0.02)
        it = Chaos(world=world, app=app, chance=chance, work=work)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            it.one()
            time.sleep(chance.uniform(0.0, 0.3))
        it.judge()
        return it.done + Counter(runs=len(it.keys))


def main() -> None:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    print(dict(chaos(60.0 * parser.parse_args().minutes)))  # noqa: T201 - somebody waits for it


if __name__ == "__main__":
    main()
