"""Faults of what a fleet stands on: Redis forgets, connections are cut or half open, PostgreSQL has too few of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import psutil
import psycopg

from codemation.core.errors import RunFailed
from codemation.core.ids import RunId
from codemation.host.app import App
from codemation.host.postgres.bus import LISTENER
from tests.host.postgres.cable import Cable
from tests.journeys.company import AWAY, CALM, Company, Way
from tests.journeys.plant import Work
from tests.journeys.world import PATIENCE, within

BROKEN = (0.5, 5.0)
"""Seconds for which connections are half open, or in the hands of others."""


@dataclass(slots=True, kw_only=True)
class Oblivion(Company):
    """Fault 6: Redis forgets everything, refuses everything, or is not there."""

    def ways(self) -> list[Way]:
        """The ways to forget."""
        return [self.kill_redis, self.empty_redis, self.restart_redis, self.fill_redis, self.submit_without_redis]

    def restart_redis(self) -> bool:
        """Redis is told to stop, and comes back empty."""
        if not self.healed("redis"):
            return False
        self.fleet.redis.close()
        self.later("redis", self.chance.uniform(*AWAY), self.fleet.redis.start)
        return True

    def fill_redis(self) -> bool:
        """Redis has no memory left for a while, and throws nothing away."""
        if not self.healed("redis") or not self.redis(lambda client: client.config_set("maxmemory", 1)):
            return False
        free = partial(self.redis, lambda client: client.config_set("maxmemory", 0))
        self.later("redis", self.chance.uniform(*AWAY), lambda: within(PATIENCE, free))
        return True

    def submit_without_redis(self) -> bool:
        """Runs are handed in while Redis is away."""
        if not self.healed("redis"):
            return False
        psutil.Process(self.fleet.redis.pid).kill()
        self.begin()
        self.later("redis", self.chance.uniform(*AWAY), self.fleet.redis.start)
        return True


@dataclass(slots=True, kw_only=True)
class Severance(Company):
    """Fault 7: connections are cut, or half open for a while; whoever hung on them never hears of that."""

    database: Cable = field(init=False)
    messages: Cable = field(init=False)
    far: App = field(init=False)
    """Who hears of runs over the cable."""
    _ears: ThreadPoolExecutor = field(init=False)
    _heard: list[Future[None]] = field(default_factory=list)

    def prepare(self) -> None:
        """All others reach the servers by way of cables."""
        self.database = self.stack.enter_context(Cable(self.fleet.server.socket))
        self.messages = self.stack.enter_context(Cable(("127.0.0.1", self.fleet.redis.port)))
        self.fleet.variables.update(self.fleet.by_way_of(self.database, self.messages))
        self.far = self.stack.enter_context(self.fleet.open(wake="postgres"))
        self._ears = self.stack.enter_context(ThreadPoolExecutor())
        Company.prepare(self)

    def ways(self) -> list[Way]:
        """The ways to be severed."""
        cut = [self.cut_database, self.cut_redis, self.cut_listener]
        return [*cut, self.darken_database, self.darken_redis, self.darken_listener]

    def cut_database(self) -> bool:
        """All connections to PostgreSQL end."""
        return bool(self.database.cut())

    def cut_redis(self) -> bool:
        """All connections to Redis end."""
        return bool(self.messages.cut())

    def darken_database(self) -> bool:
        """Nothing comes from PostgreSQL any more, nor gets there."""
        return self._darken("database", self.database)

    def darken_redis(self) -> bool:
        """Nothing comes from Redis any more, nor gets there."""
        return self._darken("messages", self.messages)

    def cut_listener(self) -> bool:
        """The connection ends over which somebody hears of a run."""
        return self._deafen(self.database.cut)

    def darken_listener(self) -> bool:
        """Nothing comes any more over the connection by which somebody hears of a run."""
        return self._deafen(self.database.darken)

    def calm(self) -> None:
        """Besides, whoever listened has heard, and the servers notice whom they do not reach any more."""
        Company.calm(self)
        for cable in (self.database, self.messages):
            cable.forget()
        for heard in self._heard:
            heard.result(CALM)
        self._heard.clear()

    def _darken(self, name: str, cable: Cable) -> bool:
        if not self.healed(name) or not cable.known(b""):
            return False
        cable.darken()
        self.later(name, self.chance.uniform(*BROKEN), cable.lighten)
        return True

    def _deafen(self, strike: Callable[[bytes], int]) -> bool:
        """Somebody waits for a run that is not over before the connection is struck."""
        if not self.healed("database"):
            return False
        world = self.fleet.world
        brake = world.root / world.key()
        brake.touch()
        work = self.work(brake=brake)
        (handle,) = self.fleet.submit(self.app, work, world.key())
        self.runs[handle.id] = work
        self._heard.append(self._ears.submit(self._hear, handle.id))
        within(PATIENCE, lambda: self.database.known(LISTENER.encode()) > 0)
        strike(LISTENER.encode())

        def heal() -> None:
            self.database.lighten()
            brake.unlink()

        self.later("database", self.chance.uniform(*BROKEN), heal)
        return True

    def _hear(self, run: RunId) -> None:
        with suppress(RunFailed):  # that is an end as well
            self.far.attach(run).wait(CALM)


@dataclass(slots=True, kw_only=True)
class Scarcity(Company):
    """Fault 14: many runs wait, parents for their children among them, and PostgreSQL has few connections to give."""

    CONNECTIONS: ClassVar[int] = 20
    POOLS: ClassVar[Sequence[str]] = ("prefork", "threads")
    KINDS: ClassVar[Sequence[str]] = ("nested", "nested", "nested", "plain")
    AT_ONCE: ClassVar[int] = 200
    HANDED_IN: ClassVar[int] = 50

    def prepare(self) -> None:
        """All runs wait before the first worker comes."""
        while self.unfinished() < self.AT_ONCE:
            self.begin()
        Company.prepare(self)

    def work(self, **shape: Any) -> Work:
        """As little as there can be."""
        return self.fleet.world.work(size=1, pace=0.02, **shape)

    def ways(self) -> list[Way]:
        """The ways in which it becomes scarcer, or is asked of by others."""
        return [self.take_connections, self.kill_worker, self.end_worker, self.come_and_go, self.kill_web]

    def take_connections(self) -> bool:
        """Somebody takes all connections that are free, and those that become free, for a while."""
        if not self.healed("connections"):
            return False
        self.later("connections", 0.0, partial(self._take, self.chance.uniform(*BROKEN)))
        return True

    def come_and_go(self) -> None:
        """There is one worker more for a while."""
        member = self.fleet.worker(pool=self.chance.choice(self.POOLS))
        self.later(member.name, self.chance.uniform(*BROKEN), lambda: member.send(signal.SIGTERM, all_of_it=False))

    def _take(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with ExitStack() as taken:
            while time.monotonic() < until:
                with suppress(psycopg.OperationalError):
                    taken.enter_context(psycopg.connect(self.fleet.server.url("postgres")))
                time.sleep(0.02)
