"""Runs and their journals in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from codemation.core.errors import InputError, UnknownRun
from codemation.core.ids import Head, RunId, TicketId, WorkerId
from codemation.core.ports import Commit, Drop, Entry, Holding, Leave, Look, NewRun, NewTicket, Reopening, RunRow
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import FOLD, Tables, Ticket


class MemoryJournal:
    """Runs and their journals."""

    def __init__(self, tables: Tables) -> None:
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

    def _go_on(self, ticket: Ticket, commit: Commit) -> None:
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
                ticket.stop = ticket.activation != FOLD
            tables.ask_for_fold(now, fold)
            return True

    def _claim_first(self, tickets: Sequence[NewTicket], worker: WorkerId | None) -> None:
        if tickets and worker is not None:
            first = self._tables.tickets[tickets[0].id]
            first.state, first.owner, first.fence, first.starts = "running", worker, 1, 1
