"""Runs and their journals in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from codemation.core.errors import HostError, InputError, UnknownRun, UnwantedChild
from codemation.core.ids import Head, RunId, TicketId
from codemation.core.ports import (
    Commit,
    Drop,
    Entry,
    GoOn,
    Holding,
    Leave,
    Look,
    NewRun,
    Parent,
    Reopening,
    RunRow,
    nothing,
)
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import Tables, Ticket
from codemation.host.memory.turnstiles import check_free, let_in, queue


class MemoryJournal:
    """Runs and their journals."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        """Record a new run, or find the one that its key started; `meanwhile` is called as in `step`."""
        meanwhile()
        with self._tables.lock:
            known = _known(self._tables, run)
            if known is not None:
                return known
            _check(self._tables, run)
            check_free(self._tables, run)
            self._tables.enter_key(run)
            self._record(run)
            return run.id

    def _record(self, run: NewRun) -> None:
        now = self._tables.clock()
        row = RunRow(
            id=run.id,
            workflow=run.workflow,
            digest=run.digest,
            status=run.status if run.turnstile is None else RunStatus.QUEUED,
            reason=run.reason,
            revision=1,
            head=run.head,
            stop=False,
            params=run.params,
            priority=run.priority,
            created_at=now,
            started_at=now if run.turnstile is None else None,
            finished_at=_ended(self._tables, run.status),
            turnstile=None if run.turnstile is None else run.turnstile.name,
            parent=None if run.parent is None else run.parent.run,
            origin=_origin(self._tables, run),
            who=run.who,
            key=run.key,
        )
        self._tables.write(row, run.head, run.delta, run.output)
        self._tables.ages[run.id] = run.retention
        self._tables.add(row, run.tickets)
        self._begin(run.id, run)
        self._tables.set_deadline(run.id, run.deadline)
        if row.finished_at is not None:
            self._tables.tell(row)
            if run.announces:
                self._tables.armed.tell("finished", row.workflow, row, now)

    def step(self, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        """Write one revision; there is no answer to wait for, but `meanwhile` is called as it is where there is one."""
        meanwhile()
        return self._step(commit)

    def _step(self, commit: Commit) -> bool:
        tables = self._tables
        with tables.lock:
            row, ticket = tables.runs.get(commit.run), tables.held(commit.holding)
            if row is None or ticket is None or not _allowed(row, ticket, commit):
                return False
            ends, before = commit.status in FINISHED, row.status
            row = replace(
                row,
                revision=row.revision + 1,
                head=commit.new_head,
                status=row.status if commit.status is RunStatus.QUEUED else commit.status,
                reason=commit.reason or row.reason,
                stop=row.stop and not ends,
                finished_at=row.finished_at or _ended(tables, commit.status),
            )
            tables.write(row, commit.new_head, commit.delta, commit.output)
            tables.add(row, commit.more)
            tables.add_waits(row.id, commit.waits)
            letters = [] if ends else tables.letters.get(commit.run, [])
            tables.letters[commit.run] = [letter for letter in letters if letter.id not in commit.consumed]
            self._clear(ticket, commit, ends=ends)
            if not ends:
                self._go_on(ticket, commit)
            if commit.follow_up:
                tables.follow_ups[row.id, row.revision] = commit.follow_up
            let_in(tables, commit.turnstile)
            if commit.tells:
                tables.tell(row)
            for name in commit.written:
                tables.armed.tell("dataset", name, row, tables.clock())
            if commit.announces and before not in FINISHED:
                tables.armed.tell("finished", row.workflow, row, tables.clock())
            return True

    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        """Write a revision each of several runs; `meanwhile` is called as in `step`."""
        meanwhile()
        with self._tables.lock:
            first = {commit.run: commit for commit in reversed(commits)}.values()
            return frozenset(commit.new_head for commit in first if self.step(commit))

    def _clear(self, ticket: Ticket, commit: Commit, *, ends: bool) -> None:
        """Be done with what nobody holds, when the run ends or has to stop; what others hold, they will bring back."""
        for other in self._tables.of_run(commit.run):
            idle = other.state != "running"
            if (ends and (idle or other is ticket)) or (commit.cancelling and idle and other.stop):
                self._tables.drop(other)

    def _go_on(self, ticket: Ticket, commit: Commit) -> None:
        tables, then = self._tables, commit.then
        if commit.progressed:
            tables.forget_progress(ticket.id, but=commit.activation)
        match then:
            case Drop():
                if ticket.is_fold and tables.letters[commit.run]:
                    tables.free(ticket)
                    ticket.starts = 0
                else:
                    tables.drop(ticket)
            case Leave():
                ticket.activation, ticket.priority = then.activation, then.priority
                ticket.lane = replace(ticket.lane, queue=then.queue)
                ticket.starts = ticket.lost = 0
                tables.free(ticket, then.delay)
            case GoOn():
                ticket.activation, ticket.starts, ticket.lost, ticket.left = then.activation, 1, 0, None
                ticket.fence += 1
            case _:
                assert_never(then)

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """What is true now."""
        with self._tables.lock:
            row, entries = self.load(run)
            ticket = self._tables.tickets.get(holding.ticket)
            mine = ticket is not None and ticket.state == "running" and ticket.owner == holding.worker
            claim = ticket.claim(holding.worker) if ticket and mine else None
            return Look(run=row, claim=claim, tail=tuple(entry for entry in entries if entry.revision > after))

    def age(self, run: RunId, revision: int) -> float:
        """For how long a revision has been there."""
        with self._tables.lock:
            entries = [entry for entry, _ in self._tables.journal.get(run, []) if entry.revision == revision]
            return (self._tables.clock() - entries[0].at).total_seconds() if entries else 0.0

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
            row = tables.runs.get(reopening.run)
            known = (reopening.revision, reopening.head)
            if row is None or row.stop or row.status not in reopening.of or (row.revision, row.head) != known:
                return False
            row = replace(
                row,
                revision=row.revision + 1,
                head=reopening.new_head,
                digest=reopening.digest,
                status=reopening.status if reopening.turnstile is None else RunStatus.QUEUED,
                reason=reopening.reason,
                stop=False,
                finished_at=_ended(tables, reopening.status),
                turnstile=None if reopening.placeless else row.turnstile,
            )
            for ticket in tables.of_run(row.id):  # whoever still holds something of the former life came too late
                tables.drop(ticket)
            tables.write(row, reopening.new_head, reopening.delta, None)
            tables.add(row, reopening.tickets)
            self._begin(row.id, reopening)
            tables.set_deadline(row.id, reopening.deadline)
            tables.parents.pop(row.id, None)
            if row.parent is not None and reopening.wait is not None:
                tables.parents[row.id] = Parent(run=row.parent, ticket=reopening.wait)
            return True

    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        """Stop a run."""
        tables = self._tables
        with tables.lock:
            now = tables.runs.get(run)
            known = (row.revision, row.head)
            if now is None or now.stop or now.status in FINISHED or (now.revision, now.head) != known:
                return False
            now = replace(now, revision=now.revision + 1, head=new_head, stop=True)
            tables.write(now, new_head, delta, None)
            for ticket in tables.of_run(run):
                ticket.stop = not ticket.is_fold
            tables.ask_for_fold(run, fold)
            return True

    def _begin(self, run: RunId, begun: NewRun | Reopening) -> None:
        """Let the first ticket be held by who claims it, or all of them wait for a place."""
        if begun.turnstile is not None:
            queue(self._tables, run, begun.turnstile)
        elif begun.tickets and begun.claimed_by is not None:
            self._tables.tickets[begun.tickets[0].id].give_to(begun.claimed_by)


def _ended(tables: Tables, status: RunStatus) -> datetime | None:
    return tables.clock() if status in FINISHED else None


def _origin(tables: Tables, run: NewRun) -> Mapping[str, Any] | None:
    """What has started a run; a child is as far down the chain of runs as its parent."""
    above = None if run.parent is None else tables.runs[run.parent.run].origin
    return run.origin if above is None or "chain" not in above else {"chain": above["chain"]}


def _allowed(row: RunRow, ticket: Ticket, commit: Commit) -> bool:
    """Whether the writer knows the latest revision, and the run is as the writer believes."""
    if ticket.run != row.id or (row.revision, row.head) != (commit.revision, commit.head):
        return False
    if row.stop != commit.cancelling:
        return False
    return row.finished_at is None or commit.status in FINISHED


def _known(tables: Tables, run: NewRun) -> RunId | None:
    """The run that was started by the same key, or by this very call."""
    key = None if run.key is None else tables.keys.get((run.workflow, run.key))
    if key is not None and tables.counts((run.workflow, run.key or "")):
        known, digest = key
        if digest != run.input_digest:
            raise InputError(
                f'the key "{run.key}" has already started run {known} of "{run.workflow}" with another input',
                way_out="use another key, or the same params and items",
            )
        if known != run.id:
            return known
    if run.id not in tables.runs:
        return None
    first, _ = tables.journal[run.id][0]
    if first.head != run.head and run.parent is not None:
        raise UnwantedChild(f"child {run.id} has been started by somebody else")
    if first.head != run.head:
        raise HostError(f"another run has the id {run.id}", way_out="start it again under an id of its own")
    return run.id


def _check(tables: Tables, run: NewRun) -> None:
    try:
        json.loads(run.params)
    except ValueError as error:
        raise InputError(f'the params of "{run.workflow}" are not JSON: {error}') from error
    if run.digest not in tables.definitions:
        raise HostError(f'the definition {run.digest[:12]} of "{run.workflow}" is not stored yet')
    if run.parent is not None:
        tables.parents[run.id] = run.parent
        if tables.awaited(run.id) is None:
            del tables.parents[run.id]
            raise UnwantedChild(f"nobody waits for child {run.id} any more")
