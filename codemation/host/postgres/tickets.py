"""Tickets on PostgreSQL: claims, releases, times and progress. None of it touches a journal."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports import Chunk, Claim, Hint, Holding, Lane, Shard, TakenOver
from codemation.core.states import GIVEN_UP
from codemation.host.postgres.answering import RANDOM_ID, UNFINISHED, answering, ask_for_fold
from codemation.host.postgres.claiming import claim_best, claim_one, claim_with_slot, remind
from codemation.host.postgres.codes import FOLD_LANE, TicketKind, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.lanes import Lanes
from codemation.host.postgres.link import Link
from codemation.host.postgres.statements import HELD, in_order, numbers, statement

_READY, _RUNNING, _WAITING = (f"{state:d}" for state in TicketState)
_FOLD = f"{TicketKind.FOLD:d}"
_SHARD = f"{TicketKind.SHARD:d}"
_CLAIMED = f"({TicketKind.WORK:d}, {_SHARD}, {_FOLD})"
"""Kinds that somebody claims; the others are waits, which are answered."""

_ANNOUNCE = statement("UPDATE workers SET lanes = :lanes::int[] WHERE id = :worker")

# A run may end under those who work for it. What comes back of one that is over is nobody's work any more: left ready,
# it would be claimed, found out and given back for ever.
_OVER = f"COALESCE((SELECT NOT {UNFINISHED} FROM runs WHERE runs.id = {{run}}), true)"
_HAND_BACK = statement(f"""
    WITH held AS MATERIALIZED (
        SELECT k.id, k.run_id, k.stop <> 0 OR {_OVER.format(run="k.run_id")} AS done FROM tickets k
            JOIN unnest(:tickets::bigint[], :workers::bigint[], :fences::int[]) AS x (id, owner, fence) ON k.id = x.id
        WHERE k.id = ANY(:tickets::bigint[])
            AND k.owner = x.owner AND k.fence = x.fence AND k.{HELD} {in_order("k")} FOR NO KEY UPDATE OF k),
    back AS (
        UPDATE tickets SET state = {_READY}, owner = NULL, starts = GREATEST(starts - 1, 0),
            due_at = COALESCE(due_at, now_())
        WHERE id = ANY(ARRAY(SELECT id FROM held WHERE NOT done))),
    gone AS (DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM held WHERE done)) RETURNING run_id, id),
    p AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM gone))),
    folds AS ({
    ask_for_fold(f'''SELECT {RANDOM_ID} AS id, id AS run_id, 0 AS signal
        FROM runs WHERE id = ANY(ARRAY(SELECT run_id FROM gone)) AND {UNFINISHED}''')
})
    SELECT 1 FROM held""")

# A poisoned ticket goes, and the letter that says so comes, in the same moment: no crash can lose it. What belongs to a
# run that was asked to stop goes as well. A fold is never poison, for nobody else would end the run. A poisoned shard
# is counted as one that has ended with an error; where its activation's ticket is locked, it is left for the next time.
_TAKE_OVER = statement(f"""
    WITH parents AS MATERIALIZED (
        SELECT id FROM tickets WHERE id = ANY(ARRAY(
            SELECT parent FROM tickets WHERE owner = ANY(:dead::bigint[]) AND state = {_RUNNING} AND kind = {_SHARD}
                AND lost + 1 >= :poison_after))
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
    held AS MATERIALIZED (
        SELECT id, run_id, activation, fence, lost + 1 AS lost, parent, input,
            NOT {_OVER.format(run="run_id")} AS unfinished, stop <> 0 AS stopped,
            stop = 0 AND lost + 1 >= :poison_after AND kind <> {_FOLD} AS poisoned, kind = {_SHARD} AS shard
        FROM tickets WHERE owner = ANY(:dead::bigint[]) AND state = {_RUNNING}
            AND (kind <> {_SHARD} OR stop <> 0 OR lost + 1 < :poison_after
                OR parent = ANY(ARRAY(SELECT id FROM parents)))
        ORDER BY id + 0 FOR NO KEY UPDATE SKIP LOCKED),
    poisoned AS MATERIALIZED (SELECT * FROM held WHERE shard AND poisoned),
    ends AS (
        INSERT INTO progress (ticket, activation, chunk, items, batch, errors)
        SELECT parent, activation, ((input->>'number')::bigint + 1 << 32) - 1, '{{}}', '', json_build_object(
            'type', 'Lost', 'message', format('shard %s of %s: {GIVEN_UP}',
                (input->>'number')::int + 1, input->>'of', lost))
        FROM poisoned ON CONFLICT (ticket, activation, chunk) DO NOTHING),
    counted AS (
        UPDATE tickets SET left_ = left_ - p.many, state = CASE WHEN left_ = p.many THEN {_READY} ELSE state END,
            due_at = CASE WHEN left_ = p.many THEN now_() ELSE due_at END
        FROM (SELECT parent, count(*)::int AS many FROM poisoned GROUP BY parent) AS p
        WHERE tickets.id = p.parent AND id = ANY(ARRAY(SELECT parent FROM poisoned))),
    back AS (
        UPDATE tickets SET owner = NULL, lost = held.lost,
            state = CASE WHEN held.lost = 1 THEN {_READY} ELSE {_WAITING} END,
            due_at = now_() + CASE WHEN held.lost = 1 THEN 0 ELSE LEAST(60, 2 ^ held.lost) END * interval '1 second'
        FROM held WHERE tickets.id = held.id AND tickets.id = ANY(ARRAY(SELECT id FROM held))
            AND unfinished AND NOT held.stopped AND NOT held.poisoned),
    gone AS (
        DELETE FROM tickets WHERE id = ANY(ARRAY(SELECT id FROM held WHERE stopped OR poisoned OR NOT unfinished))
        RETURNING id),
    p AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM gone))),
    letters AS (
        INSERT INTO signals (run_id, key, body)
        SELECT run_id, 'lost:' || id || ':' || fence,
            json_build_object('kind', 'Lost', 'activation', activation, 'times', lost)
        FROM held WHERE poisoned AND unfinished AND NOT shard
        ON CONFLICT (run_id, key) DO NOTHING RETURNING id, run_id),
    folds AS ({
    ask_for_fold(
        f'''SELECT {RANDOM_ID} AS id, run_id, max(signal) AS signal FROM (
            SELECT run_id, id AS signal FROM letters
            UNION ALL SELECT run_id, 0 FROM held WHERE stopped AND unfinished) AS told GROUP BY run_id'''
    )
})
    SELECT run_id, activation, lost, stopped, poisoned, unfinished FROM held""")

_BATCH = 500
_FIRE = statement(f"""
    WITH moment AS MATERIALIZED (SELECT now_() AS at),
    due AS MATERIALIZED (
        SELECT id FROM tickets WHERE state = {_WAITING} AND due_at <= (SELECT at FROM moment) AND stop = 0
            AND kind IN {_CLAIMED}
        ORDER BY due_at LIMIT {_BATCH} FOR NO KEY UPDATE SKIP LOCKED),
    fired AS (UPDATE tickets SET state = {_READY} WHERE id = ANY(ARRAY(SELECT id FROM due)) RETURNING 1)
    SELECT (SELECT count(*) FROM fired), (
        SELECT extract(epoch FROM due_at - (SELECT at FROM moment))::float8 FROM tickets
        WHERE state = {_WAITING} AND due_at > (SELECT at FROM moment) AND stop = 0 ORDER BY due_at LIMIT 1)""")
_TIMES_ARE_OVER = statement(f"""
    WITH {
    answering(
        f'''SELECT id, run_id FROM tickets WHERE state = {_WAITING} AND due_at <= (SELECT now_()) AND stop = 0
            AND kind NOT IN {_CLAIMED} ORDER BY due_at LIMIT {_BATCH}''',
        "json_build_object('kind', 'TimerFired', 'activation', k.activation, 'wait', k.wait)",
        fold=RANDOM_ID,
        skip=True,
    )
}
    SELECT count(*) FROM taken""")
# A fold that was asked for while it was held does not wait.
_POSTPONE = statement(f"""
    WITH held AS MATERIALIZED (
        SELECT id, signal IS NULL AS waits, {_OVER.format(run="run_id")} AS done FROM tickets
        WHERE id = :ticket AND owner = :worker AND fence = :fence AND {HELD} FOR NO KEY UPDATE),
    gone AS (DELETE FROM tickets WHERE id = (SELECT id FROM held WHERE done)),
    p AS (DELETE FROM progress WHERE ticket = (SELECT id FROM held WHERE done)),
    later AS (
        UPDATE tickets SET owner = NULL, state = CASE WHEN waits THEN {_WAITING} ELSE {_READY} END,
            due_at = now_() + CASE WHEN waits THEN :delay::float8 ELSE 0 END * interval '1 second'
        FROM held WHERE tickets.id = (SELECT id FROM held WHERE NOT done))
    SELECT 1 FROM held""")
_STOPPING = statement(f"""
    WITH mine AS MATERIALIZED (SELECT run_id FROM tickets WHERE owner = :worker AND state = {_RUNNING} AND stop <> 0)
    SELECT DISTINCT run_id FROM mine""")
_HELD = statement(f"SELECT id, fence, kind = {_FOLD} FROM tickets WHERE owner = :worker AND state = {_RUNNING}")

_SAVE = statement(f"""
    WITH t AS MATERIALIZED (
        SELECT CASE kind WHEN {_SHARD} THEN parent ELSE id END AS id FROM tickets
        WHERE id = :ticket AND owner = :worker AND fence = :fence AND {HELD} FOR NO KEY UPDATE)
    INSERT INTO progress (ticket, activation, chunk, items, batch)
    SELECT id, :activation, :chunk::bigint, :items::int[], :data FROM t
    ON CONFLICT (ticket, activation, chunk) DO UPDATE SET items = EXCLUDED.items, batch = EXCLUDED.batch RETURNING 1""")
_PROGRESS = statement("""
    SELECT chunk, items, batch, errors FROM progress
    WHERE ticket = :ticket AND activation = :activation AND chunk >= :first::bigint AND chunk < :end::bigint
    ORDER BY chunk""")
_EVERY = range(1 << 62)


class PostgresTickets:
    """Live work: who may do what next."""

    def __init__(self, connections: Connections, lanes: Lanes) -> None:
        self._connections = connections
        self._lanes = lanes
        self._announced: dict[WorkerId, frozenset[int]] = {}

    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        """Claim the most urgent ready ticket of these lanes, or just `ticket`; `None` when there is nothing.

        Fold tickets stand in a lane of their own, which everybody serves.
        """
        served = self._served(lanes)
        with self._connections.lease() as link:
            self._announce(link, worker, served)
            if pools:
                return claim_with_slot(link, worker, served, ticket)
            if ticket is not None:
                return claim_one(link, worker, served, ticket)
            return next(iter(claim_best(link, worker, served)), None)

    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        """Claim as many, of one lane and one priority at a time."""
        served = self._served(lanes)
        with self._connections.lease() as link:
            self._announce(link, worker, served)
            return tuple(claim_best(link, worker, served, many))

    def _served(self, lanes: Sequence[Lane]) -> list[int]:
        return [FOLD_LANE, *(self._lanes.id(lane.queue, lane.digest) for lane in lanes if lane.digest)]

    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        """What stands at the heads of the lanes and nobody has claimed for a while; it counts as told of from now."""
        with self._connections.lease() as link:
            return remind(link, limit)

    def _announce(self, link: Link, worker: WorkerId, lanes: list[int]) -> None:
        """Tell once which lanes the worker serves, so that work that nobody serves can be reported."""
        told = self._announced.get(worker, frozenset([FOLD_LANE]))
        if not told.issuperset(lanes):
            told = told.union(lanes)
            link.run(_ANNOUNCE, {"worker": worker, "lanes": numbers(sorted(told))})
            self._announced[worker] = told

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back unworked, without counting it as a death; says how many were still held."""
        each = dict.fromkeys(holdings)
        values = {
            "tickets": numbers(holding.ticket for holding in each),
            "workers": numbers(holding.worker for holding in each),
            "fences": numbers(holding.fence for holding in each),
        }
        with self._connections.lease() as link:
            return len(link.all(_HAND_BACK, values))

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held: at once after the first loss, later after more, never again after too many."""
        with self._connections.lease() as link:
            rows = link.all(_TAKE_OVER, {"dead": numbers(dead), "poison_after": poison_after})
        stopped = dict.fromkeys(RunId(str(run)) for run, _, _, stopped, *_ in rows if stopped)
        given_up = [(run, name, lost) for run, name, lost, _, poisoned, unfinished in rows if poisoned and unfinished]
        poisoned = [(RunId(str(run)), ActivationId(name), lost) for run, name, lost in given_up]
        released = sum(unfinished and not (stopped or poisoned) for *_, stopped, poisoned, unfinished in rows)
        return TakenOver(released=released, stopped=tuple(stopped), poisoned=tuple(poisoned))

    def fire(self) -> float | None:
        """Make ready what waits for a time that has come; seconds until the next such time, if there is one."""
        with self._connections.lease() as link:
            while link.all(_TIMES_ARE_OVER, {})[0][0] == _BATCH:
                pass
            while True:
                ((fired, later),) = link.all(_FIRE, {})
                if fired < _BATCH:
                    return None if later is None else float(later)

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait for `delay` seconds without any word in the journal; `False` when it was not held."""
        with self._connections.lease() as link:
            return link.one(_POSTPONE, {**_held(holding), "delay": float(delay)}) is not None

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that were asked to stop while this worker holds a ticket of theirs."""
        with self._connections.lease() as link:
            return tuple(RunId(str(run)) for (run,) in link.all(_STOPPING, {"worker": worker}))

    def held(self, worker: WorkerId, *, folds: bool = False) -> tuple[Holding, ...]:
        """What this worker holds, whether it has heard of it or not; or of that just the folds."""
        with self._connections.lease() as link:
            rows = link.all(_HELD, {"worker": worker})
        return tuple(
            Holding(ticket=TicketId(id_), worker=worker, fence=f) for id_, f, fold in rows if fold or not folds
        )

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items; `False` when somebody else has taken over. A chunk sent twice is recorded once."""
        values = {
            **_held(holding),
            "activation": activation,
            "chunk": chunk.number,
            "items": numbers(chunk.items),
            "data": chunk.data,
        }
        with self._connections.lease() as link:
            return link.one(_SAVE, values) is not None

    def progress(self, ticket: TicketId, activation: ActivationId, shard: Shard | None = None) -> tuple[Chunk, ...]:
        """What was recorded of an activation, or of a shard of it, in order of chunk number."""
        chunks = _EVERY if shard is None else shard.chunks
        kept_with = ticket if shard is None else shard.parent
        values = {"ticket": kept_with, "activation": activation, "first": chunks.start, "end": chunks.stop}
        with self._connections.lease() as link:
            rows = link.all(_PROGRESS, values)
        return tuple(
            Chunk(number=number, items=tuple(items), data=data, error=error) for number, items, data, error in rows
        )


def _held(holding: Holding) -> dict[str, object]:
    return {"ticket": holding.ticket, "worker": holding.worker, "fence": holding.fence}
