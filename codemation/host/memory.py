"""Every port in memory: for tests, and the measure of what the other adapters must do.

One lock stands for the database: whatever happens under it happens at once, as one statement does in PostgreSQL.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from codemation.core.definition import Definition
from codemation.core.errors import HostError, InputError, PayloadLost, UnknownRun
from codemation.core.facts import Began, Done, decode_delta
from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkerId
from codemation.core.items import Batch, BatchKind
from codemation.core.ports import (
    Chunk,
    Claim,
    Commit,
    Drop,
    Entry,
    Holding,
    Lane,
    Leave,
    Letter,
    LogLine,
    Look,
    NewRun,
    NewTicket,
    Reopening,
    RunRow,
    StoredBlob,
    Stores,
    TakenOver,
    TicketRow,
    Unattended,
    WorkerRow,
)
from codemation.core.states import FINISHED, RunStatus

_FOLD = ActivationId("")


@dataclass(slots=True)
class _Ticket:
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
class _Tables:
    """The rows of every port."""

    clock: Callable[[], datetime]
    lock: threading.RLock = field(default_factory=threading.RLock)
    runs: dict[RunId, RunRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[RunId, bytes]] = field(default_factory=dict)
    journal: dict[RunId, list[tuple[Entry, bytes]]] = field(default_factory=dict)
    tickets: dict[TicketId, _Ticket] = field(default_factory=dict)
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

    def of_run(self, run: RunId) -> list[_Ticket]:
        return [ticket for ticket in self.tickets.values() if ticket.run == run]

    def add(self, run: RunRow, tickets: Iterable[NewTicket]) -> None:
        for new in tickets:
            lane = Lane(queue=new.queue, digest=run.digest)
            self.tickets[new.id] = _Ticket(new.id, run.id, new.activation, lane, new.priority or run.priority)

    def ask_for_fold(self, run: RunRow, fold: TicketId, *, stop: bool = False) -> None:
        known = next((ticket for ticket in self.of_run(run.id) if ticket.activation == _FOLD), None)
        lane = Lane(queue="", digest="")
        ticket = known or _Ticket(fold, run.id, _FOLD, lane, run.priority)
        ticket.ready()
        ticket.fence += 1
        self.tickets[ticket.id] = ticket

    def write(self, row: RunRow, head: Head, delta: bytes, output: bytes | None) -> None:
        entry = Entry(revision=row.revision, head=head, at=self.clock(), delta=delta)
        self.journal.setdefault(row.id, []).append((entry, output or b""))
        self.runs[row.id] = row

    def ended(self, status: RunStatus) -> datetime | None:
        return self.clock() if status in FINISHED else None


class MemoryJournal:
    """Runs and their journals."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def start(self, run: NewRun) -> RunId:
        """Record a new run, or find the one that its key started."""
        tables = self._tables
        with tables.lock:
            if run.id in tables.runs:
                return run.id
            if run.key is not None:
                known, digest = tables.keys.setdefault((run.workflow, run.key), (run.id, run.input_digest))
                if digest != run.input_digest:
                    raise InputError(
                        f'the key "{run.key}" has already started run {known} of "{run.workflow}" with another input',
                        way_out="use another key, or the same params and items",
                    )
                if known != run.id:
                    return known
            now = tables.clock()
            row = RunRow(
                id=run.id,
                workflow=run.workflow,
                digest=run.digest,
                status=run.status,
                reason=run.reason,
                revision=1,
                head=run.head,
                stop=False,
                params=run.params,
                priority=run.priority,
                created_at=now,
                started_at=now,
                finished_at=tables.ended(run.status),
            )
            tables.write(row, run.head, run.delta, run.output)
            tables.add(row, run.tickets)
            self._claim_first(run.tickets, run.claimed_by)
            return run.id

    def step(self, commit: Commit) -> bool:
        """Write one revision."""
        tables = self._tables
        with tables.lock:
            row, ticket = tables.runs.get(commit.run), tables.tickets.get(commit.holding.ticket)
            if row is None or (row.revision, row.head, row.stop) != (commit.revision, commit.head, commit.cancelling):
                return False
            if ticket is None or not ticket.held(commit.holding):
                return False
            row = replace(
                row,
                revision=row.revision + 1,
                head=commit.new_head,
                status=commit.status,
                reason=commit.reason or row.reason,
                stop=row.stop and commit.status not in FINISHED,
                finished_at=tables.ended(commit.status),
            )
            tables.write(row, commit.new_head, commit.delta, commit.output)
            tables.progress.pop((ticket.id, ticket.activation), None) if not isinstance(commit.then, Leave) else None
            self._go_on(ticket, commit)
            tables.add(row, commit.more)
            letters = tables.letters.get(commit.run, [])
            tables.letters[commit.run] = [letter for letter in letters if letter.id not in commit.consumed]
            return True

    def _go_on(self, ticket: _Ticket, commit: Commit) -> None:
        tables, then = self._tables, commit.then
        if commit.cancelling:
            for other in tables.of_run(commit.run):
                del tables.tickets[other.id]
        elif isinstance(then, Drop):
            del tables.tickets[ticket.id]
        elif isinstance(then, Leave):
            ticket.ready()
            ticket.activation, ticket.priority = then.activation, then.priority
            ticket.lane = replace(ticket.lane, queue=then.queue)
            ticket.starts = ticket.lost = 0
            if then.delay:
                ticket.state, ticket.due_at = "waiting", tables.clock() + timedelta(seconds=then.delay)
        else:
            ticket.activation, ticket.starts, ticket.lost = then.activation, 1, 0
            ticket.fence += 1

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """What is true now."""
        tables = self._tables
        with tables.lock:
            row, entries = self.load(run)
            ticket = tables.tickets.get(holding.ticket)
            mine = ticket is not None and ticket.state == "running" and ticket.owner == holding.worker
            claim = ticket.claim(holding.worker, run) if ticket and mine else None
            return Look(run=row, claim=claim, tail=tuple(entry for entry in entries if entry.revision > after))

    def load(self, run: RunId) -> tuple[RunRow, tuple[Entry, ...]]:
        """The run and its journal."""
        with self._tables.lock:
            row = self._tables.runs.get(run)
            if row is None:
                raise UnknownRun(f"no run {run}", way_out="codemation runs list")
            return row, tuple(entry for entry, _ in self._tables.journal[run])

    def reopen(self, reopening: Reopening) -> bool:
        """Let a finished run go on."""
        tables = self._tables
        with tables.lock:
            row = tables.runs[reopening.run]
            unfinished = row.status not in (RunStatus.FAILED, RunStatus.CANCELLED)
            if unfinished or (row.revision, row.head) != (reopening.revision, reopening.head):
                return False
            row = replace(
                row,
                revision=row.revision + 1,
                head=reopening.new_head,
                digest=reopening.digest,
                status=reopening.status,
                reason=reopening.reason,
                stop=False,
                finished_at=tables.ended(reopening.status),
            )
            tables.write(row, reopening.new_head, reopening.delta, None)
            tables.add(row, reopening.tickets)
            self._claim_first(reopening.tickets, reopening.claimed_by)
            return True

    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        """Stop a run."""
        tables = self._tables
        with tables.lock:
            now = tables.runs[run]
            if (now.revision, now.head, now.stop) != (row.revision, row.head, False) or now.status in FINISHED:
                return False
            now = replace(now, revision=now.revision + 1, head=new_head, stop=True)
            tables.write(now, new_head, delta, None)
            for ticket in tables.of_run(run):
                ticket.stop = ticket.activation != _FOLD
            tables.ask_for_fold(now, fold)
            return True

    def _claim_first(self, tickets: Sequence[NewTicket], worker: WorkerId | None) -> None:
        if tickets and worker is not None:
            first = self._tables.tickets[tickets[0].id]
            first.state, first.owner, first.fence, first.starts = "running", worker, 1, 1


class MemoryTickets:
    """Live work."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        """Claim the most urgent of these lanes."""
        tables = self._tables
        with tables.lock:
            if worker in tables.buried:
                return None
            served = {*lanes, Lane(queue="", digest="")}
            ready = [
                one
                for one in tables.tickets.values()
                if one.state == "ready" and not one.stop and one.lane in served and ticket in (None, one.id)
            ]
            if not ready:
                return None
            best = min(ready, key=lambda one: -one.priority)
            best.state, best.owner, best.due_at = "running", worker, None
            best.fence += 1
            best.starts += 1
            return best.claim(worker, best.run)

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back."""
        with self._tables.lock:
            held = [(self._tables.tickets.get(holding.ticket), holding) for holding in holdings]
            mine = [ticket for ticket, holding in held if ticket and ticket.held(holding)]
            for ticket in mine:
                self._release(ticket)
                ticket.starts -= 1
            return len(mine)

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held."""
        tables = self._tables
        released, stopped, poisoned = 0, set[RunId](), list[tuple[RunId, ActivationId, int]]()
        with tables.lock:
            for ticket in [one for one in tables.tickets.values() if one.state == "running" and one.owner in dead]:
                ticket.lost += 1
                if ticket.stop:
                    stopped.add(ticket.run)
                    self._release(ticket)
                elif ticket.lost >= poison_after:
                    del tables.tickets[ticket.id]
                    poisoned.append((ticket.run, ticket.activation, ticket.lost))
                    body = f'{{"kind":"Lost","activation":"{ticket.activation}","times":{ticket.lost}}}'
                    MemoryInbox(tables).post(ticket.run, f"lost:{ticket.id}:{ticket.fence}", body, ticket.id)
                else:
                    released += 1
                    self._release(ticket)
                    if ticket.lost > 1:
                        ticket.state = "waiting"
                        ticket.due_at = tables.clock() + timedelta(seconds=2.0**ticket.lost)
        return TakenOver(released=released, stopped=tuple(stopped), poisoned=tuple(poisoned))

    def fire(self) -> float | None:
        """Make ready what is due."""
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            waiting = [one for one in tables.tickets.values() if one.state == "waiting" and one.due_at]
            for ticket in waiting:
                if ticket.due_at and ticket.due_at <= now:
                    ticket.ready()
            left = [one.due_at for one in waiting if one.due_at]
            return max(0.0, (min(left) - now).total_seconds()) if left else None

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait."""
        with self._tables.lock:
            ticket = self._tables.tickets.get(holding.ticket)
            if ticket is None or not ticket.held(holding):
                return False
            ticket.state, ticket.owner = "waiting", None
            ticket.due_at = self._tables.clock() + timedelta(seconds=delay)
            return True

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that should stop."""
        with self._tables.lock:
            mine = [one for one in self._tables.tickets.values() if one.owner == worker and one.stop]
            return tuple({ticket.run for ticket in mine})

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items."""
        with self._tables.lock:
            ticket = self._tables.tickets.get(holding.ticket)
            if ticket is None or not ticket.held(holding):
                return False
            self._tables.progress.setdefault((ticket.id, activation), []).append(chunk)
            return True

    def progress(self, ticket: TicketId, activation: ActivationId) -> tuple[Chunk, ...]:
        """What was recorded."""
        with self._tables.lock:
            chunks = self._tables.progress.get((ticket, activation), [])
            return tuple(sorted(chunks, key=lambda chunk: chunk.number))

    def _release(self, ticket: _Ticket) -> None:
        if ticket.stop:
            del self._tables.tickets[ticket.id]
        else:
            ticket.ready()


class MemoryWorkers:
    """Who lives."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def register(self, worker: WorkerRow) -> None:
        """Enter a process."""
        with self._tables.lock:
            self._tables.workers[worker.id] = worker

    def beat(self, worker: WorkerId) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives."""
        with self._tables.lock:
            row = self._tables.workers.get(worker)
            if row is None or worker in self._tables.buried:
                return None
            self._tables.workers[worker] = replace(row, beat=row.beat + 1)
            return self.living()

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody not buried, or still holding something."""
        with self._tables.lock:
            holders = {ticket.owner for ticket in self._tables.tickets.values()}
            rows = self._tables.workers.items()
            return tuple(row for id_, row in rows if id_ not in self._tables.buried or id_ in holders)

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter deaths."""
        with self._tables.lock:
            self._tables.buried.update(workers)


class MemoryPayloads:
    """Batches."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def put(self, run: RunId, data: bytes, count: int, kind: BatchKind) -> Batch:
        """Store a batch."""
        with self._tables.lock:
            self._tables.serial += 1
            ref = f"b:{self._tables.serial}"
            self._tables.batches[ref] = bytes(data)
            return Batch(ref=ref, count=count, kind=kind, size=len(data))

    def get(self, run: RunId, batch: Batch) -> bytes:
        """The stored bytes."""
        with self._tables.lock:
            data = self._inline(run, batch) if batch.ref.startswith("j:") else self._tables.batches.get(batch.ref)
        if data is None or len(data) != batch.size:
            raise PayloadLost(f"the payload {batch.ref} of run {run} is not there")
        return data

    def _inline(self, run: RunId, batch: Batch) -> bytes | None:
        _, revision, port = batch.ref.split(":", 2)
        entry, output = self._tables.journal[run][int(revision) - 1]
        at = 0
        for fact in decode_delta(entry.delta):
            outputs = {"main": fact.input} if isinstance(fact, Began) else fact.outputs if isinstance(fact, Done) else {}
            for name, stored in outputs.items():
                if stored.ref or not stored.size:
                    continue
                if name == port:
                    return output[at : at + stored.size]
                at += stored.size
        return None


class MemoryBlobs:
    """Streams."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def put(self, stream: BinaryIO) -> StoredBlob:
        """Store a stream."""
        data = stream.read()
        digest = hashlib.sha256(data).hexdigest()
        with self._tables.lock:
            self._tables.blobs[digest] = data
        return StoredBlob(id=digest, size=len(data), sha256=digest)

    def open(self, blob: str) -> BinaryIO:
        """A readable stream."""
        with self._tables.lock:
            data = self._tables.blobs.get(blob)
        if data is None:
            raise PayloadLost(f"the attachment {blob} is not there")
        return io.BytesIO(data)


class MemoryDefinitions:
    """Definitions."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def put(self, definition: Definition) -> None:
        """Keep a definition."""
        with self._tables.lock:
            self._tables.definitions.setdefault(definition.digest, definition)

    def get(self, digest: str) -> Definition:
        """The definition."""
        with self._tables.lock:
            found = self._tables.definitions.get(digest)
        if found is None:
            raise HostError(f"no definition {digest[:12]} is stored")
        return found


class MemoryInbox:
    """Signals from outside."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal."""
        tables = self._tables
        with tables.lock:
            if (run, key) in tables.posted:
                return False
            tables.posted.add((run, key))
            tables.serial += 1
            tables.letters.setdefault(run, []).append(Letter(id=tables.serial, key=key, body=body))
            tables.ask_for_fold(tables.runs[run], fold)
            return True

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What is not folded yet."""
        with self._tables.lock:
            return tuple(self._tables.letters.get(run, ()))


class MemoryLogs:
    """What nodes say."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def append(self, run: RunId, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        with self._tables.lock:
            self._tables.logs.setdefault(run, []).extend(lines)

    def read(self, run: RunId, node: str | None = None, limit: int = 10_000) -> tuple[LogLine, ...]:
        """The lines of a run."""
        with self._tables.lock:
            lines = self._tables.logs.get(run, [])
            mine = [line for line in lines if node is None or line.activation.rpartition("/")[0] == node]
            return tuple(mine[-limit:])


class MemoryRunList:
    """The read side."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first."""
        with self._tables.lock:
            rows = sorted(self._tables.runs.values(), key=lambda row: (row.created_at, row.id), reverse=True)
        ids = [row.id for row in rows]
        rows = rows[ids.index(before) + 1 :] if before in ids else rows
        chosen = [
            row for row in rows if workflow in (None, row.workflow) and (not statuses or row.status in statuses)
        ]
        return tuple(chosen[:limit])

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """Runs by the beginning or the end of their ids."""
        rows = self.page(limit=1_000_000)
        return tuple(row.id for row in rows if row.id.startswith(prefix) or row.id.endswith(prefix))[:10]

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """Live tickets."""
        with self._tables.lock:
            return tuple(
                TicketRow(
                    id=ticket.id,
                    run=run,
                    activation=ticket.activation,
                    state=ticket.state,
                    worker=ticket.owner,
                    due_at=ticket.due_at,
                    lost=ticket.lost,
                )
                for ticket in self._tables.of_run(run)
            )

    def unattended(self) -> tuple[Unattended, ...]:
        """Runs that nobody goes on with."""
        tables = self._tables
        with tables.lock:
            found = []
            for row in tables.runs.values():
                if row.status in FINISHED:
                    continue
                tickets = tables.of_run(row.id)
                dead = [one for one in tickets if one.state == "running" and one.owner in tables.buried]
                if not tickets:
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="it has no ticket"))
                elif dead:
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="its owner is dead"))
                elif tables.letters.get(row.id) and not any(one.activation == _FOLD for one in tickets):
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="nobody folds its inbox"))
            return tuple(found)


def memory_stores(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Stores:
    """Stores of a database that lives as long as this object."""
    tables = _Tables(clock)
    return Stores(
        journal=MemoryJournal(tables),
        tickets=MemoryTickets(tables),
        workers=MemoryWorkers(tables),
        payloads=MemoryPayloads(tables),
        blobs=MemoryBlobs(tables),
        definitions=MemoryDefinitions(tables),
        inbox=MemoryInbox(tables),
        logs=MemoryLogs(tables),
        runs=MemoryRunList(tables),
    )
