"""Runs that are owed, and the sources that owe them, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import errors

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import Emitted, Firing, Owed, PollClaim
from codemation.host.postgres import owed
from codemation.host.postgres.codes import FIRST_FINISHED
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import statement, texts

_DEAD = "NOT EXISTS (SELECT FROM workers w WHERE w.id = {owner} AND w.dead_at IS NULL)"
_OWE = statement("""
    INSERT INTO firings (id, trigger, key, at, due_at, chain, item)
    VALUES (:id::uuid, :trigger, :key, now_(), now_(), :chain::int, :item::json)
    ON CONFLICT (trigger, key) DO NOTHING RETURNING 1""")
_BUSY = f"(SELECT r.id FROM runs r WHERE f.serial AND r.id = t.last_run AND r.status < {FIRST_FINISHED})"
# What fails waits for its next try and lets others pass; what is claimed lets nobody pass.
_BEFORE = """EXISTS (
        SELECT FROM firings e WHERE e.trigger = f.trigger AND e.serial AND e.id <> f.id
            AND (e.owner IS NOT NULL OR (e.due_at <= now_() AND (e.at, e.id) < (f.at, f.id))))"""
_CLAIM = statement(f"""
    WITH c AS MATERIALIZED (
        SELECT f.id FROM firings f JOIN triggers t ON t.id = f.trigger
        WHERE f.trigger = ANY(:triggers::text[]) AND f.due_at <= now_() AND f.owner IS NULL
            AND (:only::uuid IS NULL OR f.id = :only::uuid)
            AND (NOT f.serial OR (NOT {_BEFORE} AND (t.overlap <> 'queue' OR {_BUSY} IS NULL)))
        ORDER BY f.at, f.id LIMIT :most::int FOR UPDATE OF f SKIP LOCKED)
    UPDATE firings f SET owner = :worker, due_at = now_() + :lease::float8 * interval '1 second'
    FROM triggers t WHERE f.id = ANY(ARRAY(SELECT id FROM c)) AND t.id = f.trigger AND f.owner IS NULL
    RETURNING f.id::text, f.trigger, t.workflow, t.kind, f.key, f.at, f.item::text, f.chain, f.tries, f.serial,
        t.overlap, {_BUSY}::text, f.serial AND EXISTS (
            SELECT FROM firings l WHERE l.trigger = f.trigger AND l.serial AND (l.at, l.id) > (f.at, f.id))""")
# Forgotten, and its tick and trigger know of it: in one statement, so that nobody sees it neither owed nor started.
_STARTED = statement("""
    WITH f AS (DELETE FROM firings WHERE id = :id::uuid RETURNING trigger, at, serial),
    k AS (
        UPDATE ticks SET run_id = :run::uuid
        WHERE trigger = (SELECT trigger FROM f) AND tick_at = (SELECT at FROM f))
    UPDATE triggers t SET last_at = now_(), error = '',
        last_run = CASE WHEN f.serial OR t.overlap = '' THEN :run::uuid ELSE t.last_run END
    FROM f WHERE t.id = f.trigger""")
_DROPPED = statement("""
    WITH f AS (DELETE FROM firings WHERE id = :id::uuid RETURNING trigger, at),
    k AS (
        UPDATE ticks SET outcome = 'skipped'
        WHERE trigger = (SELECT trigger FROM f) AND tick_at = (SELECT at FROM f))
    UPDATE triggers SET error = :why, error_at = now_() FROM f WHERE triggers.id = f.trigger AND :why <> ''""")
_FAILED = statement("""
    WITH f AS (
        UPDATE firings SET owner = NULL, due_at = now_() + :wait::float8 * interval '1 second', tries = tries + 1,
            error = :error
        WHERE id = :id::uuid RETURNING trigger)
    UPDATE triggers SET error = :error, error_at = now_() FROM f WHERE triggers.id = f.trigger""")
_LATER = statement("""
    UPDATE firings SET owner = NULL, due_at = now_() + :wait::float8 * interval '1 second' WHERE id = :id::uuid""")
_FREE = statement(f"""
    UPDATE firings SET owner = NULL, due_at = LEAST(due_at, now_()) WHERE id IN (
        SELECT id FROM firings WHERE owner IS NOT NULL AND (due_at <= now_() OR {_DEAD.format(owner="firings.owner")})
        LIMIT 500 FOR UPDATE SKIP LOCKED)""")
_RUN_OF = statement("SELECT run_id::text FROM run_keys WHERE workflow = :workflow AND run_key = :key")

_CLAIM_POLL = statement(f"""
    UPDATE triggers SET owner = :worker, fence = fence + 1, next_at = now_() + :lease::float8 * interval '1 second'
    WHERE id = (
        SELECT id FROM triggers
        WHERE active AND next_at IS NOT NULL AND kind IN ('poll', 'watch') AND id = ANY(:triggers::text[])
            AND (next_at <= now_() OR (owner IS NOT NULL AND {_DEAD.format(owner="triggers.owner")}))
        ORDER BY next_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, workflow, kind, config, fence, revision, state::text, tries""")
# The claim is locked and compared first; whatever else is written hangs on it.
_HELD = """
    t AS (
        UPDATE triggers SET {changes}
        WHERE id = :trigger AND owner = :worker AND fence = :fence::int AND revision = :revision::int
        RETURNING id, now_() AS now)"""
_STATE = "state = COALESCE(:state::json, state), revision = revision + 1"
_GO_ON = f"{_STATE}, next_at = now_() + :lease::float8 * interval '1 second'"
_PASSED = f"""{_STATE}, owner = NULL, tries = 0, error = '', passed_at = now_(),
            next_at = CASE WHEN active THEN now_() + :wait::float8 * interval '1 second' END"""
# A key that is given again is touched, but seldom: that is how it is known to be before the watermark.
_SAVE = f"""
    WITH {_HELD},
    x AS (
        SELECT x.id, x.key, x.item, t.now + x.n * interval '1 microsecond' AS at
        FROM t, unnest(:ids::uuid[], :keys::text[], :items::text[]) WITH ORDINALITY AS x (id, key, item, n)),
    seen AS (
        INSERT INTO poll_seen AS known (trigger, key) SELECT t.id, x.key FROM t, x ORDER BY x.key
        ON CONFLICT (trigger, key) DO UPDATE SET at = EXCLUDED.at WHERE known.at < EXCLUDED.at - interval '1 day'
        RETURNING key, xmax = 0 AS new),
    o AS (
        INSERT INTO firings (id, trigger, key, at, due_at, item)
        SELECT x.id, t.id, x.key, x.at, now_(), x.item::json FROM t, x JOIN seen ON seen.key = x.key AND seen.new
        ON CONFLICT (trigger, key) DO NOTHING RETURNING 1)
    SELECT (SELECT count(*) FROM o) FROM t"""
_SAVE_MORE = statement(_SAVE.format(changes=_GO_ON))
_SAVE_LAST = statement(_SAVE.format(changes=_PASSED))
_FAIL = statement(f"""
    WITH {
    _HELD.format(
        changes='''owner = NULL, tries = tries + 1, error = :error, error_at = now_(),
            next_at = CASE WHEN active THEN now_() + :wait::float8 * interval '1 second' END'''
    )
} SELECT 1 FROM t""")
_FORGET = statement("""
    DELETE FROM poll_seen WHERE (trigger, key) IN (
        SELECT s.trigger, s.key FROM poll_seen s JOIN triggers t ON t.id = s.trigger
        WHERE s.at < t.passed_at - :age::float8 * interval '1 second'
        LIMIT :most::int FOR UPDATE OF s SKIP LOCKED)""")


class PostgresFirings:
    """Runs that are owed."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def owe(self, trigger: str, emitted: Emitted, chain: int = 0) -> bool:
        """Owe a run for an item."""
        values = {
            "id": emitted.id,
            "trigger": trigger,
            "key": storable(emitted.key),
            "item": emitted.item,
            "chain": chain,
        }
        with self._connections.lease() as link:
            return link.gives(_OWE, values)

    def claim(
        self,
        worker: WorkerId,
        triggers: Sequence[str],
        limit: int = 50,
        *,
        lease: float = 60.0,
        only: str | None = None,
    ) -> tuple[Firing, ...]:
        """Claim what is owed by these triggers."""
        values = {"worker": worker, "triggers": texts(triggers), "most": limit, "lease": lease, "only": only}
        with self._connections.lease() as link:
            try:
                rows = link.all(_CLAIM, values)
            except errors.UniqueViolation:  # somebody has claimed one of the same schedule at the same moment
                return ()
        found = [
            Firing(
                id=id_,
                trigger=trigger,
                workflow=WorkflowId(workflow),
                kind=kind,
                key=key,
                at=at,
                item=item,
                chain=chain,
                tries=tries,
                serial=serial,
                overlap=overlap,
                busy=None if busy is None else RunId(busy),
                superseded=superseded,
            )
            for id_, trigger, workflow, kind, key, at, item, chain, tries, serial, overlap, busy, superseded in rows
        ]
        return tuple(sorted(found, key=lambda one: (one.at, one.id)))

    def started(self, firing: Firing, run: RunId) -> None:
        """The run is there."""
        with self._connections.lease() as link:
            link.run(_STARTED, {"id": firing.id, "run": run})

    def dropped(self, firing: Firing, why: str) -> None:
        """There is to be no run."""
        with self._connections.lease() as link:
            link.run(_DROPPED, {"id": firing.id, "why": storable(why)})

    def failed(self, firing: Firing, error: str, wait: float) -> None:
        """It could not be started."""
        with self._connections.lease() as link:
            link.run(_FAILED, {"id": firing.id, "error": storable(error), "wait": wait})

    def later(self, firing: Firing, wait: float) -> None:
        """Not yet."""
        with self._connections.lease() as link:
            link.run(_LATER, {"id": firing.id, "wait": wait})

    def free(self) -> int:
        """Give up the claims of the dead, and those whose time is over."""
        with self._connections.lease() as link:
            return link.run(_FREE, {})

    def run_of(self, workflow: WorkflowId, key: str) -> RunId | None:
        """The run that a key has started."""
        with self._connections.lease() as link:
            row = link.one(_RUN_OF, {"workflow": workflow, "key": key})
        return None if row is None else RunId(row[0])

    def page(
        self,
        *,
        workflow: str | None = None,
        trigger: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[Owed, ...]:
        """What is owed, the latest first."""
        return owed.page(self._connections, workflow, trigger, before, limit)


class PostgresPolls:
    """Sources that are asked now and then."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def claim(self, worker: WorkerId, triggers: Sequence[str], lease: float) -> PollClaim | None:
        """Claim the source that is due longest."""
        with self._connections.lease() as link:
            row = link.one(_CLAIM_POLL, {"worker": worker, "triggers": texts(triggers), "lease": lease})
        if row is None:
            return None
        trigger, workflow, kind, config, fence, revision, state, tries = row
        return PollClaim(
            trigger=trigger,
            workflow=WorkflowId(workflow),
            kind=kind,
            config=config,
            worker=worker,
            fence=fence,
            revision=revision,
            state=state,
            lease=lease,
            tries=tries,
        )

    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        """Record the state of a source and owe a run for each item whose key is new."""
        first = dict[str, Emitted]()
        for item in items:
            first.setdefault(storable(item.key), item)
        values = {
            **_claimed(claim),
            "state": state,
            "ids": texts(item.id for item in first.values()),
            "keys": texts(first),
            "items": texts(item.item for item in first.values()),
            "wait": wait,
            "lease": claim.lease,
        }
        with self._connections.lease() as link:
            row = link.one(_SAVE_MORE if wait is None else _SAVE_LAST, values)
        return None if row is None else int(row[0])

    def fail(self, claim: PollClaim, error: str, wait: float) -> bool:
        """Note what went wrong, and ask again."""
        with self._connections.lease() as link:
            return link.gives(_FAIL, {**_claimed(claim), "error": storable(error), "wait": wait})

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget keys behind the watermark of their source."""
        with self._connections.lease() as link:
            return link.run(_FORGET, {"age": age, "most": limit})


def _claimed(claim: PollClaim) -> dict[str, object]:
    return {
        "trigger": claim.trigger,
        "worker": claim.worker,
        "fence": claim.fence,
        "revision": claim.revision,
    }
