"""Faults of those who work: they die in the middle of a node, are replaced under their names, or while they recover."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import psutil

from tests.host.postgres.cable import Cable
from tests.journeys.company import Company, Way
from tests.journeys.deaths import decree
from tests.journeys.fleet import Member
from tests.journeys.plant import Work

BURIED = b"SET dead_at = COALESCE"
TAKEN = b"WITH parents AS MATERIALIZED"
"""By then the dead are buried, or their tickets released; who did it does not live to hear the answer."""


@dataclass(slots=True, kw_only=True)
class Deaths(Company):
    """Fault 2: processes of a pool die, killed or by what a node does."""

    POOLS: ClassVar[Sequence[str]] = ("prefork", "prefork", "prefork", "threads")

    @property
    def fate(self) -> Path:
        """Where a call finds that it has to die."""
        return self.fleet.world.root / "fate"

    def work(self, **shape: Any) -> Work:
        """Work that may be deadly."""
        return self.fleet.world.work(size=3, pace=0.05, fate=self.fate, **shape)

    def ways(self) -> list[Way]:
        """The ways to die."""
        return [self.kill_pool_child, self.leave, self.overflow, self.reach_nowhere, self.exceed, self.be_killed]

    def kill_pool_child(self) -> bool:
        """A child of a pool is gone."""
        head = self.worker().process
        with suppress(psutil.NoSuchProcess):
            children = [child for child in head.children() if child.cmdline() == head.cmdline()]
            for child in self.chance.sample(children, min(1, len(children))):
                child.kill()
                return True
        return False

    def leave(self) -> None:
        """A node calls `os._exit`."""
        self._die("leave")

    def overflow(self) -> None:
        """A node overflows the stack of C."""
        self._die("overflow")

    def reach_nowhere(self) -> None:
        """A node reads memory that is not there."""
        self._die("reach_nowhere")

    def exceed(self) -> None:
        """A node takes more memory than its process may have."""
        self._die("exceed")

    def be_killed(self) -> None:
        """A node is killed for the memory that it has taken."""
        self._die("be_killed")

    def _die(self, how: str) -> None:
        """Whoever works next dies so, the first time only."""
        decree(self.fate, how)
        self.until(lambda: not self.fate.exists())


@dataclass(slots=True, kw_only=True)
class Succession(Company):
    """Fault 16: workers are replaced one after the other under their names, and whoever recovers is killed as well."""

    NAMES: ClassVar[Sequence[str]] = ("ann", "bob", "cyd")
    IMPATIENT: ClassVar[tuple[float, float]] = (0.0, 2.0)
    """Seconds after which a supervisor has no patience any more with who was told to stop."""
    RECOVERY: ClassVar[float] = 20.0
    """Seconds within which somebody takes over, whoever had the duty to."""

    names: dict[str, str] = field(default_factory=dict)
    """The name under which each member works."""
    cables: dict[str, Cable] = field(default_factory=dict)
    """How each member reaches the database."""

    def ways(self) -> list[Way]:
        """The ways to be replaced."""
        replaced = [self.replace_ended, self.replace_impatiently, self.replace_killed]
        return [*replaced, self.kill_who_buries, self.kill_who_releases]

    def hire(self) -> None:
        """A worker is started under a name that nobody has."""
        taken = {self.names[member.name] for member in self.workers()}
        self._hire(next(name for name in self.NAMES if name not in taken))

    def open_web(self) -> None:
        """A web process is started, which may have to recover what the dead have left."""
        self._wired(lambda url: self.fleet.web(CODEMATION_DATABASE_URL=url))

    def replace_ended(self) -> None:
        """A worker is told to stop once its successor is on its way."""
        old = self._replaced()
        old.send(signal.SIGTERM, all_of_it=False)

    def replace_impatiently(self) -> None:
        """A worker is told to stop, and killed when it has not done so soon enough."""
        old = self._replaced()
        old.send(signal.SIGTERM, all_of_it=False)
        self.later(old.name, self.chance.uniform(*self.IMPATIENT), lambda: old.send(signal.SIGKILL))

    def replace_killed(self) -> None:
        """A worker is killed, and comes again at once under its name."""
        old = self.worker()
        old.send(signal.SIGKILL)
        self._hire(self.names[old.name])

    def kill_who_buries(self) -> bool:
        """A worker is killed, and so is whoever buries it."""
        return self._kill_two(BURIED)

    def kill_who_releases(self) -> bool:
        """A worker is killed, and so is whoever releases what it held."""
        return self._kill_two(TAKEN)

    def _replaced(self) -> Member:
        """Whoever has a successor of the same name, on its way."""
        old = self.worker()
        self._hire(self.names[old.name])
        return old

    def _hire(self, name: str) -> None:
        pool = self.chance.choice(self.POOLS)
        member = self._wired(lambda url: self.fleet.worker("--name", name, pool=pool, CODEMATION_DATABASE_URL=url))
        self.names[member.name] = name

    def _wired(self, start: Callable[[str], Member]) -> Member:
        """A member at the end of a cable of its own, by which it is known who asks for what."""
        cable = self.stack.enter_context(Cable(self.fleet.server.socket))
        member = start(cable.url(self.fleet.variables["CODEMATION_DATABASE_URL"]))
        self.cables[member.name] = cable
        return member

    def _kill_two(self, blow: bytes) -> bool:
        """Kill a worker, and whoever is the first to do this; says whether anybody did it."""
        first, second = self.worker(), threading.Event()

        def strike(member: Member) -> None:
            if not second.is_set():
                second.set()
                member.send(signal.SIGKILL)

        for member in (*self.workers(), *self.webs()):
            if member is not first:
                self.cables[member.name].strike(blow, partial(strike, member))
        first.send(signal.SIGKILL)
        struck = self._goes_on_until(second)
        for cable in self.cables.values():
            cable.spare()
        return struck

    def _goes_on_until(self, second: threading.Event) -> bool:
        """Hand in runs until somebody has begun to recover; whether anybody has, soon enough."""
        until = time.monotonic() + self.RECOVERY
        while not second.wait(0.1) and time.monotonic() < until:
            if self.unfinished() < self.AT_ONCE:
                self.begin()
        return second.is_set()
