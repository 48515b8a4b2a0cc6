"""The journal: the truth about runs, and checkpoints from which it is read on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from codemation.core.ids import Head, RunId, TicketId, WorkflowId
from codemation.core.ports.steps import Commit, NewRun, Reopening
from codemation.core.ports.tickets import Claim, Holding
from codemation.core.states import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What is kept of a run beside its journal."""

    id: RunId
    workflow: WorkflowId
    digest: str
    status: RunStatus
    reason: str
    revision: int
    head: Head
    stop: bool
    params: str
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    turnstile: str | None = None
    """Where it has its place, or is queued for one."""
    parent: RunId | None = None
    origin: Mapping[str, Any] | None = None
    who: str = ""
    """Who or what has started it; empty where nobody has said so."""
    key: str | None = None
    """What it was started under, so that it is started once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One revision in the journal."""

    revision: int
    head: Head
    at: datetime
    delta: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a run stood at a revision, so that what came before need not be read."""

    revision: int
    state: bytes


Loaded: TypeAlias = tuple[RunRow, Checkpoint | None, tuple[Entry, ...]]
"""A run, its latest checkpoint, and its journal from there on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is true now of a run and of one ticket."""

    run: RunRow
    claim: Claim | None
    """The ticket, if the asking worker still holds it at any fence; `None` when it is gone or somebody else's."""
    tail: tuple[Entry, ...]


def nothing() -> None:
    """What is done where there is nothing to do."""


class Journal(Protocol):
    """The truth about runs: one statement and one commit a revision."""

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        """Record a new run; with a key that was used before, the run that it started. Sent twice, it is recorded once.

        `meanwhile` is as in `step`.

        A child is recorded only as long as its parent waits for it.

        Raises:
            InputError: the key was used with other params or another input, or the params are not JSON.
            HostError: the definition is not stored, or another run has the id.
            RunInTheWay: its turnstile is full, and refuses.
            UnwantedChild: nobody waits for it (any more), or somebody else has started it.
        """
        ...

    def step(self, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        """Write one revision; `False` when it was refused, by fence, revision or a cancel: `look` says which.

        `meanwhile` is called once or not at all, where whoever asks would only wait for the answer; it asks no store.
        Who gives one has nothing else to do, and no other work of its process waits.

        A finished run takes only revisions that leave it finished. What was recorded of an activation's progress goes
        with it, unless the ticket goes on being about that activation. The end of a run takes its unread letters along,
        and every ticket that nobody holds; its place is free, and given to who is queued for it. A run that is written
        as queued keeps standing where it stands. A fold ticket is never dropped while letters are left unanswered: then
        it is ready again, or the commit is refused. Whoever is refused and still holds the ticket hands it back.
        """
        ...

    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        """Write a revision each of several runs at once, as `step` would; the new heads of those that stand.

        `meanwhile` is called once or not at all, where whoever asks would only wait for the answer; it may ask other
        things of the stores.

        What is refused is left out, and so may be whatever somebody else is at work on in this moment, and all but the
        first commit of one run: nobody is waited for. An error means that nothing of what could be written together
        was written, and says nothing about the rest.
        """
        ...

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """Read the run, the ticket and the revisions since `after`, in a snapshot younger than any refused step.

        Raises:
            UnknownRun: there is none.
        """
        ...

    def age(self, run: RunId, revision: int) -> float:
        """For how many seconds a revision has been there, by the clock of the store; 0 where it is not there."""
        ...

    def load(self, run: RunId) -> tuple[RunRow, tuple[Entry, ...]]:
        """The run and its whole journal.

        Raises:
            UnknownRun: there is none.
        """
        ...

    def reopen(self, reopening: Reopening) -> bool:
        """Let a run go on anew; `False` when it does not stand where it may, is being stopped, or has changed.

        Whoever still holds a ticket of its former life holds nothing any more.
        """
        ...

    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        """Stop the run: mark it, then each of its tickets, and ask for a fold; `False` when `row` is out of date.

        When it returns, no activation of the run is claimed any more; what is held already is held until it is handed
        back or taken over.
        """
        ...


class Checkpoints(Protocol):
    """Where runs stood, beside their journals, which lose nothing by it."""

    def load(self, *runs: RunId) -> Mapping[RunId, Loaded]:
        """Of each of these runs that there is: its row, its latest checkpoint, and its journal from there on.

        The revision of the checkpoint is included. What is not even spelled like an id names no run.
        """
        ...

    def keep(self, run: RunId, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; again is harmless, and so is a run that is not there any more."""
        ...

    def compact(self, limit: int = 500) -> int:
        """Delete checkpoints that a later one of the same run has replaced; says how many."""
        ...
