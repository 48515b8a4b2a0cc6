"""Many runs, a revision each, in one statement and one commit; what `step` writes of one run, this writes of several.

The two rules of `statements` hold here as well, with one difference: nobody is waited for. What somebody else has
locked is left out, so that one slow run delays no other, and groups that share runs cannot wait for each other in a
circle. Whoever is left out is told, and writes alone.

Only what nearly every step is can be grouped: a ticket of work that goes on, is done with, or ends its run. The end of
a child is written alone, because it needs the lock on its parent as well.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from codemation.core.ids import RunId
from codemation.core.ports import Commit, Drop, GoOn
from codemation.core.states import FINISHED, RunStatus
from codemation.host.postgres.announcing import ENDED_TOGETHER
from codemation.host.postgres.answering import UNFINISHED
from codemation.host.postgres.codes import FIRST_FINISHED, STATUS_CODES, TicketKind, TicketState
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import HELD, LANE, Statement, numbers, statement, texts

_BYTES = 17
"""PostgreSQL's number for the type `bytea`."""

# The rows are locked one by one, run before ticket, each compared as it is when the lock is there.
_GUARD = f"""
    i AS MATERIALIZED (
        SELECT * FROM unnest(:runs::uuid[], :revisions::int[], :heads::bigint[], :new_heads::bigint[],
            :tickets::bigint[], :workers::bigint[], :fences::int[], :deltas::bytea[], :outputs::bytea[],
            :activations::text[], :statuses::int[], :reasons::text[], :outcomes::text[])
            AS i (run, revision, head, new_head, ticket, worker, fence, delta, output, activation, status, reason,
                outcome)),
    q AS MATERIALIZED (
        SELECT i.*, r.digest, r.priority, r.open FROM i CROSS JOIN LATERAL (
            SELECT digest, priority, {UNFINISHED} AS open FROM runs
            WHERE id = i.run AND revision = i.revision AND head = i.head AND stop = 0
                AND ({UNFINISHED} OR i.status >= {FIRST_FINISHED}) FOR NO KEY UPDATE SKIP LOCKED) AS r),
    t AS MATERIALIZED (
        SELECT q.* FROM q CROSS JOIN LATERAL (
            SELECT 1 FROM tickets
            WHERE id = q.ticket AND (run_id = q.run) IS TRUE AND owner = q.worker AND fence = q.fence AND {HELD}
                AND kind <> {TicketKind.FOLD:d} FOR NO KEY UPDATE SKIP LOCKED) AS k)"""
_WRITE = """
    j AS (
        INSERT INTO journal (run_id, revision, head, at, delta, output)
        SELECT run, revision + 1, new_head, now_(), delta, output FROM t),
    g AS (
        UPDATE tickets SET activation = t.activation, fence = tickets.fence + 1, starts = 1, lost = 0,
            left_ = NULL
        FROM t WHERE tickets.id = t.ticket AND id = ANY(ARRAY(SELECT ticket FROM t WHERE t.activation <> ''))),
    d AS (DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT ticket FROM t WHERE t.activation = '')))"""
_PROGRESS = """
    x AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT ticket FROM t)))"""
_MORE = f"""
    m AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, due_at, pool)
        SELECT x.id, t.run, x.activation, {TicketKind.WORK:d}, {TicketState.READY:d},
            {LANE.format(queue="x.queue", digest="t.digest")}, COALESCE(NULLIF(x.priority, 0), t.priority), now_(),
            NULLIF(x.pool, '')
        FROM t, unnest(:new_runs::uuid[], :new_ids::bigint[], :new_activations::text[], :new_queues::text[],
            :new_priorities::int[], :new_pools::text[]) AS x (run, id, activation, queue, priority, pool)
        WHERE x.run = t.run)"""
_ENDED = f"ANY(ARRAY(SELECT run FROM t WHERE t.status >= {FIRST_FINISHED}))"
_END = f"""
    c AS (DELETE FROM signals WHERE run_id = {_ENDED}),
    o AS (DELETE FROM tickets WHERE run_id = {_ENDED} AND state <> {TicketState.RUNNING:d} RETURNING id),
    p AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM o)))"""
_RECORD = f"""
UPDATE runs SET revision = t.revision + 1, head = t.new_head, status = t.status,
    started_at = COALESCE(started_at, now_()), reason = COALESCE(NULLIF(t.reason, ''), runs.reason),
    finished_at = CASE WHEN t.status >= {FIRST_FINISHED} THEN COALESCE(finished_at, now_()) ELSE finished_at END
FROM t WHERE runs.id = t.run AND id = ANY(ARRAY(SELECT run FROM t)) RETURNING t.new_head"""


class GroupShape(NamedTuple):
    """What a group has, apart from its values; one prepared statement each."""

    more: bool = False
    ends: bool = False
    announces: bool = False
    progressed: bool = True


@lru_cache
def group(shape: GroupShape) -> Statement:
    """The statement that writes a revision of each of several runs: a row comes back for each one that stands."""
    parts = [_GUARD, _WRITE]
    if shape.more:
        parts.append(_MORE)
    if shape.ends:
        parts.append(_END)
    if shape.announces:
        parts.append(ENDED_TOGETHER)
    if shape.progressed:
        parts.append(_PROGRESS)
    return statement("WITH" + ",".join(parts) + _RECORD)


def in_groups(commits: Iterable[Commit]) -> tuple[list[Commit], list[Commit]]:
    """Which of the commits can be written together, by run, and which alone; a run that is there already is neither."""
    seen: set[RunId] = set()
    together, alone = list[Commit](), list[Commit]()
    for commit in commits:
        if commit.run not in seen:
            seen.add(commit.run)
            (together if _can_be_grouped(commit) else alone).append(commit)
    return sorted(together, key=lambda one: one.run), alone


def _can_be_grouped(commit: Commit) -> bool:
    ends = commit.status in FINISHED
    plain = isinstance(commit.then, Drop) or (isinstance(commit.then, GoOn) and bool(commit.then.activation))
    special = commit.cancelling or commit.consumed or commit.waits or commit.tells or (ends and commit.activation)
    bound = commit.turnstile is not None or commit.follow_up or commit.written or commit.status is RunStatus.QUEUED
    return plain and not (special or bound)


def shape_of(commits: Sequence[Commit]) -> GroupShape:
    """What the statement for these commits has to have."""
    return GroupShape(
        more=any(commit.more for commit in commits),
        ends=any(commit.status in FINISHED for commit in commits),
        announces=any(commit.announces for commit in commits),
        progressed=any(commit.progressed for commit in commits),
    )


def group_values(commits: Sequence[Commit]) -> Mapping[str, object]:
    """The values of a group."""
    more = [(commit.run, ticket) for commit in commits for ticket in commit.more]
    return {
        "runs": texts([commit.run for commit in commits]),
        "revisions": numbers([commit.revision for commit in commits]),
        "heads": numbers([commit.head for commit in commits]),
        "new_heads": numbers([commit.new_head for commit in commits]),
        "tickets": numbers([commit.holding.ticket for commit in commits]),
        "workers": numbers([commit.holding.worker for commit in commits]),
        "fences": numbers([commit.holding.fence for commit in commits]),
        "deltas": byte_strings([commit.delta for commit in commits]),
        "outputs": byte_strings([commit.output for commit in commits]),
        "activations": texts([commit.activation or "" for commit in commits]),
        "statuses": numbers([STATUS_CODES[commit.status] for commit in commits]),
        "outcomes": texts([commit.status.value if commit.announces else "" for commit in commits]),
        "reasons": texts([storable(commit.reason) for commit in commits]),
        "new_runs": texts([run for run, _ in more]),
        "new_ids": numbers([ticket.id for _, ticket in more]),
        "new_activations": texts([ticket.activation for _, ticket in more]),
        "new_queues": texts([ticket.queue for _, ticket in more]),
        "new_priorities": numbers([ticket.priority for _, ticket in more]),
        "new_pools": texts([ticket.pool for _, ticket in more]),
    }


def byte_strings(values: Sequence[bytes | None]) -> bytes:
    """An array of byte strings as PostgreSQL sends it: as text they would be more than twice as long."""
    absent = struct.pack("!i", -1)
    each = (absent if value is None else struct.pack("!i", len(value)) + value for value in values)
    return struct.pack("!iiIii", 1, int(None in values), _BYTES, len(values), 1) + b"".join(each)
