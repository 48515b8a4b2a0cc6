"""The journal on PostgreSQL: each of its verbs is one statement, and only the reading of a lost race is a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

import psycopg
from psycopg import errors

from codemation.core.concurrency import refused
from codemation.core.errors import HostError, InputError, UnwantedChild
from codemation.core.ids import ActivationId, Head, RunId, TicketId
from codemation.core.ports import (
    Claim,
    Commit,
    Drop,
    Entry,
    GoOn,
    Holding,
    Leave,
    Look,
    NewRun,
    NewTicket,
    Reopening,
    RunRow,
    nothing,
)
from codemation.core.states import FINISHED, RunStatus
from codemation.host.postgres import run_statements
from codemation.host.postgres.codes import STATUS_CODES, digest_bytes
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.grouping import group, group_values, in_groups, shape_of
from codemation.host.postgres.lanes import Lanes
from codemation.host.postgres.link import Link
from codemation.host.postgres.new_runs import deadline_values, kept_for, origin_values, starting
from codemation.host.postgres.rows import run_and_entries, storable
from codemation.host.postgres.statements import REFUSED, StepShape, Then, numbers, step, texts
from codemation.host.postgres.turnstiles import at, let_in, reopened, started, turnstile_values
from codemation.host.postgres.waits import wait_values


class PostgresJournal:
    """The truth about runs."""

    def __init__(self, connections: Connections, lanes: Lanes) -> None:
        self._connections = connections
        self._lanes = lanes

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        """Record a new run; with a key that was used before, the run that it started. Sent twice, it is recorded once.

        Raises:
            InputError: the key was used with other params or another input, or the params cannot be stored.
        """
        values = {
            "run": run.id,
            "workflow": run.workflow,
            "digest": digest_bytes(run.digest),
            "status": STATUS_CODES[run.status],
            "reason": storable(run.reason),
            "head": run.head,
            "priority": run.priority,
            "params": run.params,
            "retention": kept_for(tuple(run.retention.items())),
            "key_age": run.key_age,
            "delta": run.delta,
            "output": run.output,
            "key": run.key,
            "input_digest": run.input_digest,
            **self._new_tickets(run.tickets, run.digest),
            "worker": run.claimed_by,
            **deadline_values(run.deadline),
            **turnstile_values(run.turnstile),
            **origin_values(run),
        }
        statement, queued = starting(run), run.turnstile is not None
        with self._connections.lease() as link:
            try:
                recorded = started(link, statement, values) if queued else link.gives(statement, values, meanwhile)
            except psycopg.DataError as error:
                raise InputError(
                    f'the params of "{run.workflow}" cannot be stored: {error.diag.message_primary or error}',
                    way_out="they must be JSON without the character U+0000 and without halves of surrogate pairs",
                ) from error
            except errors.ForeignKeyViolation as error:
                raise HostError(f'the definition {run.digest[:12]} of "{run.workflow}" is not stored yet') from error
            return run.id if recorded else self._known(link, run, values)

    def _known(self, link: Link, run: NewRun, values: Mapping[str, object]) -> RunId:
        """The run that stands in the place of one that was refused."""
        winner = link.one(run_statements.WINNER, values) if run.key is not None else None
        if winner and winner[1] != run.input_digest:
            raise InputError(
                f'the key "{run.key}" has already started run {winner[0]} of "{run.workflow}" with another input',
                way_out="use another key, or the same params and items",
            )
        if winner and str(winner[0]) != run.id:
            return RunId(str(winner[0]))
        if link.one(run_statements.SAME_RUN, values):
            return run.id
        if run.turnstile is not None and run.turnstile.refuses and (there := at(link, run.turnstile.name)):
            raise refused(run.workflow, there[0].id)
        if run.parent is not None:
            raise UnwantedChild(f"nobody waits for child {run.id} any more, or somebody else has started it")
        raise HostError(f"another run has the id {run.id}", way_out="start it again under an id of its own")

    def step(self, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        """Write one revision; `False` when it was refused, by fence, revision or a cancel: `look` says which."""
        shape = _shape(commit)
        with self._connections.lease() as link:
            written = self._write(link, shape, commit, meanwhile)
            if not written and shape.then is Then.DROP:
                # It may have been the ticket of a fold that had nothing to answer.
                written = self._write(link, shape._replace(then=Then.DROP_FOLD), commit)
            if written and commit.turnstile is not None:
                let_in(link, commit.turnstile)
        return written

    def _write(self, link: Link, shape: StepShape, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        values = _values(commit)
        try:
            return link.gives(step(shape), values, meanwhile)
        except errors.NotNullViolation as missing:  # the statement has changed nothing
            if missing.diag.column_name == REFUSED:
                return False
            # Only a lane that nobody has entered yet can be missing.
            self._lanes.enter_for(link, commit)
            return link.gives(step(shape), values)

    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        """Write a revision each of several runs at once; the new heads of those that stand."""
        together, alone = in_groups(commits)
        written = self._write_group(together, meanwhile) if together else set()
        return frozenset(written.union(commit.new_head for commit in alone if self.step(commit)))

    def _write_group(self, commits: Sequence[Commit], meanwhile: Callable[[], object]) -> set[Head]:
        sent, values = group(shape_of(commits)), group_values(commits)
        with self._connections.lease() as link:
            try:
                rows = link.all(sent, values, meanwhile if self._connections.spare else nothing)
            except errors.NotNullViolation:  # as in _write
                for commit in commits:
                    if commit.more:
                        self._lanes.enter_for(link, commit)
                rows = link.all(sent, values)
        return {Head(head) for (head,) in rows}

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """Read the run, the ticket and the revisions since `after`, in a snapshot younger than any refused step.

        Raises:
            UnknownRun: there is none.
        """
        values = {"run": run, "ticket": holding.ticket, "worker": holding.worker, "after": after}
        with self._connections.lease() as link:
            rows = link.all(run_statements.LOOK, values)
        row, entries = run_and_entries(run, rows)
        fence, activation, queue, priority, starts = rows[0][-5:]
        claim = None
        if fence is not None:
            claim = Claim(
                holding=Holding(ticket=holding.ticket, worker=holding.worker, fence=fence),
                run=run,
                activation=ActivationId(activation),
                queue=queue,
                priority=priority,
                starts=starts,
            )
        return Look(run=row, claim=claim, tail=entries)

    def age(self, run: RunId, revision: int) -> float:
        """For how many seconds a revision has been there, by the clock of the database; 0 where it is not there."""
        with self._connections.lease() as link:
            row = link.one(run_statements.AGE, {"run": run, "revision": revision})
        return float(row[0]) if row else 0.0

    def load(self, run: RunId) -> tuple[RunRow, tuple[Entry, ...]]:
        """The run and its whole journal.

        Raises:
            UnknownRun: there is none.
        """
        with self._connections.lease() as link:
            try:
                rows = link.all(run_statements.LOAD, {"run": run})
            except errors.InvalidTextRepresentation:
                rows = []  # what is not even spelled like an id names no run
        return run_and_entries(run, rows)

    def reopen(self, reopening: Reopening) -> bool:
        """Let a failed or cancelled run go on; `False` when it is not finished or has changed."""
        values = {
            "run": reopening.run,
            "revision": reopening.revision,
            "head": reopening.head,
            "new_head": reopening.new_head,
            "delta": reopening.delta,
            "digest": digest_bytes(reopening.digest),
            "status": STATUS_CODES[reopening.status],
            "reason": storable(reopening.reason),
            "reopenable": numbers(STATUS_CODES[status] for status in reopening.of),
            **self._new_tickets(reopening.tickets, reopening.digest),
            "worker": reopening.claimed_by,
            "parent_ticket": reopening.wait,
            **deadline_values(reopening.deadline),
            **turnstile_values(reopening.turnstile),
        }
        queued = reopening.turnstile is not None
        timed, placeless = reopening.deadline is not None, reopening.placeless
        statement = run_statements.reopen(timed=timed, queued=queued, placeless=placeless)
        with self._connections.lease() as link:
            return reopened(link, statement, values) if queued else link.gives(statement, values)

    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        """Stop the run: mark it, then each of its tickets, and ask for a fold; `False` when `row` is out of date."""
        values = {
            "run": run,
            "revision": row.revision,
            "head": row.head,
            "new_head": new_head,
            "delta": delta,
            "fold": fold,
        }
        with self._connections.lease() as link:
            stopped, _ = link.together((run_statements.STOP, values), (run_statements.MARK, values))
        return stopped == 1

    def _new_tickets(self, tickets: tuple[NewTicket, ...], digest: str) -> dict[str, object]:
        return {
            "ids": numbers([ticket.id for ticket in tickets]),
            "activations": texts([ticket.activation for ticket in tickets]),
            "lanes": numbers([self._lanes.id(ticket.queue, digest) for ticket in tickets]),
            "priorities": numbers([ticket.priority for ticket in tickets]),
            "pools": texts([ticket.pool for ticket in tickets]),
        }


def _shape(commit: Commit) -> StepShape:
    match commit.then:
        case GoOn():
            then = Then.GO_ON
        case Leave(delay=delay):
            then = Then.WAIT if delay > 0 else Then.READY
        case Drop() if commit.status in FINISHED:
            then = Then.END
        case Drop():
            then = Then.DROP_FOLD if commit.consumed or commit.cancelling else Then.DROP
        case _:
            assert_never(commit.then)
    return StepShape(  # by position, which takes half as long as by name
        then,
        bool(commit.more),
        bool(commit.waits),
        commit.status in FINISHED,
        bool(commit.consumed),
        commit.cancelling,
        commit.turnstile is not None,
        bool(commit.follow_up),
        commit.status is RunStatus.QUEUED,
        commit.progressed,
        commit.tells,
        commit.announces,
        bool(commit.written),
    )


def _values(commit: Commit) -> dict[str, object]:
    holding, then, more = commit.holding, commit.then, commit.more
    values: dict[str, object] = {
        "run": commit.run,
        "ticket": holding.ticket,
        "worker": holding.worker,
        "fence": holding.fence,
        "revision": commit.revision,
        "head": commit.head,
        "new_head": commit.new_head,
        "delta": commit.delta,
        "output": commit.output,
        "status": STATUS_CODES[commit.status],
        "reason": storable(commit.reason),
        "activation": commit.activation,
    }
    if commit.consumed or isinstance(then, Drop):
        values["consumed"] = numbers(commit.consumed)
    if commit.status in FINISHED:
        values |= {"turnstile": commit.turnstile, "follow_up": commit.follow_up, "outcome": commit.status}
    if commit.written:
        values["written"] = texts(commit.written)
    if isinstance(then, Leave):
        values |= {"queue": then.queue, "priority": then.priority, "delay": then.delay}
    if commit.waits:
        values |= wait_values(commit.waits)
    if more:
        values["new_ids"] = numbers(ticket.id for ticket in more)
        values["new_activations"] = texts(ticket.activation for ticket in more)
        values["new_queues"] = texts(ticket.queue for ticket in more)
        values["new_priorities"] = numbers(ticket.priority for ticket in more)
        values["new_pools"] = texts(ticket.pool for ticket in more)
    return values
