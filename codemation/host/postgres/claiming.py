"""Claims on PostgreSQL.

What needs a slot of a pool is claimed in two statements of one transaction, sent at once: the first locks the row of
the pool, and the second, whose moment comes after that, counts the tickets of the pool that are held. Only claims can
make them more, and claims wait for each other at that row; whatever ends, releases or takes over a ticket gives its
slot back by doing just that. What needs no slot has nothing to do with any of it.
"""

from __future__ import annotations

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.outcome import DEFAULT
from codemation.core.ports import Claim, Hint, Holding, Shard
from codemation.host.postgres.codes import FOLD_LANE, TicketKind, TicketState
from codemation.host.postgres.link import Link, Row
from codemation.host.postgres.statements import numbers, statement

_READY, _RUNNING, _WAITING = (f"{state:d}" for state in TicketState)
_SHARD = f"{TicketKind.SHARD:d}"

# The buried claim nothing. One who is buried in this very moment may: take-over is asked again and again, and finds it.
_CLAIM = f"""
    UPDATE tickets SET state = {_RUNNING}, owner = :worker, fence = fence + 1, starts = starts + 1, hints = 0,
        signal = NULL
    FROM lanes WHERE lanes.id = tickets.lane
        AND NOT EXISTS (SELECT FROM workers WHERE id = :worker AND dead_at IS NOT NULL)
        AND tickets.id = ANY (ARRAY({{chosen}} FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING tickets.id, fence, run_id, activation, lanes.queue, priority, starts, left_, parent,
        CASE kind WHEN {_SHARD} THEN input END"""
_URGENCY_OF = "ORDER BY priority DESC, due_at, id"
_URGENCY = f"{_URGENCY_OF} LIMIT 1"
_MANY = f"{_URGENCY_OF} LIMIT :many"
_CLAIM_ONE = statement(
    _CLAIM.format(
        chosen=f"""SELECT id FROM tickets
        WHERE id = :ticket AND state + 0 = {_READY} AND stop = 0 AND lane = ANY(:lanes::int[]) AND pool IS NULL"""
    )
)
# First a look at the head of each lane, then a claim of what is as urgent in the lane of the most urgent one: of some,
# as far as no other lane has anything that has waited for longer. A claim that comes away empty although the look saw
# something has met others who were faster. It asks for one, for which there is no such bound, and then looks on below
# what they are just taking: what stands behind that in the same lane may be less urgent than the heads of the others.
_CLAIM_BEST = statement(f"""
    WITH heads AS MATERIALIZED (
        SELECT head.* FROM unnest(:lanes::int[], :most::int[]) AS mine (lane, most)
            CROSS JOIN LATERAL (
                SELECT lane, priority, due_at, id FROM tickets
                WHERE state = {_READY} AND stop = 0 AND tickets.lane = mine.lane AND priority <= mine.most
                    AND pool IS NULL {_URGENCY}) AS head),
    best AS MATERIALIZED (SELECT * FROM heads {_URGENCY}),
    claimed AS ({
    _CLAIM.format(
        chosen=f'''SELECT id FROM tickets
        WHERE state = {_READY} AND stop = 0 AND lane = (SELECT lane FROM best)
            AND priority = (SELECT priority FROM best) AND pool IS NULL
            AND due_at <= CASE WHEN :many::int > 1 THEN COALESCE((
                SELECT min(heads.due_at) FROM heads JOIN best ON heads.priority = best.priority AND heads.id <> best.id
            ), 'infinity') ELSE 'infinity' END {_MANY}'''
    )
})
    SELECT best.lane, best.priority, claimed.* FROM best LEFT JOIN claimed ON true""")

_FREE = f"""(pool IS NULL OR (SELECT count(*) FROM tickets o WHERE o.pool = tickets.pool AND o.state = {_RUNNING})
            < (SELECT cap FROM pools WHERE name = tickets.pool))"""
_LOCK_POOL = statement("""
    SELECT name FROM pools WHERE name = (SELECT pool FROM tickets WHERE id = :ticket) FOR NO KEY UPDATE""")
_CLAIM_SLOT = statement(
    _CLAIM.format(
        chosen=f"""SELECT id FROM tickets
        WHERE id = :ticket AND state + 0 = {_READY} AND stop = 0 AND lane = ANY(:lanes::int[]) AND {_FREE}"""
    )
)
# The head of each lane, of what needs no slot; and the head of each pool that has a slot, in whichever of these lanes.
_CANDIDATE = statement(f"""
    SELECT id, pool FROM (
        SELECT head.* FROM unnest(:lanes::int[]) AS mine (lane) CROSS JOIN LATERAL (
            SELECT id, pool, priority, due_at FROM tickets
            WHERE state = {_READY} AND stop = 0 AND pool IS NULL AND tickets.lane = mine.lane {_URGENCY}) AS head
        UNION ALL
        SELECT head.* FROM pools CROSS JOIN LATERAL (
            SELECT id, pool, priority, due_at FROM tickets
            WHERE state = {_READY} AND stop = 0 AND pool IS NOT NULL AND tickets.pool = pools.name
                AND lane = ANY(:lanes::int[]) {_URGENCY}) AS head
        WHERE (SELECT count(*) FROM tickets o WHERE o.pool = pools.name AND o.state = {_RUNNING}) < cap) AS heads
    {_URGENCY}""")
_ANY = 2**31 - 1
"""No priority is higher."""
_TRIES = 3
"""How often another candidate is looked for when somebody else was faster."""


def claim_one(link: Link, worker: WorkerId, lanes: list[int], ticket: TicketId) -> Claim | None:
    """Claim a ticket that needs no slot."""
    row = link.one(_CLAIM_ONE, {"worker": worker, "lanes": numbers(lanes), "ticket": ticket})
    return None if row is None else _claim(worker, row)


def claim_best(link: Link, worker: WorkerId, lanes: list[int], many: int = 1) -> list[Claim]:
    """Claim the most urgent of those tickets that need no slot, at most so many; none only if there are none."""
    most = dict.fromkeys(lanes, _ANY)
    while True:
        values = {"worker": worker, "lanes": numbers(most), "most": numbers(most.values()), "many": many}
        rows = link.all(_CLAIM_BEST, values)
        if not rows:
            return []
        lane, priority, *first = rows[0]
        if first[0] is not None:
            return [_claim(worker, tuple(claimed)) for _, _, *claimed in rows]
        if many > 1:
            many = 1  # one may be less urgent than what others are just taking
        else:
            most[lane] = priority - 1


def claim_with_slot(link: Link, worker: WorkerId, lanes: list[int], ticket: TicketId | None) -> Claim | None:
    """Claim a ticket, or the most urgent one, with the slot that it may need."""
    values = {"worker": worker, "lanes": numbers(lanes)}
    for _ in range(_TRIES):
        found = (ticket, None) if ticket is not None else link.one(_CANDIDATE, values)
        if found is None:
            return None
        chosen = {**values, "ticket": found[0]}
        if ticket is None and found[1] is None:
            claim = claim_one(link, worker, lanes, TicketId(found[0]))
            if claim is not None:
                return claim
            continue
        rows = link.last((_LOCK_POOL, chosen), (_CLAIM_SLOT, chosen))
        if rows or ticket is not None:
            return _claim(worker, rows[0]) if rows else None
    # The heads went to others, and there may be plenty behind them.
    return next(iter(claim_best(link, worker, lanes)), None)


def _claim(worker: WorkerId, row: Row) -> Claim:
    ticket, fence, run, activation, queue, priority, starts, left, parent, shard = row
    return Claim(
        holding=Holding(ticket=TicketId(ticket), worker=worker, fence=fence),
        run=RunId(str(run)),
        activation=ActivationId(activation),
        queue=queue,
        priority=priority,
        starts=starts,
        shard=None if shard is None else Shard(parent=TicketId(parent), **shard),
        joins=left == 0,
    )


# The heads of the lanes alone: what stands behind them is reached by claims, and reading all of a long queue is not.
_REMIND = statement(f"""
    WITH heads AS MATERIALIZED (
        SELECT head.id FROM lanes CROSS JOIN LATERAL (
            SELECT id, hints, GREATEST(hinted_at, due_at) AS since FROM tickets
            WHERE state = {_READY} AND stop = 0 AND pool IS NULL AND tickets.lane = lanes.id
            {_URGENCY_OF} LIMIT :limit) AS head
        WHERE since < now_() - LEAST(60, 5 * 2 ^ hints) * interval '1 second'),
    found AS MATERIALIZED (
        SELECT id FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM heads)) AND state + 0 = {_READY}
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE tickets SET hinted_at = now_(), hints = LEAST(hints + 1, 10) FROM lanes
    WHERE tickets.id = ANY(ARRAY(SELECT id FROM found)) AND lanes.id = tickets.lane
    RETURNING tickets.id, lanes.queue, tickets.lane""")


def remind(link: Link, limit: int) -> tuple[Hint, ...]:
    """What stands at the heads of the lanes and nobody has claimed for a while."""
    return tuple(
        Hint(ticket=TicketId(ticket), queue=DEFAULT if lane == FOLD_LANE else queue)
        for ticket, queue, lane in link.all(_REMIND, {"limit": limit})
    )
