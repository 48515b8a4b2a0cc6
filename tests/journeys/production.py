"""A fleet to which all goes wrong at random: workers, web, Redis and PostgreSQL killed, frozen, emptied, cut off.

In the tests for some seconds; by hand for as long as wanted: `python -m tests.journeys.production --minutes 10`.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from redis import Redis
from redis.exceptions import RedisError

from codemation.core.errors import CodemationError, RunError
from codemation.core.ids import RunId
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.journeys.fleet import Fleet, Member, temporary_fleet, why
from tests.journeys.ledger import effects
from tests.journeys.plant import Work, expected, flow_of
from tests.journeys.world import judge_journal, judge_keys, seeded, within

WORKERS, WEBS = 3, 2
AT_ONCE = 12
"""Runs that are not over, above which nobody starts more."""
QUEUE = "codemation.default"
FROZEN = (0.5, 5.0)
AWAY = (0.0, 3.0)
"""Seconds for which processes are frozen, and servers are away; the dead are noticed after two."""
PAUSES = 25
"""Things that happen between two pauses, in which whatever was begun comes to its end."""
CALM = 90.0
"""Seconds within which it does so; the machine may be busy, and starting a worker takes long."""
GARBAGE = ("", "{", "null", '{"body": "!", "headers": {}}', '{"headers": {"task": "codemation.work"}}', "\x00\xff")


@dataclass(slots=True, kw_only=True)
class Production:
    """A fleet, what has been asked of it, and what has happened to it."""

    fleet: Fleet
    app: App
    chance: random.Random
    runs: dict[RunId, Work] = field(default_factory=dict)
    cancelled: set[RunId] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    _healing: dict[str, threading.Thread] = field(default_factory=dict)
    """What comes back by itself after a while: the database, Redis, processes that were frozen."""

    # --- what happens -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Somebody hands in runs of some kind."""
        kind = self.chance.choice(["plain", "plain", "sharded", "nested"])
        work = self.fleet.world.work(size=3, pace=0.02, sharded=kind == "sharded", nested=kind == "nested")
        keys = [self.fleet.world.key() for _ in range(4)]
        for handle in self.fleet.submit(self.app, work, *keys):
            self.runs[handle.id] = work

    def hire(self) -> None:
        """A worker is started."""
        pool = self.chance.choice(["prefork", "prefork", "threads", "solo"])
        self.fleet.worker(pool=pool)

    def open_web(self) -> None:
        """A web process is started."""
        self.fleet.web()

    def kill_worker(self) -> None:
        """A machine is gone from one moment to the next."""
        self._worker().send(signal.SIGKILL)

    def kill_head(self) -> None:
        """The parent of a pool is gone; its children are on their own."""
        self._worker().send(signal.SIGKILL, all_of_it=False)

    def kill_web(self) -> None:
        """A web process is gone, with whatever duties it had."""
        for member in self.chance.sample(self._webs(), min(1, len(self._webs()))):
            member.send(signal.SIGKILL)

    def freeze_web(self) -> None:
        """A web process stands still for a while, in the middle of a duty perhaps."""
        for member in self.chance.sample(self._webs(), min(1, len(self._webs()))):
            member.send(signal.SIGSTOP)
            self._later(member.name, self.chance.uniform(*FROZEN), lambda: member.send(signal.SIGCONT))  # noqa: B023

    def kill_child(self) -> None:
        """One process of a pool is gone."""
        _, *children = self._worker().family()
        if children:
            with suppress(psutil.NoSuchProcess):
                self.chance.choice(children).kill()

    def freeze_worker(self) -> None:
        """A worker stands still for a while, caretaking included, and goes on as if nothing had been."""
        member = self._worker()
        member.send(signal.SIGSTOP)
        self._later(member.name, self.chance.uniform(*FROZEN), lambda: member.send(signal.SIGCONT))

    def end_worker(self) -> None:
        """A worker is told to stop, as in a rolling restart."""
        self._worker().send(signal.SIGTERM, all_of_it=False)

    def empty_redis(self) -> None:
        """All messages are lost."""
        self._redis(lambda client: client.flushall())

    def kill_redis(self) -> None:
        """Redis is gone, and comes back empty."""
        if self._healed("redis"):
            psutil.Process(self.fleet.redis.pid).kill()
            self._later("redis", self.chance.uniform(*AWAY), self.fleet.redis.start)

    def kill_database(self) -> None:
        """PostgreSQL is gone, and comes back with what was committed."""
        if self._healed("database"):
            self.fleet.server.stop("immediate")
            self._later("database", self.chance.uniform(*AWAY), self.fleet.server.start)

    def spoil_messages(self) -> None:
        """Messages come ten times, in another order, and with garbage between them."""

        def spoil(client: Redis) -> None:
            messages = client.lrange(QUEUE, 0, -1)
            wrong = [json.dumps({"body": "AAAA", "headers": {"task": "codemation.work", "id": "x"}}), *GARBAGE]
            messages = [*messages * 10, self.chance.choice(wrong)]
            self.chance.shuffle(messages)
            client.lpush(QUEUE, *messages)

        self._redis(spoil)

    def cancel(self) -> None:
        """Somebody cancels a run, whatever it does."""
        if self.runs:
            run = self.chance.choice(list(self.runs))
            with suppress(RunError):
                self.app.cancel(run, reason="chaos")
                self.cancelled.add(run)

    def one(self) -> None:
        """One thing happens."""
        if len(self._workers()) < WORKERS:
            happens: Callable[[], None] = self.hire
        elif len(self._webs()) < WEBS:
            happens = self.open_web
        elif self._unfinished() < AT_ONCE:
            happens = self.begin
        else:
            ways = {
                self.kill_worker: 3,
                self.kill_head: 1,
                self.kill_child: 2,
                self.kill_web: 1,
                self.freeze_web: 1,
                self.freeze_worker: 3,
                self.end_worker: 2,
                self.empty_redis: 2,
                self.kill_redis: 1,
                self.kill_database: 1,
                self.spoil_messages: 2,
                self.cancel: 2,
            }
            (happens,) = self.chance.choices(list(ways), weights=list(ways.values()))
        self.done[happens.__name__] += 1
        happens()

    # --- judging ----------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing more goes wrong for a while: all that was asked for comes to its right end, and nobody is stuck."""
        for healing in self._healing.values():
            healing.join()
        self._healing.clear()
        handles = {run: self.app.attach(run) for run in self.runs}
        for run, handle in handles.items():
            self._until(lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
            if handle.status is not RunStatus.SUCCEEDED:
                handles[run] = self._gone_on(handle)
        for run, handle in handles.items():
            self._until(lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
            self._judge(run, handle)
        self._until(lambda: self.app.stores.runs.unattended() == ())
        self.done["pauses"] += 1

    def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for something, with somebody who starts workers where one has ended."""

        def is_so() -> bool:
            for _ in range(WORKERS - len(self._workers())):
                self.hire()
            return condition()

        within(CALM, is_so)

    def _gone_on(self, handle: RunHandle) -> RunHandle:
        """The same run, which somebody goes on with: it was cancelled, or whoever worked on it died again and again."""
        if handle.status is RunStatus.CANCELLED:
            assert handle.id in self.cancelled, f"{handle!r} was cancelled by nobody"
        else:
            assert "the process that worked on it died" in why(handle)
        self.done[f"resumed {handle.status.value}"] += 1
        return self.app.resume(handle.id, flow_of(self.runs[handle.id]))

    def _judge(self, run: RunId, handle: RunHandle) -> None:
        work = self.runs[run]
        assert handle.status is RunStatus.SUCCEEDED, f"{handle!r}: {handle.reason}"
        assert self.app.attach(run).output == expected(work.size)
        mine = [one for one in effects(self.fleet.world.ledger) if one.run == run]
        judge_journal(self.app, run, mine)
        if not work.nested:
            judge_keys(run, work, mine)

    # --- around -----------------------------------------------------------------------------------------------------

    def _workers(self) -> list[Member]:
        return [member for member in self.fleet.members if member.lives and member.name.startswith("w-")]

    def _webs(self) -> list[Member]:
        return [member for member in self.fleet.members if member.lives and member.name.startswith("web-")]

    def _worker(self) -> Member:
        return self.chance.choice(self._workers())

    def _unfinished(self) -> int:
        try:
            rows = [self.app.stores.runs.page(limit=50)]
        except CodemationError:
            return AT_ONCE
        return sum(row.status not in FINISHED for page in rows for row in page)

    def _healed(self, name: str) -> bool:
        """Whether it is there."""
        return name not in self._healing or not self._healing[name].is_alive()

    def _later(self, name: str, seconds: float, heal: Callable[[], object]) -> None:
        """Let something come back after a while; whoever goes on with other things does so meanwhile."""

        def after() -> None:
            time.sleep(seconds)
            heal()

        self._healing[name] = threading.Thread(target=after, name=f"healing {name}", daemon=True)
        self._healing[name].start()

    def _redis(self, ask: Callable[[Redis], object]) -> None:
        with suppress(RedisError, OSError), Redis.from_url(self.fleet.redis.url, socket_timeout=1) as client:
            ask(client)


def production(seconds: float, *, pauses: int = PAUSES) -> Counter[str]:
    """Let things go wrong for so long, and judge at every pause; what has happened, and how often."""
    chance = seeded("production")
    with temporary_fleet() as fleet, fleet.open() as app:
        it = Production(fleet=fleet, app=app, chance=chance)
        try:
            fleet.until_ready(*(fleet.worker() for _ in range(WORKERS)))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for _ in range(pauses):
                    it.one()
                    time.sleep(chance.uniform(0.0, 0.4))
                it.calm()
            return it.done + Counter(runs=len(it.runs))
        except BaseException:
            tell(it)
            raise


def tell(it: Production) -> None:
    """What people need who want to know what went wrong."""
    print(dict(it.done))  # noqa: T201 - shown when a test fails
    with suppress(CodemationError):
        for one in it.app.stores.runs.unattended():
            print(one)  # noqa: T201
    for member in it.fleet.members:
        print(f"--- {member.name} {'lives' if member.lives else 'is over'}\n{member.said()[-3000:]}")  # noqa: T201


def main() -> None:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    print(dict(production(60.0 * parser.parse_args().minutes)))  # noqa: T201 - somebody waits for it


if __name__ == "__main__":
    main()
