"""The database of the step model, and its statements as pure functions: what one of them does, it does at once.

The run executes the graph a → b, c → d. The journal keeps each result with the random head of the step that wrote
it; a ticket is a row of live work, reused in place along a branch; the condemned are the process starts that were
declared dead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

FOLLOWERS: dict[str, tuple[str, ...]] = {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
NEEDS: dict[str, frozenset[str]] = {"b": frozenset("a"), "c": frozenset("a"), "d": frozenset("bc")}


class Guard(Enum):
    """What the `step` statement checks before it writes."""

    FENCE_AND_REVISION = "the fence and the revision, all or nothing"
    REVISION_ALONE = "the revision, but not who holds the ticket"
    FENCE_ALONE = "the fence, but not the revision that was folded"
    EACH_ITS_OWN_PART = "the revision guards the journal and the fence guards the ticket, independently"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One start of a worker process: after a restart, or under a new id, it is somebody else."""

    worker: int
    life: int


Head: TypeAlias = tuple[Owner, str, int, int]
"""What stands for the random head of a step: who, which ticket, under which fence, and which sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A `step` statement as a client sends it: the result of one activation, and how to go on."""

    owner: Owner
    ticket: str
    fence: int
    sending: int
    activation: str
    folded: int
    walks_on: bool

    @property
    def head(self) -> Head:
        """The head that the journal will hold if this statement is executed."""
        return (self.owner, self.ticket, self.fence, self.sending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A row of live work, ready when nobody owns it; its id is the activation that it was made for."""

    id: str
    activation: str
    owner: Owner | None = None
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What survives every process."""

    journal: tuple[tuple[str, Head | None], ...] = ()
    tickets: frozenset[Ticket] = frozenset()
    condemned: frozenset[Owner] = frozenset()

    def ticket(self, wanted: str) -> Ticket | None:
        """Return the ticket of this id, if it lives."""
        return next((ticket for ticket in self.tickets if ticket.id == wanted), None)

    def results(self) -> list[str]:
        """Return the activations whose result is recorded, in the order of the journal."""
        return [activation for activation, _ in self.journal]

    def landed(self, head: Head) -> bool:
        """Say whether a step with this head was committed."""
        return any(recorded == head for _, recorded in self.journal)

    def finished(self) -> bool:
        """Say whether the run has ended."""
        return "d" in self.results()

    def changing(self, old: Ticket, new: Ticket | None) -> Database:
        """Return the database with one ticket replaced, or deleted."""
        kept = self.tickets - {old}
        return replace(self, tickets=kept if new is None else kept | {new})


def newly_ready(database: Database, step: Step) -> tuple[str, ...]:
    """Return what becomes ready by a result, in the eyes of a client that has folded `step.folded` revisions."""
    known = {*database.results()[: step.folded], step.activation}
    return tuple(follower for follower in FOLLOWERS[step.activation] if NEEDS[follower] <= known)


def execute_step(database: Database, step: Step, guard: Guard) -> tuple[Database, bool]:
    """Execute a `step` statement; return the database after it and whether the client gets its row back."""
    row = database.ticket(step.ticket)
    fenced = row is not None and row.owner == step.owner and row.fence == step.fence
    current = step.folded == len(database.journal)
    match guard:
        case Guard.FENCE_AND_REVISION:
            records, goes_on = fenced and current, fenced and current
        case Guard.REVISION_ALONE:
            records, goes_on = current, current
        case Guard.FENCE_ALONE:
            records, goes_on = fenced, fenced
        case Guard.EACH_ITS_OWN_PART:
            records, goes_on = current, fenced
    ready = newly_ready(database, step)
    if records:
        made = {Ticket(id=other, activation=other) for other in ready[1:] if database.ticket(other) is None}
        journal = (*database.journal, (step.activation, step.head))
        database = replace(database, journal=journal, tickets=database.tickets | made)
    if goes_on and row is not None:
        owner = row.owner if step.walks_on else None
        follower = replace(row, activation=ready[0], owner=owner, fence=row.fence + 1) if ready else None
        database = database.changing(row, follower)
    return database, goes_on


def claim(database: Database, ticket: Ticket, owner: Owner) -> tuple[Database, Ticket]:
    """Give a ready ticket to a worker; return the database and the ticket as the worker gets it back."""
    claimed = replace(ticket, owner=owner, fence=ticket.fence + 1)
    return database.changing(ticket, claimed), claimed


def condemn(database: Database, owner: Owner) -> Database:
    """Declare a process start dead, rightly or not."""
    return replace(database, condemned=database.condemned | {owner})


def take_over(database: Database, owner: Owner) -> Database:
    """Free every ticket that a worker holds."""
    freed = {replace(ticket, owner=None) if ticket.owner == owner else ticket for ticket in database.tickets}
    return replace(database, tickets=frozenset(freed))
