"""Which triggers are armed, their ticks and their sources, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import (
    Arm,
    ArmedTrigger,
    ArmedWorkflow,
    DueSchedule,
    Emitted,
    PastTick,
    PollClaim,
    Tick,
)
from codemation.host.memory.armed import OwedRow, TriggerRow
from codemation.host.memory.tables import Tables


class MemoryArmory:
    """Which triggers are armed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        """Arm these triggers of a workflow and no others."""
        with self._tables.lock:
            armed, wanted = self._tables.armed, {arm.id for arm in arms}
            row = ArmedWorkflow(workflow=workflow, digest=digest, active=True, by=by, at=self._tables.clock())
            armed.workflows[workflow] = row
            for id_, trigger in armed.triggers.items():
                if trigger.workflow == workflow and id_ not in wanted:
                    trigger.active, trigger.next_at = False, None
            for arm in arms:
                armed.arm(workflow, arm)

    def enter(self, workflow: WorkflowId, arms: Sequence[Arm]) -> None:
        """Have these triggers known, and arm none that is not."""
        with self._tables.lock:
            for arm in arms:
                self._tables.armed.triggers.setdefault(arm.id, TriggerRow(arm, workflow, active=False))

    def disarm(self, workflow: WorkflowId, by: str) -> bool:
        """Disarm a workflow."""
        with self._tables.lock:
            row = self._tables.armed.workflows.get(workflow)
            if row is None or not row.active:
                return False
            now = self._tables.clock()
            self._tables.armed.workflows[workflow] = replace(row, active=False, by=by, at=now, missing="")
            self._tables.armed.disarm(workflow)
            return True

    def workflows(self) -> tuple[ArmedWorkflow, ...]:
        """All that were ever armed."""
        with self._tables.lock:
            return tuple(row for _, row in sorted(self._tables.armed.workflows.items()))

    def triggers(self, workflow: WorkflowId | None = None) -> tuple[ArmedTrigger, ...]:
        """The triggers of a workflow, or all."""
        with self._tables.lock:
            armed = self._tables.armed
            found = [row.row(armed.count(id_)) for id_, row in armed.triggers.items()]
        chosen = [one for one in found if workflow in (None, one.workflow)]
        return tuple(sorted(chosen, key=lambda one: (not one.active, one.workflow, one.number, one.id)))

    def listening(self, kind: str, subject: str) -> frozenset[str]:
        """The triggers that listen to a subject."""
        with self._tables.lock:
            rows = self._tables.armed.triggers.items()
            return frozenset(
                id_ for id_, row in rows if row.active and (row.arm.kind, row.arm.subject) == (kind, subject)
            )

    def miss(self, workflow: WorkflowId, said: str) -> None:
        """Note who has looked for a workflow in vain."""
        with self._tables.lock:
            row = self._tables.armed.workflows.get(workflow)
            if row is not None and row.active:
                self._tables.armed.workflows[workflow] = replace(row, missing=said)


class MemorySchedules:
    """Ticks of schedules."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def due(self, limit: int = 100) -> tuple[DueSchedule, ...]:
        """The armed schedules whose next tick has come."""
        with self._tables.lock:
            now, armed = self._tables.clock(), self._tables.armed
            found = [
                DueSchedule(
                    trigger=id_,
                    kind=row.arm.kind,
                    config=row.arm.config,
                    next_at=row.next_at,
                    now=now,
                    owed=armed.count(id_),
                )
                for id_, row in armed.triggers.items()
                if row.active and row.arm.overlap and row.next_at is not None and row.next_at <= now
            ]
        return tuple(sorted(found, key=lambda one: (one.next_at, one.trigger))[:limit])

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        """Owe a run for each of these ticks, and wait for the next one."""
        with self._tables.lock:
            row = self._tables.armed.triggers.get(schedule.trigger)
            if row is None or not row.active or row.next_at != schedule.next_at:
                return None
            row.next_at = next_at
            return sum(self._owe(schedule.trigger, tick, serial=True, again=False) for tick in ticks)

    def owe(self, trigger: str, tick: Tick, *, serial: bool) -> bool:
        """Owe a run for one tick."""
        with self._tables.lock:
            return self._owe(trigger, tick, serial=serial, again=True)

    def _owe(self, trigger: str, tick: Tick, *, serial: bool, again: bool) -> bool:
        armed, place = self._tables.armed, (trigger, tick.at)
        if place in armed.ticks and not (again and armed.ticks[place] is None):
            return False
        now = self._tables.clock()
        if not armed.owe(OwedRow(tick.id, trigger, tick.key, tick.at, now, serial=serial)):
            return False
        armed.ticks[place] = None
        return True

    def ticks(self, trigger: str, since: datetime, until: datetime) -> Mapping[datetime, RunId | None]:
        """The ticks of a time that were dealt with."""
        with self._tables.lock:
            rows = sorted(self._tables.armed.ticks.items())
        return {at: run for (one, at), run in rows if one == trigger and since <= at < until}

    def past(self, trigger: str, before: datetime | None = None, limit: int = 50) -> tuple[PastTick, ...]:
        """The ticks of a trigger, the latest first."""
        with self._tables.lock:
            owed = {(row.trigger, row.at) for row in self._tables.armed.owed.values()}
            rows = sorted(self._tables.armed.ticks.items(), reverse=True)
        chosen = [(place, run) for place, run in rows if place[0] == trigger and (before is None or place[1] < before)]
        return tuple(PastTick(at=place[1], run=run, owed=place in owed) for place, run in chosen[:limit])

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget ticks of runs that are not there."""
        with self._tables.lock:
            armed, before = self._tables.armed, self._tables.clock() - timedelta(seconds=age)
            owed = {(row.trigger, row.at) for row in armed.owed.values()}
            gone = [
                place
                for place, run in sorted(armed.ticks.items())
                if place[1] < before and place not in owed and run not in self._tables.runs
            ]
            for place in gone[:limit]:
                del armed.ticks[place]
            return len(gone[:limit])


class MemoryPolls:
    """Sources that are asked now and then."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def claim(self, worker: WorkerId, triggers: Sequence[str], lease: float) -> PollClaim | None:
        """Claim the source that is due longest."""
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            due = [
                (row.next_at, id_)
                for id_, row in tables.armed.triggers.items()
                if id_ in triggers
                and row.active
                and row.arm.kind in ("poll", "watch")
                and row.next_at is not None
                and (row.next_at <= now or self._is_dead(row.owner))
            ]
            if not due:
                return None
            row = tables.armed.triggers[min(due)[1]]
            row.owner, row.next_at = worker, now + timedelta(seconds=lease)
            row.fence += 1
            return self._claim(row, worker, lease)

    def _claim(self, row: TriggerRow, worker: WorkerId, lease: float) -> PollClaim:
        return PollClaim(
            trigger=row.arm.id,
            workflow=row.workflow,
            kind=row.arm.kind,
            config=row.arm.config,
            worker=worker,
            fence=row.fence,
            revision=row.revision,
            state=row.state,
            lease=lease,
            tries=row.tries,
        )

    def _is_dead(self, worker: WorkerId | None) -> bool:
        tables = self._tables
        return worker is not None and (worker in tables.buried or worker not in tables.workers)

    def _held(self, claim: PollClaim) -> TriggerRow | None:
        row = self._tables.armed.triggers.get(claim.trigger)
        good = row is not None and (row.owner, row.fence) == (claim.worker, claim.fence)
        return row if good and row is not None and row.revision == claim.revision else None

    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        """Record the state of a source and owe a run for each item whose key is new."""
        tables = self._tables
        with tables.lock:
            row, now = self._held(claim), tables.clock()
            if row is None:
                return None
            row.state = row.state if state is None else state
            row.revision += 1
            row.next_at = now + timedelta(seconds=claim.lease)
            new = 0
            for number, item in enumerate(items):
                if (claim.trigger, item.key) not in tables.armed.seen:
                    at = now + timedelta(microseconds=number)
                    owed = OwedRow(item.id, claim.trigger, item.key, at, now, item=item.item)
                    new += tables.armed.owe(owed)
                tables.armed.seen[claim.trigger, item.key] = now
            if wait is not None:
                row.owner, row.tries, row.error, row.passed_at = None, 0, "", now
                row.next_at = now + timedelta(seconds=wait) if row.active else None
            return new

    def fail(self, claim: PollClaim, error: str, wait: float) -> bool:
        """Note what went wrong, and ask again."""
        with self._tables.lock:
            row, now = self._held(claim), self._tables.clock()
            if row is None:
                return False
            row.owner, row.next_at = None, now + timedelta(seconds=wait) if row.active else None
            row.tries += 1
            row.fail(error, now)
            return True

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget keys behind the watermark of their source."""
        with self._tables.lock:
            armed, gone = self._tables.armed, list[tuple[str, str]]()
            for (trigger, key), at in armed.seen.items():
                row = armed.triggers.get(trigger)
                passed = row.passed_at if row is not None else None
                if passed is not None and at < passed - timedelta(seconds=age):
                    gone.append((trigger, key))
            for place in gone[:limit]:
                del armed.seen[place]
            return len(gone[:limit])
