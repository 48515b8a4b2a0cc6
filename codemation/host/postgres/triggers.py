"""Which triggers are armed, and the ticks of schedules, on PostgreSQL.

Locks are taken in one order here: workflow, trigger, tick; what is owed is only inserted, and later deleted by id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import Arm, ArmedTrigger, ArmedWorkflow, DueSchedule, PastTick, Tick
from codemation.host.postgres.codes import digest_bytes
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import numbers, statement, texts

# One row is locked first, so that two who arm one workflow at once do it one after the other.
_NEW = """
    INSERT INTO triggers AS known (id, workflow, kind, number, config, said, subject, outcome, overlap, next_at, active)
    SELECT x.id, {workflow}, x.kind, x.number, x.config::json, x.said, x.subject, x.outcome, x.overlap,
        {next_at}, {active}
    FROM {beside} unnest(:ids::text[], :kinds::text[], :numbers::int[], :configs::text[], :saids::text[],
        :subjects::text[], :outcomes::text[], :overlaps::text[], :nexts::text[])
        AS x (id, kind, number, config, said, subject, outcome, overlap, next_at)
    ORDER BY x.id"""
_ARM = statement(f"""
    WITH w AS (
        INSERT INTO armed_workflows (workflow, digest, active, by) VALUES (:workflow, :digest, true, :by)
        ON CONFLICT (workflow) DO UPDATE SET digest = EXCLUDED.digest, active = true, by = EXCLUDED.by, at = now_(),
            missing = ''
        RETURNING workflow),
    gone AS (
        UPDATE triggers SET active = false, next_at = NULL FROM w
        WHERE triggers.workflow = w.workflow AND NOT triggers.id = ANY(:ids::text[]))
    {_NEW.format(workflow="w.workflow", next_at="NULLIF(x.next_at, '')::timestamptz", active="true", beside="w,")}
    ON CONFLICT (id) DO UPDATE SET kind = EXCLUDED.kind, number = EXCLUDED.number, config = EXCLUDED.config,
        said = EXCLUDED.said, subject = EXCLUDED.subject, outcome = EXCLUDED.outcome, overlap = EXCLUDED.overlap,
        next_at = CASE WHEN known.active THEN COALESCE(known.next_at, EXCLUDED.next_at) ELSE EXCLUDED.next_at END,
        active = true""")
_ENTER = statement(
    _NEW.format(workflow=":workflow", next_at="NULL", active="false", beside="") + " ON CONFLICT (id) DO NOTHING"
)
_DISARM = statement("""
    WITH w AS (
        UPDATE armed_workflows SET active = false, by = :by, at = now_(), missing = ''
        WHERE workflow = :workflow AND active RETURNING workflow),
    t AS (UPDATE triggers SET active = false, next_at = NULL FROM w WHERE triggers.workflow = w.workflow)
    SELECT 1 FROM w""")
_MISS = statement("""
    UPDATE armed_workflows SET missing = :said WHERE workflow = :workflow AND active AND missing <> :said""")
_WORKFLOWS = statement("""
    SELECT workflow, digest, active, by, at, missing FROM armed_workflows ORDER BY workflow""")
_TRIGGERS = statement("""
    SELECT id, workflow, kind, number, config, said, subject, outcome, overlap, active, next_at, last_at,
        last_run::text, error, error_at, passed_at,
        (SELECT count(*) FROM firings f WHERE f.trigger = triggers.id)
    FROM triggers WHERE :workflow::text IS NULL OR workflow = :workflow::text
    ORDER BY NOT active, workflow, number, id""")
_LISTENING = statement("""
    SELECT id FROM triggers WHERE active AND subject <> '' AND subject = :subject AND kind = :kind""")

_DUE = statement("""
    SELECT id, kind, config, next_at, now_(), (SELECT count(*) FROM firings f WHERE f.trigger = triggers.id)
    FROM triggers WHERE active AND next_at IS NOT NULL AND overlap <> '' AND next_at <= now_()
    ORDER BY next_at, id LIMIT :most::int""")
# Tick, what is owed for it, and the next time: all of it stands, or nothing. Whoever moves on from a time that is not
# the next one any more moves nothing.
_ADVANCE = statement("""
    WITH t AS (
        UPDATE triggers SET next_at = :next_at::timestamptz
        WHERE id = :trigger AND active AND next_at = :was::timestamptz RETURNING id),
    x AS (
        SELECT t.id AS trigger, x.*
        FROM t, unnest(:ids::uuid[], :keys::text[], :times::timestamptz[]) AS x (id, key, at)),
    k AS (
        INSERT INTO ticks (trigger, tick_at) SELECT trigger, at FROM x ON CONFLICT DO NOTHING RETURNING tick_at),
    o AS (
        INSERT INTO firings (id, trigger, key, at, due_at, serial)
        SELECT x.id, x.trigger, x.key, x.at, now_(), true FROM x JOIN k ON k.tick_at = x.at
        ON CONFLICT (trigger, key) DO NOTHING RETURNING 1)
    SELECT (SELECT count(*) FROM o) FROM t""")
# A tick that has no run, for it was passed over, may be owed one still.
_OWE = statement("""
    WITH k AS (
        INSERT INTO ticks AS known (trigger, tick_at) VALUES (:trigger, :at::timestamptz)
        ON CONFLICT (trigger, tick_at) DO UPDATE SET outcome = '' WHERE known.run_id IS NULL
        RETURNING trigger, tick_at)
    INSERT INTO firings (id, trigger, key, at, due_at, serial)
    SELECT :id::uuid, trigger, :key, tick_at, now_(), :serial::bool FROM k
    ON CONFLICT (trigger, key) DO NOTHING RETURNING 1""")
_TICKS = statement("""
    SELECT tick_at, run_id::text FROM ticks
    WHERE trigger = :trigger AND tick_at >= :since::timestamptz AND tick_at < :until::timestamptz ORDER BY tick_at""")
_PAST = statement("""
    SELECT k.tick_at, k.run_id::text,
        EXISTS (SELECT FROM firings f WHERE f.trigger = k.trigger AND f.at = k.tick_at)
    FROM ticks k WHERE k.trigger = :trigger AND k.tick_at < COALESCE(:before::timestamptz, 'infinity')
    ORDER BY k.tick_at DESC LIMIT :most::int""")
_FORGET = statement("""
    DELETE FROM ticks WHERE (trigger, tick_at) IN (
        SELECT k.trigger, k.tick_at FROM ticks k
        WHERE k.tick_at < now_() - :age::float8 * interval '1 second'
            AND NOT EXISTS (SELECT FROM firings f WHERE f.trigger = k.trigger AND f.at = k.tick_at)
            AND NOT EXISTS (SELECT FROM runs r WHERE r.id = k.run_id)
        LIMIT :most::int FOR UPDATE SKIP LOCKED)""")


class PostgresArmory:
    """Which triggers are armed."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        """Arm these triggers of a workflow and no others."""
        values = {**_arms(workflow, arms), "digest": digest_bytes(digest), "by": storable(by)}
        with self._connections.lease() as link:
            link.run(_ARM, values)

    def enter(self, workflow: WorkflowId, arms: Sequence[Arm]) -> None:
        """Have these triggers known, and arm none that is not."""
        with self._connections.lease() as link:
            link.run(_ENTER, _arms(workflow, arms))

    def disarm(self, workflow: WorkflowId, by: str) -> bool:
        """Disarm a workflow."""
        with self._connections.lease() as link:
            return link.gives(_DISARM, {"workflow": workflow, "by": storable(by)})

    def workflows(self) -> tuple[ArmedWorkflow, ...]:
        """All that were ever armed."""
        with self._connections.lease() as link:
            rows = link.all(_WORKFLOWS, {})
        return tuple(
            ArmedWorkflow(
                workflow=WorkflowId(workflow), digest=digest.hex(), active=active, by=by, at=at, missing=missing
            )
            for workflow, digest, active, by, at, missing in rows
        )

    def triggers(self, workflow: WorkflowId | None = None) -> tuple[ArmedTrigger, ...]:
        """The triggers of a workflow, or all."""
        with self._connections.lease() as link:
            return tuple(map(_trigger, link.all(_TRIGGERS, {"workflow": workflow})))

    def listening(self, kind: str, subject: str) -> frozenset[str]:
        """The ids of the triggers of a kind that are armed and listen to a subject."""
        with self._connections.lease() as link:
            return frozenset(id_ for (id_,) in link.all(_LISTENING, {"kind": kind, "subject": storable(subject)}))

    def miss(self, workflow: WorkflowId, said: str) -> None:
        """Note who has looked for a workflow in vain."""
        with self._connections.lease() as link:
            link.run(_MISS, {"workflow": workflow, "said": storable(said)})


class PostgresSchedules:
    """Ticks of schedules."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def due(self, limit: int = 100) -> tuple[DueSchedule, ...]:
        """The armed schedules whose next tick has come."""
        with self._connections.lease() as link:
            rows = link.all(_DUE, {"most": limit})
        return tuple(
            DueSchedule(trigger=trigger, kind=kind, config=config, next_at=next_at, now=now, owed=owed)
            for trigger, kind, config, next_at, now, owed in rows
        )

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        """Owe a run for each of these ticks, and wait for the next one."""
        values = {
            "trigger": schedule.trigger,
            "was": schedule.next_at.isoformat(),
            "next_at": None if next_at is None else next_at.isoformat(),
            "ids": texts(tick.id for tick in ticks),
            "keys": texts(tick.key for tick in ticks),
            "times": texts(tick.at.isoformat() for tick in ticks),
        }
        with self._connections.lease() as link:
            row = link.one(_ADVANCE, values)
        return None if row is None else int(row[0])

    def owe(self, trigger: str, tick: Tick, *, serial: bool) -> bool:
        """Owe a run for one tick."""
        values = {"trigger": trigger, "at": tick.at.isoformat(), "id": tick.id, "key": tick.key, "serial": serial}
        with self._connections.lease() as link:
            return link.gives(_OWE, values)

    def ticks(self, trigger: str, since: datetime, until: datetime) -> Mapping[datetime, RunId | None]:
        """The ticks of a time that were dealt with."""
        values = {"trigger": trigger, "since": since.isoformat(), "until": until.isoformat()}
        with self._connections.lease() as link:
            return {at: None if run is None else RunId(run) for at, run in link.all(_TICKS, values)}

    def past(self, trigger: str, before: datetime | None = None, limit: int = 50) -> tuple[PastTick, ...]:
        """The ticks of a trigger, the latest first."""
        values = {"trigger": trigger, "before": None if before is None else before.isoformat(), "most": limit}
        with self._connections.lease() as link:
            rows = link.all(_PAST, values)
        return tuple(PastTick(at=at, run=None if run is None else RunId(run), owed=owed) for at, run, owed in rows)

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget ticks of runs that are not there."""
        with self._connections.lease() as link:
            return link.run(_FORGET, {"age": age, "most": limit})


def _arms(workflow: WorkflowId, arms: Sequence[Arm]) -> dict[str, object]:
    return {
        "workflow": workflow,
        "ids": texts(arm.id for arm in arms),
        "kinds": texts(arm.kind for arm in arms),
        "numbers": numbers(arm.number for arm in arms),
        "configs": texts(json.dumps(dict(arm.config)) for arm in arms),
        "saids": texts(storable(arm.said) for arm in arms),
        "subjects": texts(storable(arm.subject) for arm in arms),
        "outcomes": texts(arm.outcome for arm in arms),
        "overlaps": texts(arm.overlap for arm in arms),
        "nexts": texts("" if arm.next_at is None else arm.next_at.isoformat() for arm in arms),
    }


def _trigger(row: Row) -> ArmedTrigger:
    id_, workflow, kind, number, config, said, subject, outcome, overlap, active, *rest = row
    next_at, last_at, last_run, error, error_at, passed_at, owed = rest
    return ArmedTrigger(
        id=id_,
        workflow=WorkflowId(workflow),
        kind=kind,
        number=number,
        config=config,
        said=said,
        subject=subject,
        outcome=outcome,
        overlap=overlap,
        active=active,
        next_at=next_at,
        last_at=last_at,
        last_run=None if last_run is None else RunId(last_run),
        error=error,
        error_at=error_at,
        passed_at=passed_at,
        owed=owed,
    )
