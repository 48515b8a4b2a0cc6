"""The rows of every port, behind one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from codemation.core.definition import Definition
from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkerId
from codemation.core.ports import Chunk, Claim, Entry, Holding, Lane, Letter, LogLine, NewTicket, RunRow, WorkerRow
from codemation.core.states import FINISHED, RunStatus

FOLD = ActivationId("")
"""What a fold ticket is about: no node."""


@dataclass(slots=True)
class Ticket:
    id: TicketId
    run: RunId
    activation: ActivationId
    lane: Lane
    priority: int
    state: str = "ready"
    due_at: datetime | None = None
    owner: WorkerId | None = None
    fence: int = 0
    starts: int = 0
    lost: int = 0
    stop: bool = False

    def held(self, holding: Holding) -> bool:
        return self.state == "running" and self.owner == holding.worker and self.fence == holding.fence

    def ready(self) -> None:
        self.state, self.owner, self.due_at = "ready", None, None

    def claim(self, worker: WorkerId, run: RunId) -> Claim:
        holding = Holding(ticket=self.id, worker=worker, fence=self.fence)
        return Claim(
            holding=holding,
            run=run,
            activation=self.activation,
            queue=self.lane.queue,
            priority=self.priority,
            starts=self.starts,
        )


@dataclass(slots=True)
class Tables:
    """The rows of every port."""

    clock: Callable[[], datetime]
    lock: threading.RLock = field(default_factory=threading.RLock)
    runs: dict[RunId, RunRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[RunId, bytes]] = field(default_factory=dict)
    journal: dict[RunId, list[tuple[Entry, bytes]]] = field(default_factory=dict)
    tickets: dict[TicketId, Ticket] = field(default_factory=dict)
    progress: dict[tuple[TicketId, ActivationId], list[Chunk]] = field(default_factory=dict)
    letters: dict[RunId, list[Letter]] = field(default_factory=dict)
    posted: set[tuple[RunId, str]] = field(default_factory=set)
    workers: dict[WorkerId, WorkerRow] = field(default_factory=dict)
    buried: set[WorkerId] = field(default_factory=set)
    batches: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    logs: dict[RunId, list[LogLine]] = field(default_factory=dict)
    serial: int = 0

    def of_run(self, run: RunId) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if ticket.run == run]

    def add(self, run: RunRow, tickets: Iterable[NewTicket]) -> None:
        for new in tickets:
            lane = Lane(queue=new.queue, digest=run.digest)
            self.tickets[new.id] = Ticket(new.id, run.id, new.activation, lane, new.priority or run.priority)

    def ask_for_fold(self, run: RunRow, fold: TicketId, *, stop: bool = False) -> None:
        known = next((ticket for ticket in self.of_run(run.id) if ticket.activation == FOLD), None)
        lane = Lane(queue="", digest="")
        ticket = known or Ticket(fold, run.id, FOLD, lane, run.priority)
        ticket.ready()
        ticket.fence += 1
        self.tickets[ticket.id] = ticket

    def write(self, row: RunRow, head: Head, delta: bytes, output: bytes | None) -> None:
        entry = Entry(revision=row.revision, head=head, at=self.clock(), delta=delta)
        self.journal.setdefault(row.id, []).append((entry, output or b""))
        self.runs[row.id] = row

    def ended(self, status: RunStatus) -> datetime | None:
        return self.clock() if status in FINISHED else None
