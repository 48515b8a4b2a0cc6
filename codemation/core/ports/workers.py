"""Who works, what is done beside work by one process at a time, and how much there is of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from codemation.core.ids import WorkerId
from codemation.core.states import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A process that executes activations."""

    id: WorkerId
    name: str
    place: str
    """Machine boot and process namespace: where a pid means something."""
    pid: int
    pid_started: int
    """What the system says of the process's start, so that a reused pid is not taken for it."""
    version: str = ""
    beat: int = 0
    host: str = ""
    """The machine, for people."""
    queues: tuple[str, ...] = ()
    """What it serves of what anybody has started; nothing, if it works for itself."""
    digests: tuple[str, ...] = ()
    """The definitions whose code it has."""
    slots: int = 0
    """Activations at a time."""
    load: int = 0
    """Activations now."""
    started_at: datetime | None = field(default=None, compare=False)
    """When it was entered; the store says so."""
    silent: float = field(default=0.0, compare=False)
    """Seconds since its last beat, by the clock of the store; for people, for nobody is buried by it."""


class Workers(Protocol):
    """Who lives."""

    def register(self, worker: WorkerRow) -> None:
        """Enter a process that has just started; again changes what it serves, and nothing else."""
        ...

    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives and read who is entered; `None` when it was buried meanwhile, or never entered."""
        ...

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody who is entered and not buried, or still holds a ticket."""
        ...

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter the death of workers: they neither beat nor claim any more, and what they hold awaits a take-over."""
        ...


DUTIES = ("recover", "fire", "schedule", "poll", "prune", "compact")
"""What is done for all processes by one of them at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow:
    """A duty, and who has it."""

    name: str
    holder: WorkerId | None = None
    epoch: int = 0
    """Rises whenever somebody takes it."""
    beat: int = 0
    """Rises as long as the holder lives."""
    last_at: datetime | None = None
    """When it was last done."""
    age: float | None = None
    """Seconds since then, by the clock of the store."""
    lag: float | None = None
    """Seconds by which it was late then."""
    worker: WorkerRow | None = None
    """The holder as it is entered."""
    gone: bool = False
    """Whether the holder is buried, or not entered any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What a process learns when it says that it holds duties: who holds which, and how soon there is something to do.

    Seconds until the next time of each kind; `None` where there is none, negative where it has passed.
    """

    duties: tuple[DutyRow, ...]
    fire: float | None = None
    """A wait that is over, or a retry that is due."""
    schedule: float | None = None
    """A tick."""
    poll: float | None = None
    """A source that is to be asked, of the triggers that the process knows."""
    owed: float | None = None
    """A run that is owed, of the triggers that the process knows."""


class Duties(Protocol):
    """What one process of all should do from time to time; that two do it is a waste, never a fault."""

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        """Say that the holder of duties lives, each by the epoch at which it took it, and learn how all of them stand.

        What it `did` since the last beat was done now, late by so many seconds. A duty that somebody else has taken
        meanwhile is not beaten for.
        """
        ...

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        """Take a duty that stands as `known` says, by epoch and beat; its new epoch, `None` if somebody was faster."""
        ...

    def leave(self, worker: WorkerId) -> None:
        """Give up whatever this worker holds, so that the next one need not wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReading:
    """What there is to do in a queue."""

    queue: str
    state: str
    """`ready`, `running` or `waiting`."""
    tickets: int
    age: float
    """Seconds since the one that has stood there longest became due; 0 where that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much there is to do, and how long it takes."""

    unfinished: Mapping[RunStatus, int]
    finished: Mapping[RunStatus, int]
    """Those that have ended within an hour, of those started within a day."""
    seconds: float
    """That the latter have taken, all together."""
    within: tuple[int, ...]
    """How many of them took no longer than each of the bounds that were asked for."""
    queues: tuple[QueueReading, ...]


class Gauges(Protocol):
    """Figures for who watches over all. Never on a hot path, and never about a single run."""

    def read(self, bounds: Sequence[float]) -> Reading:
        """Read all of them; `bounds` are seconds, rising."""
        ...
