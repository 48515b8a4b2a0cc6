"""What the cancel model is about: a run and its tickets as committed, and how far each actor has come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

RUN = "the run"
CANCEL = "the cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A row of live work: ready without an owner, marked once a cancel has committed."""

    id: str
    owner: int | None = None
    marked: bool = False
    bears: bool = False


class Phase(Enum):
    """Where a worker stands; the last three are inside a statement."""

    DOWN = "down"
    IDLE = "idle"
    WORKING = "working"
    STOPPING = "stopping"
    CLAIMING = "holds the lock of the ticket it claims"
    STEPPING = "holds the first lock of its step"
    COMMITTING = "holds both locks of its step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What a worker is doing, and on which ticket."""

    phase: Phase = Phase.IDLE
    ticket: str = ""


class Stage(Enum):
    """How far the cancel has come."""

    NOT_ASKED = "nobody has asked for it"
    LOOKED = "its one statement has taken its snapshot"
    HOLDS_RUN = "it holds the run"
    MARKING = "it is locking the tickets that it chose"
    ACKNOWLEDGED = "it has committed"
    TOO_LATE = "the run had already ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """How far the cancel has come, which tickets it still wants, and which it holds."""

    stage: Stage = Stage.NOT_ASKED
    chosen: tuple[Ticket, ...] = ()
    locked: frozenset[str] = frozenset()


class Status(Enum):
    """The run's state, as committed."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is committed, what every actor is doing, and the faults still to come."""

    tickets: frozenset[Ticket]
    workers: tuple[Worker, Worker]
    status: Status = Status.RUNNING
    cancel: Cancel = field(default_factory=Cancel)
    fold_due: bool = False
    late: str | None = None
    kills: int = 0
    false_take_overs: int = 0

    def ticket(self, wanted: str) -> Ticket | None:
        """Return the newest committed version of a ticket."""
        return next((ticket for ticket in self.tickets if ticket.id == wanted), None)


def with_worker(world: World, index: int, phase: Phase, ticket: str = "") -> World:
    """Return the world with one worker elsewhere."""
    first, second = world.workers
    worker = Worker(phase=phase, ticket=ticket)
    return replace(world, workers=(worker, second) if index == 0 else (first, worker))


def with_ticket(world: World, old: Ticket, new: Ticket | None) -> World:
    """Return the world with one ticket replaced, or deleted."""
    kept = world.tickets - {old}
    return replace(world, tickets=kept if new is None else kept | {new})


def snapshot(world: World) -> tuple[Ticket, ...]:
    """Return the tickets as a statement that begins now sees them, by id."""
    return tuple(sorted(world.tickets, key=lambda ticket: ticket.id))
