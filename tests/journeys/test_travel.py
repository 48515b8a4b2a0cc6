"""Waits of seconds on the real clock, whose processes are killed at random moments: nothing twice, nothing stuck.

`BOOKING_SEEDS=50` tries so many; `JOURNEY_SEED` has the same ones again.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from codemation.core.ids import RunId
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.asking import send
from codemation.host.handles import RunHandle
from tests.journeys.driver import begun
from tests.journeys.ledger import Effect, effects
from tests.journeys.travel import IN_TIME, WAYS, Payment, Trip, paid
from tests.journeys.world import PATIENCE, Driver, World, judge_journal, seeded

AT_A_TIME = 4
"""Runs that are attacked at a time."""
SEEDS = int(os.environ.get("BOOKING_SEEDS") or 4)


def pay(app: App, key: str, way: str, amount: float) -> None:
    """A payment comes from outside."""
    send(app, paid, f"{key} {way}", Payment(amount=amount), None)


class Attacked:
    """Processes that work on one run and are killed at random moments, one after the other."""

    def __init__(self, town: World, trip: Trip, key: str, chance: random.Random) -> None:
        self._town, self._trip, self._key, self._chance = town, trip, key, chance
        self.drivers = [town.start(trip, key)]
        self.killed = 0
        self._next = time.monotonic() + chance.uniform(0.0, 1.5)

    @property
    def driver(self) -> Driver:
        """Who is at it."""
        return self.drivers[-1]

    def run(self) -> RunId:
        """The run, as soon as it is durable."""
        self.until(lambda: bool(self._told()))
        return self._told()[0]

    def _told(self) -> list[RunId]:
        return [RunId(event["run"]) for driver in self.drivers for event in driver.told("begun")]

    def look(self) -> None:
        """Kill whoever is at it when his time has come, and start the next after a while."""
        if time.monotonic() < self._next:
            return
        if self.driver.lives and self.killed < 4:
            self.driver.send(signal.SIGKILL)
            self.killed += 1
            self._next = time.monotonic() + self._chance.choice([0.0, 0.1, 0.5, IN_TIME])
        else:
            self._begin_again()

    def _begin_again(self) -> None:
        if not self.driver.lives:
            self.drivers.append(self._town.start(self._trip, self._key))
        self._next = time.monotonic() + self._chance.uniform(0.0, 1.0)

    def until(self, holds: Callable[[], bool]) -> None:
        """Go on so until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, [driver.said() for driver in self.drivers]
            self.look()
            time.sleep(0.02)

    def until_time(self, moment: float) -> None:
        """Go on so until a time of the monotonic clock."""
        self.until(lambda: time.monotonic() >= moment)


def begun_waits(app: App, run: RunHandle, attacked: Attacked) -> float:
    """When the time of the bookings is over, on this process's own monotonic clock."""

    def times() -> list[float]:
        return [wait.due_at.timestamp() for wait in run.waits if wait.kind == "event" and wait.due_at is not None]

    attacked.until(lambda: bool(times()))
    due = max(times())
    return time.monotonic() + due - time.time()


def test_bookings_survive_the_death_of_their_processes_at_any_moment(town: World, app: App) -> None:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for ended in [pool.submit(book, town, app, seed) for seed in range(SEEDS)]:
            ended.result()
    assert app.stores.runs.unattended() == ()


def book(town: World, app: App, seed: int) -> None:
    """One run: some of its bookings are paid, and whoever works on it is killed again and again."""
    chance, key = seeded(f"booking {seed}"), f"trip {seed}"
    trip = Trip(ledger=town.ledger)
    pay(app, key, "early", 1)
    attacked = Attacked(town, trip, key, chance)
    run = app.attach(attacked.run())
    over = begun_waits(app, run, attacked)
    attacked.until_time(over - IN_TIME + chance.uniform(0.1, IN_TIME / 2))
    sent_in_time = time.monotonic() < over
    pay(app, key, "in time", 2)
    pay(app, key, "twice", 3)
    pay(app, key, "twice", 4)
    attacked.until_time(over - IN_TIME / 2 + chance.uniform(0.0, IN_TIME))
    pay(app, key, "any time", 5)
    attacked.until_time(over + 0.3)
    pay(app, key, "late", 6)
    attacked.until_time(time.monotonic() + chance.uniform(0.0, 1.0))
    attacked.driver.send(signal.SIGKILL)
    attacked.driver.wait()
    handle = begun(app, trip, key)
    handle.wait(PATIENCE)
    assert sent_in_time
    judge(app, handle, [one for one in effects(town.ledger) if one.run == handle.id])


def judge(app: App, handle: RunHandle, done: list[Effect]) -> None:
    """Who has paid in time has one ticket and one reminder, who has not was released once, and nobody waits."""
    assert handle.status is RunStatus.SUCCEEDED, handle.reason
    tickets = {ticket.id.split(maxsplit=2)[2]: ticket.amount for ticket in handle["issue"].items}
    released = [one.split(maxsplit=2)[2] for one in handle["release"].items]
    assert Counter([*tickets, *released]) == Counter(WAYS), "each booking goes one way, once"
    assert {"early": 1, "in time": 2, "twice": 3}.items() <= tickets.items()
    assert {"late", "never"} <= set(released)
    assert [ticket.id for ticket in handle.output] == [ticket.id for ticket in handle["issue"].items]
    assert handle.waits == []
    judge_journal(app, handle.id, done)
    wanted = {"reserve": len(WAYS), "issue": len(tickets), "remind": len(tickets), "release": len(released)}
    keys = {node: {one.key for one in done if one.node == node} for node in wanted}
    assert {node: len(known) for node, known in keys.items()} == wanted, "each effect has one key, however often begun"
