"""The end of what was kept, on PostgreSQL.

Runs are chosen first and deleted in a transaction of its own, sent at once: it locks the runs, then their batches, and
only then looks who has borrowed what. So whoever borrows at the same moment is either seen, and the batch becomes his,
or finds that it is gone: borrowing locks the batch too, by its foreign key.
"""

from __future__ import annotations

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import Outdated, Swept
from codemation.host.postgres.blobs import PostgresBlobs
from codemation.host.postgres.codes import STATUSES
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Link
from codemation.host.postgres.statements import statement, texts

HEAVY = 20_000
"""Revisions after which a deletion is long enough."""

_KEPT_UNTIL = "kept_until(finished_at, status, retention)"
_PAST = f"finished_at IS NOT NULL AND retention IS NOT NULL AND {_KEPT_UNTIL} < (SELECT now_())"
_ALONE = "(SELECT parents.id FROM runs parents WHERE parents.id = runs.parent_run) IS NULL"
_OVER = f"{_PAST} AND {_ALONE}"
_OUTDATED = statement(f"""
    WITH RECURSIVE past AS (
        SELECT id, parent_run, workflow, status, finished_at FROM runs WHERE {_PAST}),
    gone AS (
        SELECT * FROM past WHERE NOT EXISTS (SELECT FROM runs parents WHERE parents.id = past.parent_run)
        UNION ALL SELECT past.* FROM past JOIN gone ON past.parent_run = gone.id)
    SELECT workflow, status, count(*), min(finished_at) FROM gone
    GROUP BY workflow, status ORDER BY workflow, status""")
_CHOOSE = statement(f"""
    SELECT id::text FROM (
        SELECT id, revision, sum(revision) OVER (ORDER BY until, id) AS weight
        FROM (SELECT id, revision, {_KEPT_UNTIL} AS until FROM runs WHERE {_OVER} ORDER BY {_KEPT_UNTIL}
            LIMIT :most::int) AS first) AS weighed
    WHERE weight - revision < {HEAVY}""")
# Ids begin with the time at which they were made, which tells an absent run from one that is about to start.
_LONG_AGO = """(lpad(to_hex((extract(epoch FROM now_() - interval '1 day') * 1000)::bigint), 12, '0')
    || repeat('0', 20))::uuid"""
_LOST = statement(f"""
    SELECT DISTINCT run::text FROM (
        SELECT home_run AS run FROM batches WHERE home_run < {_LONG_AGO}
        UNION ALL SELECT run_id FROM borrowed WHERE run_id < {_LONG_AGO}) AS named
    WHERE (SELECT runs.id FROM runs WHERE runs.id = named.run) IS NULL LIMIT :most::int""")

_LOCK_RUNS = statement("SELECT FROM runs WHERE id = ANY(:runs::uuid[]) ORDER BY id FOR UPDATE")
_LOCK_BATCHES = statement("""
    SELECT FROM batches WHERE id = ANY(ARRAY(SELECT id FROM batches WHERE home_run = ANY(:runs::uuid[])))
    ORDER BY id FOR UPDATE""")
_THEIRS = "ANY(ARRAY(SELECT id FROM gone))"
# A run that was reopened meanwhile is left alone; one that is not there has left something over.
_DELETE = statement(f"""
    WITH gone AS MATERIALIZED (
        SELECT one.id FROM unnest(:runs::uuid[]) AS one (id)
            LEFT JOIN LATERAL (SELECT * FROM runs WHERE id = one.id OFFSET 0) AS runs ON true
        WHERE runs.id IS NULL OR ({_OVER})),
    mine AS MATERIALIZED (SELECT id FROM batches WHERE home_run = {_THEIRS}),
    heirs AS MATERIALIZED (
        SELECT DISTINCT ON (batch) batch, run_id FROM borrowed
        WHERE batch = ANY(ARRAY(SELECT id FROM mine)) AND run_id <> ALL(ARRAY(SELECT id FROM gone))
        ORDER BY batch, run_id),
    moved AS (
        UPDATE batches SET home_run = heirs.run_id
        FROM heirs WHERE batches.id = heirs.batch AND id = ANY(ARRAY(SELECT batch FROM heirs))),
    returned AS (DELETE FROM borrowed WHERE run_id = {_THEIRS}),
    entries AS (DELETE FROM journal WHERE run_id = {_THEIRS}),
    marks AS (DELETE FROM checkpoints WHERE run_id = {_THEIRS}),
    lines AS (DELETE FROM logs WHERE run_id = {_THEIRS}),
    letters AS (DELETE FROM signals WHERE run_id = {_THEIRS}),
    following AS (DELETE FROM follow_ups WHERE run_id = {_THEIRS}),
    work AS (DELETE FROM tickets WHERE run_id = {_THEIRS} RETURNING id),
    part AS (DELETE FROM progress WHERE ticket = ANY(ARRAY(SELECT id FROM work))),
    rows AS (DELETE FROM runs WHERE id = {_THEIRS})
    DELETE FROM batches WHERE id = ANY(ARRAY(SELECT id FROM mine EXCEPT SELECT batch FROM heirs))""")
_GONE = statement("SELECT :many::int - count(*) FROM runs WHERE id = ANY(:runs::uuid[])")
_FORGET_KEYS = statement("""
    DELETE FROM run_keys WHERE (workflow, run_key) IN (
        SELECT workflow, run_key FROM run_keys WHERE expires_at < (SELECT now_())
            AND (SELECT runs.id FROM runs WHERE runs.id = run_keys.run_id) IS NULL
        ORDER BY expires_at LIMIT :most::int FOR UPDATE SKIP LOCKED)""")
# A rate of the past says nothing: whoever books by it anew begins now. It is left for a day, so that few come and go.
_FORGET_RATES = statement("""
    DELETE FROM rates WHERE name IN (
        SELECT name FROM rates WHERE at < now_() - interval '1 day' LIMIT :most::int FOR UPDATE SKIP LOCKED)""")


class PostgresPruning:
    """The end of what was kept."""

    def __init__(self, connections: Connections, blobs: PostgresBlobs) -> None:
        self._connections = connections
        self._blobs = blobs

    def outdated(self) -> tuple[Outdated, ...]:
        """What is to be pruned, by workflow and outcome."""
        with self._connections.lease() as link:
            rows = link.all(_OUTDATED, {})
        return tuple(
            Outdated(workflow=WorkflowId(workflow), status=STATUSES[status], runs=count, oldest=oldest)
            for workflow, status, count, oldest in rows
        )

    def prune(self, limit: int = 200) -> int:
        """Delete finished runs whose time is over, the longest over first."""
        with self._connections.lease() as link:
            chosen = [RunId(name) for (name,) in link.all(_CHOOSE, {"most": limit})]
            if not chosen:
                return 0
            _delete(link, chosen)
            return int(link.all(_GONE, {"runs": texts(chosen), "many": len(chosen)})[0][0])

    def sweep(self, limit: int = 200) -> Swept:
        """Delete what belongs to nobody."""
        with self._connections.lease() as link:
            lost = [RunId(name) for (name,) in link.all(_LOST, {"most": limit})]
            batches = _delete(link, lost) if lost else 0
            keys = link.run(_FORGET_KEYS, {"most": limit})
            rates = link.run(_FORGET_RATES, {"most": limit})
        self._blobs.doom()
        return Swept(batches=batches, keys=keys, blobs=self._blobs.delete_doomed(), rates=rates)


def _delete(link: Link, runs: list[RunId]) -> int:
    """Delete all that is kept of runs; says how many batches went."""
    values = {"runs": texts(runs)}
    parts = (_LOCK_RUNS, _LOCK_BATCHES, _DELETE)
    return link.together(*((part, values) for part in parts))[-1]
