"""The rows of every port, behind one lock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from codemation.core.definition import Definition
from codemation.core.ids import START, ActivationId, Head, NodeId, RunId, TicketId, WorkerId, activation_id
from codemation.core.ports import (
    Checkpoint,
    Chunk,
    Claim,
    Deadline,
    Deed,
    Entry,
    Holding,
    Lane,
    Letter,
    LogLine,
    NewRun,
    NewTicket,
    Parent,
    RunRow,
    SentEvent,
    Shard,
    TicketKind,
    Token,
    WaitTicket,
    WorkerRow,
)
from codemation.core.waits import DEADLINE
from codemation.host.memory.armed import ArmedRows
from codemation.host.memory.deployed import Deployed

FOLD = ActivationId("")
"""What a fold ticket is about: no node."""
FOLD_LANE = Lane(queue="", digest="")
"""Served by everybody: folding needs the plan, which is data, and nobody's code."""
FOLD_PRIORITY = 1_000_000
"""Above all work: a cancel or a decision is folded before another node is begun."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Ticket:
    """One row of live work."""

    id: TicketId
    run: RunId
    activation: ActivationId
    lane: Lane
    priority: int
    due_at: datetime | None
    """Since when it has been ready, or when it will be; `None` for a wait without an end."""
    state: str = "ready"
    owner: WorkerId | None = None
    fence: int = 0
    starts: int = 0
    lost: int = 0
    stop: bool = False
    kind: TicketKind = "work"
    wait: str = ""
    wait_key: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    pool: str = ""
    shard: Shard | None = None
    left: int | None = None
    """Shards of an activation that was split that have not ended; `shards` says how many it had."""
    shards: int = 0

    @property
    def is_wait(self) -> bool:
        """Whether something outside of the run answers it, so that nobody claims it."""
        return self.kind not in ("work", "shard", "fold")

    @property
    def is_fold(self) -> bool:
        """Whether it asks for a fold of the run's inbox."""
        return self.activation == FOLD

    @property
    def urgency(self) -> tuple[int, datetime, TicketId]:
        """Sorts the most urgent ticket first."""
        return -self.priority, self.due_at or _NEVER, self.id

    def held(self, holding: Holding) -> bool:
        """Whether the holding is still good."""
        return self.state == "running" and self.owner == holding.worker and self.fence == holding.fence

    def give_to(self, worker: WorkerId) -> Claim:
        """Begin a claim: older holdings are refused from now on."""
        self.state, self.owner = "running", worker
        self.fence += 1
        self.starts += 1
        return self.claim(worker)

    def claim(self, worker: WorkerId) -> Claim:
        """The claim as its holder knows it."""
        return Claim(
            holding=Holding(ticket=self.id, worker=worker, fence=self.fence),
            run=self.run,
            activation=self.activation,
            queue=self.lane.queue,
            priority=self.priority,
            starts=self.starts,
            shard=self.shard,
            joins=self.left == 0,
        )


@dataclass(slots=True)
class Tables:
    """The rows of every port; whoever reads or writes them holds the lock."""

    clock: Callable[[], datetime]
    lock: threading.RLock = field(default_factory=threading.RLock)
    runs: dict[RunId, RunRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[RunId, bytes]] = field(default_factory=dict)
    key_ends: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Until when a key counts, whatever became of its run."""
    parents: dict[RunId, Parent] = field(default_factory=dict)
    """Which wait is answered by the end of a child."""
    ages: dict[RunId, Mapping[str, float | None]] = field(default_factory=dict)
    """For how many seconds a run is kept after its end, by outcome."""
    journal: dict[RunId, list[tuple[Entry, bytes]]] = field(default_factory=dict)
    checkpoints: dict[RunId, dict[int, Checkpoint]] = field(default_factory=dict)
    tickets: dict[TicketId, Ticket] = field(default_factory=dict)
    progress: dict[tuple[TicketId, ActivationId], dict[int, Chunk]] = field(default_factory=dict)
    letters: dict[RunId, list[Letter]] = field(default_factory=dict)
    events: dict[str, SentEvent] = field(default_factory=dict)
    receipts: dict[tuple[str, RunId, NodeId], ActivationId] = field(default_factory=dict)
    """Which activation of a node was given an event."""
    workers: dict[WorkerId, WorkerRow] = field(default_factory=dict)
    buried: set[WorkerId] = field(default_factory=set)
    served: dict[WorkerId, frozenset[Lane]] = field(default_factory=dict)
    batches: dict[str, bytes] = field(default_factory=dict)
    homes: dict[str, RunId] = field(default_factory=dict)
    """Whose each batch is."""
    borrowed: set[tuple[str, RunId]] = field(default_factory=set)
    armed: ArmedRows = field(default_factory=ArmedRows)
    blobs: dict[str, bytes] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    logs: dict[RunId, list[LogLine]] = field(default_factory=dict)
    recalled: dict[bytes, tuple[RunId, str]] = field(default_factory=dict)
    tokens: dict[bytes, Token] = field(default_factory=dict)
    deeds: dict[str, Deed] = field(default_factory=dict)
    deployed: Deployed = field(default_factory=Deployed)
    pools: dict[str, int] = field(default_factory=dict)
    rates: dict[str, datetime] = field(default_factory=dict)
    """Until when calls are booked."""
    follow_ups: dict[tuple[RunId, int], str] = field(default_factory=dict)
    """What is to be started because a run has failed at a revision."""
    turnstiles: dict[str, int] = field(default_factory=dict)
    """How many runs each lets in."""
    serial: int = 0

    def counts(self, key: tuple[str, str]) -> bool:
        """Whether a key still stands for the run that it started."""
        end = self.key_ends.get(key)
        return end is None or end > self.clock() or self.keys[key][0] in self.runs

    def enter_key(self, run: NewRun) -> None:
        """Let the key of a run stand for it, if it has one."""
        if run.key is None:
            return
        key = (run.workflow, run.key)
        self.keys[key] = (run.id, run.input_digest)
        self.key_ends.pop(key, None)
        if run.key_age is not None:
            self.key_ends[key] = self.clock() + timedelta(seconds=run.key_age)

    def of_run(self, run: RunId) -> list[Ticket]:
        """The live tickets of a run."""
        return [ticket for ticket in self.tickets.values() if ticket.run == run]

    def taken(self, pool: str) -> int:
        """How many slots of a pool are taken."""
        return sum(ticket.pool == pool and ticket.state == "running" for ticket in self.tickets.values())

    def has_slot(self, pool: str) -> bool:
        """Whether a slot of a pool is free."""
        return self.taken(pool) < self.pools.get(pool, 0)

    def held(self, holding: Holding) -> Ticket | None:
        """The ticket of a holding that is still good."""
        ticket = self.tickets.get(holding.ticket)
        return ticket if ticket is not None and ticket.held(holding) else None

    def add(self, run: RunRow, tickets: Iterable[NewTicket]) -> None:
        """Enter new work of a run."""
        for new in tickets:
            lane = Lane(queue=new.queue, digest=run.digest)
            priority = new.priority or run.priority
            self.tickets[new.id] = Ticket(new.id, run.id, new.activation, lane, priority, self.clock(), pool=new.pool)

    def add_waits(self, run: RunId, waits: Iterable[WaitTicket]) -> None:
        """Enter what an activation of a run waits for."""
        now = self.clock()
        for new in waits:
            times = [] if new.delay is None else [now + timedelta(seconds=new.delay)]
            times += [] if new.until is None else [datetime.fromtimestamp(new.until, UTC)]
            due = max(times, default=None)
            ticket = Ticket(new.id, run, new.activation, FOLD_LANE, 0, due, state="waiting", kind=new.kind)
            ticket.wait, ticket.wait_key, ticket.detail = new.wait, new.wait_key, new.detail
            self.tickets[new.id] = ticket

    def answer(self, ticket: Ticket, body: str, fold: TicketId | None = None) -> None:
        """Take a wait, and leave its answer in the inbox of its run."""
        self.drop(ticket)
        letters = self.letters.setdefault(ticket.run, [])
        letters.append(Letter(id=self.number(), key=f"wait:{ticket.id}", body=body, at=self.clock().timestamp()))
        self.ask_for_fold(ticket.run, TicketId(-self.number()) if fold is None else fold)

    def awaited(self, child: RunId) -> Ticket | None:
        """The wait that the end of a child answers, while it is open."""
        parent = self.parents.get(child)
        ticket = None if parent is None else self.tickets.get(parent.ticket)
        return ticket if parent and ticket and ticket.run == parent.run and not ticket.stop else None

    def is_over(self, run: object) -> bool:
        """Whether there is such a run, and it has ended."""
        row = self.runs.get(RunId(str(run)))
        return row is not None and row.finished_at is not None

    def tell(self, child: RunRow) -> None:
        """Let whoever waits for a child know that it is over."""
        ticket = self.awaited(child.id)
        if ticket is not None:
            said = {"kind": "ChildEnded", "activation": ticket.activation, "wait": ticket.wait, "child": child.id}
            self.answer(ticket, json.dumps({**said, "status": child.status, "reason": child.reason}))

    def time_is_over(self, ticket: Ticket) -> None:
        """Take a wait whose time has come."""
        self.answer(ticket, json.dumps({"kind": "TimerFired", "activation": ticket.activation, "wait": ticket.wait}))

    def set_deadline(self, run: RunId, deadline: Deadline | None) -> None:
        """Let a run be told when its time is over."""
        if deadline is not None:
            due_at = self.clock() + timedelta(seconds=deadline.seconds)
            ticket = Ticket(deadline.ticket, run, activation_id(START), FOLD_LANE, 0, due_at)
            ticket.state, ticket.kind, ticket.wait = "waiting", "timer", DEADLINE
            self.tickets[deadline.ticket] = ticket

    def free(self, ticket: Ticket, delay: float = 0.0) -> None:
        """Let anybody claim a ticket, `delay` seconds from now at the earliest."""
        ticket.state, ticket.owner = "waiting" if delay > 0 else "ready", None
        ticket.due_at = self.clock() + timedelta(seconds=max(0.0, delay))

    def count_shard(self, parent: Ticket, chunk: Chunk) -> None:
        """Record the last that a shard has to say, and that there is one less."""
        self.progress.setdefault((parent.id, parent.activation), {})[chunk.number] = chunk
        parent.left = (parent.left or 0) - 1

    def end_idle_shards(self, parent: Ticket) -> None:
        """Be done with those shards that nobody works on."""
        for one in self.of_run(parent.run):
            if one.shard is not None and one.shard.parent == parent.id and one.state != "running":
                del self.tickets[one.id]
                parent.left = (parent.left or 0) - 1

    def drop(self, ticket: Ticket) -> None:
        """Be done with a ticket."""
        del self.tickets[ticket.id]
        self.forget_progress(ticket.id)

    def forget_progress(self, ticket: TicketId, but: ActivationId | None = None) -> None:
        """Forget what was recorded on a ticket, except of the activation `but`."""
        done = [(id_, activation) for id_, activation in self.progress if id_ == ticket and activation != but]
        for place in done:
            del self.progress[place]

    def fold_of(self, run: RunId) -> Ticket | None:
        """The run's fold ticket, if it has one."""
        return next((ticket for ticket in self.of_run(run) if ticket.is_fold), None)

    def ask_for_fold(self, run: RunId, fold: TicketId) -> None:
        """Let somebody fold: whoever has begun to fold before this is refused, for there is more to fold now."""
        ticket = self.fold_of(run)
        if ticket is None:
            self.tickets[fold] = Ticket(fold, run, FOLD, FOLD_LANE, FOLD_PRIORITY, self.clock(), kind="fold")
            return
        ticket.fence += 1
        self.free(ticket)

    def write(self, row: RunRow, head: Head, delta: bytes, output: bytes | None) -> None:
        """Enter a revision."""
        entry = Entry(revision=row.revision, head=head, at=self.clock(), delta=delta)
        self.journal.setdefault(row.id, []).append((entry, output or b""))
        self.runs[row.id] = row

    def number(self) -> int:
        """A number that was never given before."""
        self.serial += 1
        return self.serial
