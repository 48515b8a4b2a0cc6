"""What people read of runs: lists, logs, what is claimed by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.ports.journal import RunRow
from codemation.core.ports.tickets import TicketKind
from codemation.core.states import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """Something that a node printed or logged."""

    at: datetime
    activation: ActivationId
    attempt: int
    level: str
    text: str
    number: int = field(default=0, compare=False)
    """Of two lines of a run the one that was kept later has the higher one; the store says so."""


class Logs(Protocol):
    """What nodes print and log, bounded per activation; not part of the truth about a run."""

    def append(self, run: RunId, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        ...

    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        """The lines of a run or of one node, oldest first; at most the last `limit`.

        With `after` the first `limit` of those with a higher number. Whoever goes on from the highest that he has read
        is given every line, for none is ever kept with a number below one that could be read before.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A live ticket for people: what is being done, by whom."""

    id: TicketId
    run: RunId
    activation: ActivationId
    state: str
    """`ready`, `running` or `waiting`."""
    worker: WorkerId | None
    due_at: datetime | None
    lost: int
    kind: TicketKind = "work"
    queue: str = "default"
    done: int = 0
    """Items of its activation that are finished and recorded, while the rest is under way."""
    wait: str = ""
    """Of a wait: what names it within the activation."""
    pool: str = ""
    """Whose slot is needed to hold it."""
    shards: tuple[int, int] | None = None
    """Of an activation that was split: how many of its shards have ended, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """A run that nobody will go on with: it has no live owner, no due time and no waker."""

    run: RunId
    workflow: WorkflowId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Which runs are meant."""

    since: datetime | None = None
    """Started then or later."""
    until: datetime | None = None
    """Started before."""
    like: str = ""
    """How the id begins or ends."""
    children: bool = True
    """Whether runs are meant that work for others."""


ANYWHERE = Within()


class RunList(Protocol):
    """The read side: what people list and look up. Never on a hot path."""

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first, from just before the run `before`."""
        ...

    def hidden(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        between: tuple[RunId | None, RunId | None] = (None, None),
        most: int = 10_000,
    ) -> int:
        """How many runs that work for others a page without children has left out.

        It lies `between` the run before which it begins and its last one, each `None` where nothing follows on that
        side. No more than `most` are counted.
        """
        ...

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """The runs whose id begins or ends with `prefix`, at most ten, youngest first."""
        ...

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """The live tickets of a run."""
        ...

    def unattended(self) -> tuple[Unattended, ...]:
        """Runs that break the invariant of the protocol; empty on a healthy system with a worker for each lane."""
        ...
