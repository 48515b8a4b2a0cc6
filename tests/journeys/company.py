"""A fleet that is given work all the while, whatever happens to it; what it has done is judged whenever it is calm."""

from __future__ import annotations

import random
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import psutil
from redis import Redis
from redis.exceptions import RedisError

from codemation.core.errors import CodemationError
from codemation.core.ids import RunId
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.host.postgres.server import running_server
from tests.journeys.fleet import Fleet, Member, temporary_fleet, why
from tests.journeys.ledger import Effect, effects
from tests.journeys.plant import Work, expected, flow_of
from tests.journeys.world import judge_journal, judge_keys, within

AWAY = (0.0, 3.0)
"""Seconds for which servers are away; the dead are noticed after two."""
CALM = 90.0
"""Seconds within which what was begun comes to its end; the machine may be busy, and starting a worker takes long."""
UNFINISHED = tuple(status for status in RunStatus if status not in FINISHED)

Way = Callable[[], bool | None]
"""Something that goes wrong; `False` when there was nothing that it could go wrong with."""


@dataclass(slots=True, kw_only=True)
class Company(ABC):
    """A fleet, what has been asked of it, and what has happened to it."""

    CONNECTIONS: ClassVar[int] = 200
    WORKERS: ClassVar[int] = 3
    WEBS: ClassVar[int] = 2
    POOLS: ClassVar[Sequence[str]] = ("prefork", "prefork", "threads", "solo")
    KINDS: ClassVar[Sequence[str]] = ("plain", "plain", "sharded", "nested")
    AT_ONCE: ClassVar[int] = 12
    """Runs that are not over, above which nobody starts more."""
    HANDED_IN: ClassVar[int] = 4
    """Runs that are started together."""

    fleet: Fleet
    app: App
    chance: random.Random
    stack: ExitStack
    """What ends with the company, and before the fleet does."""
    runs: dict[RunId, Work] = field(default_factory=dict)
    cancelled: set[RunId] = field(default_factory=set)
    resumed: set[RunId] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    diary: list[str] = field(default_factory=list)
    """What has happened when, and to whom."""
    slowest: float = 0.0
    """Seconds that it took at most until all was over once nothing went wrong any more."""
    _healing: dict[str, threading.Thread] = field(default_factory=dict)
    """What comes back by itself after a while: the database, Redis, processes that were frozen."""

    # --- work, and those who do it ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Whatever has to be there before anything goes wrong."""
        for _ in range(self.WORKERS):
            self.hire()
        self.fleet.until_ready()

    def work(self, **shape: Any) -> Work:
        """What a run is asked for."""
        return self.fleet.world.work(size=3, pace=0.05, **shape)

    def begin(self) -> None:
        """Somebody hands in runs of some kind."""
        kind = self.chance.choice(self.KINDS)
        work = self.work(sharded=kind == "sharded", nested=kind == "nested")
        keys = [self.fleet.world.key() for _ in range(self.HANDED_IN)]
        for handle in self.fleet.submit(self.app, work, *keys):
            self.runs[handle.id] = work

    def hire(self) -> None:
        """A worker is started."""
        self.fleet.worker(pool=self.chance.choice(self.POOLS))

    def open_web(self) -> None:
        """A web process is started."""
        self.fleet.web()

    def lacking(self) -> Callable[[], None] | None:
        """What has to happen before something goes wrong: enough people are there, and they have enough to do."""
        if len(self.workers()) < self.WORKERS:
            return self.hire
        if len(self.webs()) < self.WEBS:
            return self.open_web
        if not self.ready():
            return self.get_ready
        return self.begin if self.unfinished() < self.AT_ONCE else None

    def get_ready(self) -> None:
        """Nothing goes on until one of the workers takes up work."""
        self.until(lambda: bool(self.ready()))

    def happen(self, happens: Way) -> bool:
        """Let something happen, and count it if it did."""
        self.note(happens.__name__)
        happened = happens() is not False
        self.done[happens.__name__] += happened
        return happened

    def note(self, what: str) -> None:
        """Write something down, for whoever wants to know why something went wrong."""
        self.diary.append(f"{time.time():.3f} {what}")

    @abstractmethod
    def ways(self) -> Collection[Way]:
        """What may go wrong."""

    # --- what several faults are made of ----------------------------------------------------------------------------

    def kill_worker(self) -> None:
        """A machine is gone from one moment to the next."""
        self.worker().send(signal.SIGKILL)

    def end_worker(self) -> None:
        """A worker is told to stop, as in a rolling restart."""
        self.worker().send(signal.SIGTERM, all_of_it=False)

    def kill_web(self) -> bool:
        """A web process is gone, with whatever duties it had."""
        for member in self.chance.sample(self.webs(), min(1, len(self.webs()))):
            self.noted(member).send(signal.SIGKILL)
            return True
        return False

    def empty_redis(self) -> bool:
        """All messages are lost."""
        return self.redis(lambda client: client.flushall())

    def kill_redis(self) -> bool:
        """Redis is gone, and comes back empty."""
        if not self.healed("redis"):
            return False
        psutil.Process(self.fleet.redis.pid).kill()
        self.later("redis", self.chance.uniform(*AWAY), self.fleet.redis.start)
        return True

    # --- judging ----------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing more goes wrong for a while: all that was asked for comes to its right end, and nobody is stuck."""
        for healing in self._healing.values():
            healing.join()
        self._healing.clear()
        began = time.monotonic()
        handles = {run: self.app.attach(run) for run in self.runs}
        for run, handle in handles.items():
            self.until(lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
            if handle.status is not RunStatus.SUCCEEDED:
                handles[run] = self._gone_on(handle)
        for handle in handles.values():
            self.until(lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
        self.until(lambda: self.app.stores.runs.unattended() == ())
        self.slowest = max(self.slowest, time.monotonic() - began)
        done = effects(self.fleet.world.ledger)
        for run, handle in handles.items():
            self._judge(run, handle, done)
        self.done["judged"] = len(handles)
        self.done["pauses"] += 1

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something, with somebody who starts workers where one has ended."""

        def is_so() -> bool:
            for _ in range(self.WORKERS - len(self.workers())):
                self.hire()
            return condition()

        within(CALM, is_so)

    def _gone_on(self, handle: RunHandle) -> RunHandle:
        """The same run, which somebody goes on with: it was cancelled, or whoever worked on it died again and again."""
        if handle.status is RunStatus.CANCELLED:
            assert handle.id in self.cancelled, f"{handle!r} was cancelled by nobody"
        else:
            assert "the process that worked on it died" in why(handle)
        self.resumed.add(handle.id)
        self.done[f"resumed {handle.status.value}"] += 1
        return self.app.resume(handle.id, flow_of(self.runs[handle.id]))

    def _judge(self, run: RunId, handle: RunHandle, done: Sequence[Effect]) -> None:
        work, mine = self.runs[run], [one for one in done if one.run == run]
        assert handle.status is RunStatus.SUCCEEDED, f"{handle!r}: {handle.reason}"
        assert self.app.attach(run).output == expected(work.size)
        judge_journal(self.app, run, mine)
        if not work.nested:
            judge_keys(run, work, mine)
        elif run not in self.resumed:
            judge_children(self.app.attach(run), work.size, done)

    # --- around -----------------------------------------------------------------------------------------------------

    def workers(self) -> list[Member]:
        """Those who live, ready or not."""
        return [member for member in self.fleet.members if member.lives and member.name.startswith("w-")]

    def ready(self) -> list[Member]:
        """The workers that take up work."""
        return [member for member in self.workers() if "ready for" in member.said()]

    def webs(self) -> list[Member]:
        """The web processes that live."""
        return [member for member in self.fleet.members if member.lives and member.name.startswith("web-")]

    def worker(self) -> Member:
        """A worker that takes up work."""
        self.get_ready()
        return self.noted(self.chance.choice(self.ready()))

    def noted(self, member: Member) -> Member:
        """A process that something is about to happen to, with all that it has started."""
        self.note(f"to {member.name}: {[one.pid for one in member.family()]}")
        return member

    def unfinished(self) -> int:
        """How many runs are not over, as far as somebody who has enough of them wants to know."""
        try:
            return len(self.app.stores.runs.page(statuses=UNFINISHED, limit=self.AT_ONCE))
        except CodemationError:
            return self.AT_ONCE

    def healed(self, name: str) -> bool:
        """Whether it is there."""
        return name not in self._healing or not self._healing[name].is_alive()

    def later(self, name: str, seconds: float, heal: Callable[[], object]) -> None:
        """Let something come back after a while; whoever goes on with other things does so meanwhile."""

        def after() -> None:
            time.sleep(seconds)
            heal()
            self.note(f"{name} goes on")

        self._healing[name] = threading.Thread(target=after, name=f"healing {name}", daemon=True)
        self._healing[name].start()

    def redis(self, ask: Callable[[Redis], object]) -> bool:
        """Ask Redis for something; whether it has heard it."""
        with suppress(RedisError, OSError), Redis.from_url(self.fleet.redis.url, socket_timeout=1) as client:
            ask(client)
            return True
        return False


def judge_children(handle: RunHandle, size: int, done: Sequence[Effect]) -> None:
    """A child for each piece, and none beside them; each has pressed under one key of its own."""
    children = handle.children
    assert [child.status for child in children] == [RunStatus.SUCCEEDED] * size
    assert sorted(child["start"].item.number for child in children) == list(range(size))
    mine = {child.id for child in children}
    assert len({one.key for one in done if one.node == "press" and one.run in mine}) == size


SomeCompany = TypeVar("SomeCompany", bound=Company)


@contextmanager
def at_work(kind: type[SomeCompany], chance: random.Random) -> Iterator[SomeCompany]:
    """A company of this kind, at work; if anything goes wrong, people are told what they need to know."""
    with ExitStack() as around:
        server = around.enter_context(running_server(connections=kind.CONNECTIONS))
        fleet = around.enter_context(temporary_fleet(server))
        app = around.enter_context(fleet.open())
        it = kind(fleet=fleet, app=app, chance=chance, stack=around.enter_context(ExitStack()))
        try:
            it.prepare()
            yield it
        except BaseException:
            tell(it)
            raise


def tell(it: Company) -> None:
    """What people need who want to know what went wrong."""
    print(dict(it.done), *it.diary, sep="\n")  # noqa: T201 - shown when a test fails
    with suppress(CodemationError):
        for one in it.app.stores.runs.unattended():
            print(one)  # noqa: T201
    for member in it.fleet.members:
        print(f"--- {member.name} {'lives' if member.lives else 'is over'}\n{member.said()[-3000:]}")  # noqa: T201
