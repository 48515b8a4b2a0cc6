"""The journal on PostgreSQL: each of its verbs is one statement, and only the reading of a lost race is a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

import psycopg
from psycopg import errors

from codemation.core.errors import HostError, InputError, UnknownRun
from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkflowId
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
)
from codemation.core.states import FINISHED, RunStatus
from codemation.host.postgres.codes import (
    FIRST_FINISHED,
    STATUS_CODES,
    STATUSES,
    TicketKind,
    TicketState,
    digest_bytes,
)
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.lanes import Lanes
from codemation.host.postgres.link import Link, Row
from codemation.host.postgres.statements import HELD, StepShape, Then, ask_for_fold, numbers, statement, step, texts

# The first of the new tickets is held from the start if somebody claims it.
_TICKETS = f"""
    INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, owner, fence, starts)
    SELECT x.id, r.id, x.activation, {TicketKind.WORK:d},
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN {TicketState.RUNNING:d} ELSE {TicketState.READY:d} END,
        x.lane, COALESCE(NULLIF(x.priority, 0), r.priority), now_(),
        CASE WHEN x.n = 1 THEN :worker::bigint END,
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN 1 ELSE 0 END,
        CASE WHEN x.n = 1 AND :worker::bigint IS NOT NULL THEN 1 ELSE 0 END
    FROM r, unnest(:ids::bigint[], :activations::text[], :lanes::int[], :priorities::int[])
        WITH ORDINALITY AS x (id, activation, lane, priority, n)"""

_RECORD = f"""
    r AS (
        INSERT INTO runs (id, workflow, digest, status, reason, revision, head, priority, params, created_at,
            started_at, finished_at)
        SELECT :run::uuid, :workflow, :digest, :status::smallint, :reason, 1, :head, :priority, :params::jsonb, now_(),
            now_(), CASE WHEN :status::smallint >= {FIRST_FINISHED} THEN now_() END {{keyed}}
        ON CONFLICT (id) DO NOTHING RETURNING id, priority),
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta, output)
        SELECT id, 1, :head, now_(), :delta, :output FROM r),
    k AS ({_TICKETS})
    SELECT 1 FROM r"""
_START = statement("WITH " + _RECORD.format(keyed=""))
# A key whose time is over starts anew. A key in use gives no row, and the winner is not visible to this statement.
_START_BY_KEY = statement(
    """WITH key AS (
        INSERT INTO run_keys AS known (workflow, run_key, run_id, input_digest)
        VALUES (:workflow, :key, :run::uuid, :input_digest)
        ON CONFLICT (workflow, run_key) DO UPDATE SET run_id = EXCLUDED.run_id, input_digest = EXCLUDED.input_digest,
            expires_at = NULL WHERE known.expires_at < now_()
        RETURNING run_id),"""
    + _RECORD.format(keyed="FROM key")
)
_WINNER = statement("SELECT run_id, input_digest FROM run_keys WHERE workflow = :workflow AND run_key = :key")
_SAME_RUN = statement("SELECT 1 FROM journal WHERE run_id = :run::uuid AND revision = 1 AND head = :head")

_REOPEN = statement(f"""
    WITH r AS (
        UPDATE runs SET revision = revision + 1, head = :new_head, digest = :digest, status = :status, stop = 0,
            reason = :reason, finished_at = CASE WHEN :status::smallint >= {FIRST_FINISHED} THEN now_() END
        WHERE id = :run AND revision = :revision AND head = :head AND status = ANY(:reopenable::smallint[])
        RETURNING id, priority),
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta) SELECT id, :revision + 1, :new_head, now_(), :delta
        FROM r),
    -- Whoever still holds something of the run's former life, or asks for something, came too late.
    d AS (DELETE FROM tickets USING r WHERE tickets.run_id = r.id RETURNING tickets.id),
    x AS (DELETE FROM progress USING d WHERE progress.ticket = d.id),
    s AS (DELETE FROM signals USING r WHERE signals.run_id = r.id),
    k AS ({_TICKETS})
    SELECT 1 FROM r""")

_STOP = statement("""
    WITH r AS (
        UPDATE runs SET stop = 1, revision = revision + 1, head = :new_head
        WHERE id = :run AND revision = :revision AND head = :head AND stop = 0 AND finished_at IS NULL
        RETURNING id, revision)
    INSERT INTO journal (run_id, revision, head, at, delta) SELECT id, revision, :new_head, now_(), :delta FROM r""")
# Sees every ticket, because its own moment comes after the lock on the run; a claim that is under way is waited for.
_MARK = statement(f"""
    WITH q AS (SELECT id FROM runs WHERE id = :run AND head = :new_head),
    t AS MATERIALIZED (
        SELECT tickets.id FROM tickets JOIN q ON tickets.run_id = q.id WHERE kind <> {TicketKind.FOLD:d}
        ORDER BY tickets.id FOR NO KEY UPDATE OF tickets),
    m AS (UPDATE tickets SET stop = 1 FROM t WHERE tickets.id = t.id)
    {ask_for_fold("SELECT :fold::bigint AS id, id AS run_id, 0 AS signal FROM q")}""")

_RUN = """r.revision, r.head, r.created_at, NULL::bytea AS delta, r.workflow, r.digest, r.status, r.reason, r.stop,
    r.params::text, r.priority, r.started_at, r.finished_at"""
_ENTRIES = """
    UNION ALL SELECT revision, head, at, delta, {nothing} FROM journal WHERE run_id = :run AND revision > :after"""
_LOAD = statement(
    f"SELECT {_RUN} FROM runs r WHERE r.id = :run"
    + _ENTRIES.format(nothing=", ".join(["NULL"] * 9)).replace(":after", "0")
)
_LOOK = statement(
    f"""SELECT {_RUN}, t.fence, t.activation, l.queue, t.priority, t.starts
    FROM runs r LEFT JOIN tickets t ON t.id = :ticket AND t.owner = :worker AND t.{HELD}
        LEFT JOIN lanes l ON l.id = t.lane
    WHERE r.id = :run"""
    + _ENTRIES.format(nothing=", ".join(["NULL"] * 14))
)


class PostgresJournal:
    """The truth about runs."""

    def __init__(self, connections: Connections, lanes: Lanes) -> None:
        self._connections = connections
        self._lanes = lanes

    def start(self, run: NewRun) -> RunId:
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
            "delta": run.delta,
            "output": run.output,
            "key": run.key,
            "input_digest": run.input_digest,
            **self._new_tickets(run.tickets, run.digest),
            "worker": run.claimed_by,
        }
        with self._connections.lease() as link:
            try:
                recorded = link.one(_START if run.key is None else _START_BY_KEY, values)
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
        winner = link.one(_WINNER, values) if run.key is not None else None
        if winner and winner[1] != run.input_digest:
            raise InputError(
                f'the key "{run.key}" has already started run {winner[0]} of "{run.workflow}" with another input',
                way_out="use another key, or the same params and items",
            )
        if winner and str(winner[0]) != run.id:
            return RunId(str(winner[0]))
        if link.one(_SAME_RUN, values):
            return run.id
        raise HostError(f"another run has the id {run.id}", way_out="start it again under an id of its own")

    def step(self, commit: Commit) -> bool:
        """Write one revision; `False` when it was refused, by fence, revision or a cancel: `look` says which."""
        shape, values = _shape(commit), _values(commit)
        with self._connections.lease() as link:
            try:
                written = link.one(step(shape), values)
            except errors.NotNullViolation:
                # Only a lane that nobody has entered yet can be missing; the statement has changed nothing.
                self._lanes.enter_for(link, commit)
                written = link.one(step(shape), values)
            if written is None and shape.then is Then.DROP:
                # It may have been the ticket of a fold that had nothing to answer.
                written = link.one(step(replace(shape, then=Then.DROP_FOLD)), values)
        return written is not None

    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        """Read the run, the ticket and the revisions since `after`, in a snapshot younger than any refused step.

        Raises:
            UnknownRun: there is none.
        """
        values = {"run": run, "ticket": holding.ticket, "worker": holding.worker, "after": after}
        with self._connections.lease() as link:
            rows = link.all(_LOOK, values)
        row, entries = _split(run, rows)
        fence, activation, queue, priority, starts = rows[0][13:]
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

    def load(self, run: RunId) -> tuple[RunRow, tuple[Entry, ...]]:
        """The run and its whole journal.

        Raises:
            UnknownRun: there is none.
        """
        with self._connections.lease() as link:
            try:
                rows = link.all(_LOAD, {"run": run})
            except errors.InvalidTextRepresentation:
                rows = []  # what is not even spelled like an id names no run
        return _split(run, rows)

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
            "reopenable": _REOPENABLE,
            **self._new_tickets(reopening.tickets, reopening.digest),
            "worker": reopening.claimed_by,
        }
        with self._connections.lease() as link:
            return link.one(_REOPEN, values) is not None

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
            stopped, _ = link.together((_STOP, values), (_MARK, values))
        return stopped == 1

    def _new_tickets(self, tickets: tuple[NewTicket, ...], digest: str) -> dict[str, object]:
        return {
            "ids": numbers(ticket.id for ticket in tickets),
            "activations": texts(ticket.activation for ticket in tickets),
            "lanes": numbers(self._lanes.id(ticket.queue, digest) for ticket in tickets),
            "priorities": numbers(ticket.priority for ticket in tickets),
        }


_REOPENABLE = numbers(STATUS_CODES[status] for status in (RunStatus.FAILED, RunStatus.CANCELLED))


def storable(text: str) -> str:
    """Text without what PostgreSQL cannot hold: U+0000 as its picture, halves of surrogate pairs as escapes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "␀").encode("utf-8", "backslashreplace").decode()


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
    return StepShape(
        then,
        more=bool(commit.more),
        ends=commit.status in FINISHED,
        consumes=bool(commit.consumed),
        cancelling=commit.cancelling,
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
        "consumed": numbers(commit.consumed),
        "activation": commit.activation,
    }
    if isinstance(then, Leave):
        values |= {"queue": then.queue, "priority": then.priority, "delay": then.delay}
    if more:
        values["new_ids"] = numbers(ticket.id for ticket in more)
        values["new_activations"] = texts(ticket.activation for ticket in more)
        values["new_queues"] = texts(ticket.queue for ticket in more)
        values["new_priorities"] = numbers(ticket.priority for ticket in more)
    return values


def _split(run: RunId, rows: list[Row]) -> tuple[RunRow, tuple[Entry, ...]]:
    """The row of the run, which alone has no delta, and its entries."""
    if not rows or rows[0][3] is not None:
        raise UnknownRun(f"no run {run}", way_out="codemation runs list")
    entries = [Entry(revision=row[0], head=Head(row[1]), at=row[2], delta=row[3]) for row in rows[1:]]
    return run_row(run, rows[0]), tuple(entries)


def run_row(run: RunId, row: Row) -> RunRow:
    """A run from its columns, which stand in the order of `_RUN`."""
    revision, head, created_at, _, workflow, digest, status, reason, stop, params, priority, started, finished = row[
        :13
    ]
    return RunRow(
        id=run,
        workflow=WorkflowId(workflow),
        digest=digest.hex(),
        status=STATUSES[status],
        reason=reason,
        revision=revision,
        head=Head(head),
        stop=bool(stop),
        params=params,
        priority=priority,
        created_at=created_at,
        started_at=started,
        finished_at=finished,
    )
