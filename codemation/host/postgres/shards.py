"""Shards on PostgreSQL: a counter on the locked ticket of their activation joins them; no statement touches a journal.

Whoever waits for several tickets takes those of activations before those of shards (`statements.in_order`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codemation.core.ids import TicketId
from codemation.core.ports import Chunk, Claim, Holding, Shard, ShardEnd
from codemation.host.postgres.answering import UNFINISHED
from codemation.host.postgres.codes import TicketKind, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import cleaned
from codemation.host.postgres.statements import HELD, Statement, in_order, numbers, statement

_READY, _RUNNING, _WAITING = (f"{state:d}" for state in TicketState)
_SHARD = f"{TicketKind.SHARD:d}"

# The run is locked, though nothing of it changes: a cancel marks the tickets that are there when it has its lock, so a
# shard comes to be either before that, and is marked, or not at all.
_SPLIT = statement(f"""
    WITH q AS MATERIALIZED (
        SELECT id FROM runs WHERE id = :run AND stop = 0 AND {UNFINISHED} FOR NO KEY UPDATE),
    t AS MATERIALIZED (
        SELECT k.id, k.run_id, k.activation, k.lane, k.priority, k.pool
        FROM tickets k JOIN q ON (q.id = k.run_id) IS TRUE
        WHERE k.id = :ticket AND k.owner = :worker AND k.fence = :fence AND k.{HELD} AND k.kind = {TicketKind.WORK:d}
            AND k.left_ IS NULL FOR NO KEY UPDATE OF k),
    s AS (
        INSERT INTO tickets (id, run_id, activation, kind, state, lane, priority, pool, due_at, parent, input)
        SELECT x.id, t.run_id, t.activation, {_SHARD}, {_READY}, t.lane, t.priority, t.pool, now_(), t.id,
            json_build_object(
            'number', x.n - 1, 'of', :many::int, 'start', x.start, 'stop', x.stop, 'attempt', 1)
        FROM t, unnest(:ids::bigint[], :starts::int[], :stops::int[]) WITH ORDINALITY AS x (id, start, stop, n))
    UPDATE tickets SET state = {_WAITING}, owner = NULL, due_at = NULL, left_ = :many::int,
        input = json_build_object('shards', :many::int)
    WHERE id = (SELECT id FROM t) RETURNING 1""")


def _end(failed: str) -> Statement:
    """The statement that ends a shard; with `failed` it is done with those that nobody works on as well."""
    return statement(f"""
    WITH k AS MATERIALIZED (
        SELECT id, owner, fence, state, stop FROM tickets WHERE id IN (:ticket, :parent)
        {in_order("tickets")} FOR NO KEY UPDATE),
    t AS MATERIALIZED (
        SELECT id FROM k
        WHERE id = :ticket AND owner = :worker AND fence = :fence AND state = {_RUNNING} AND stop = 0),
    p AS MATERIALIZED (
        SELECT k.id FROM k CROSS JOIN t WHERE k.id = :parent AND k.state = {_WAITING} AND k.stop = 0),
    {failed}
    d AS (DELETE FROM tickets WHERE id = (SELECT id FROM t)),
    c AS (
        INSERT INTO progress (ticket, activation, chunk, items, batch, errors)
        SELECT id, :activation, :chunk::bigint, :items::int[], :data, :error::jsonb FROM p
        ON CONFLICT (ticket, activation, chunk) DO UPDATE
            SET items = EXCLUDED.items, batch = EXCLUDED.batch, errors = EXCLUDED.errors),
    u AS (
        UPDATE tickets SET left_ = left_ - n.ended, state = CASE WHEN left_ = n.ended THEN {_RUNNING} ELSE state END,
            owner = CASE WHEN left_ = n.ended THEN :worker::bigint END,
            fence = CASE WHEN left_ = n.ended THEN tickets.fence + 1 ELSE tickets.fence END,
            starts = CASE WHEN left_ = n.ended THEN starts + 1 ELSE starts END
        FROM n WHERE tickets.id = (SELECT id FROM n) RETURNING tickets.id, left_, tickets.fence, starts)
    SELECT u.left_, u.fence, u.starts FROM t LEFT JOIN u ON true""")


_END = _end("n AS MATERIALIZED (SELECT id, 1 AS ended FROM p),")
_END_FAILED = _end(f"""
    idle AS MATERIALIZED (
        SELECT s.id FROM tickets s JOIN p ON (p.id = s.parent) IS TRUE
        WHERE s.run_id = :run AND s.kind = {_SHARD} AND s.state <> {_RUNNING} ORDER BY s.id + 0
        FOR NO KEY UPDATE OF s SKIP LOCKED),
    gone AS (DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM idle))),
    n AS MATERIALIZED (SELECT id, 1 + (SELECT count(*) FROM idle)::int AS ended FROM p),""")
_AGAIN = statement(f"""
    UPDATE tickets SET state = {_WAITING}, owner = NULL, starts = 0, lost = 0,
        due_at = now_() + :delay::float8 * interval '1 second',
        input = jsonb_set(input, '{{attempt}}', to_jsonb(:attempt::int))
    WHERE id = :ticket AND owner = :worker AND fence = :fence AND {HELD} AND stop = 0 AND kind = {_SHARD}""")


class PostgresShards:
    """Parts of activations."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        """Give a held activation up for its shards; `False` when it was not held any more, or its run has to stop."""
        values = {
            **_held(claim),
            "many": len(shards),
            "ids": numbers(shards),
            "starts": numbers(shard.start for shard in shards.values()),
            "stops": numbers(shard.stop for shard in shards.values()),
        }
        with self._connections.lease() as link:
            return link.one(_SPLIT, values) is not None

    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        """Be done with a shard, record the last that it has to say, and count it; `None` when it was not held."""
        if claim.shard is None:
            return None
        values = {
            **_held(claim),
            "parent": claim.shard.parent,
            "activation": claim.activation,
            "chunk": chunk.number,
            "items": numbers(chunk.items),
            "data": chunk.data,
            "error": None if chunk.error is None else json.dumps(cleaned(chunk.error)),
        }
        with self._connections.lease() as link:
            row = link.one(_END if chunk.error is None else _END_FAILED, values)
        return None if row is None else _ended(claim, claim.shard, row)

    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        """Let a shard wait for another attempt, without any word in the journal; `False` when it was not held."""
        values = {**_held(claim), "attempt": attempt, "delay": float(delay)}
        with self._connections.lease() as link:
            return link.run(_AGAIN, values) == 1


def _held(claim: Claim) -> dict[str, object]:
    holding = claim.holding
    return {"run": claim.run, "ticket": holding.ticket, "worker": holding.worker, "fence": holding.fence}


def _ended(claim: Claim, shard: Shard, row: tuple[Any, ...]) -> ShardEnd:
    left, fence, starts = row
    if left is None or left > 0:
        return ShardEnd(left=left or 0)
    return ShardEnd(
        left=0,
        join=Claim(
            holding=Holding(ticket=shard.parent, worker=claim.holding.worker, fence=fence),
            run=claim.run,
            activation=claim.activation,
            queue=claim.queue,
            priority=claim.priority,
            starts=starts,
            joins=True,
        ),
    )
