"""Runs that are owed, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import Emitted, Firing, Owed
from codemation.core.states import FINISHED
from codemation.host.memory.armed import OwedRow, TriggerRow
from codemation.host.memory.tables import Tables


class MemoryFirings:
    """Runs that are owed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def owe(self, trigger: str, emitted: Emitted, chain: int = 0) -> bool:
        """Owe a run for an item."""
        with self._tables.lock:
            now = self._tables.clock()
            row = OwedRow(emitted.id, trigger, emitted.key, now, now, item=emitted.item, chain=chain)
            return self._tables.armed.owe(row)

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
        with self._tables.lock:
            now = self._tables.clock()
            rows = sorted(self._tables.armed.owed.values(), key=lambda row: (row.at, row.id))
            chosen = [row for row in rows if row.trigger in triggers and only in (None, row.id)]
            free = [row for row in chosen if row.due_at <= now and row.owner is None and self._has_turn(row, now)]
            claimed = [self._firing(row) for row in free[:limit]]
            for row in free[:limit]:
                row.owner, row.due_at = worker, now + timedelta(seconds=lease)
            return tuple(claimed)

    def _has_turn(self, row: OwedRow, now: datetime) -> bool:
        """Whether nothing of the same schedule comes before it."""
        if not row.serial:
            return True
        others = [one for one in self._tables.armed.owed.values() if one.trigger == row.trigger and one.serial]
        if any(one.owner is not None for one in others):
            return False
        if any(one.due_at <= now and (one.at, one.id) < (row.at, row.id) for one in others):
            return False
        return self._tables.armed.triggers[row.trigger].arm.overlap != "queue" or self._busy(row) is None

    def _busy(self, row: OwedRow) -> RunId | None:
        last = self._tables.armed.triggers[row.trigger].last_run
        run = None if last is None else self._tables.runs.get(last)
        return last if row.serial and run is not None and run.status not in FINISHED else None

    def _firing(self, row: OwedRow) -> Firing:
        trigger = self._tables.armed.triggers[row.trigger]
        later = [one for one in self._tables.armed.owed.values() if one.trigger == row.trigger and one.serial]
        return Firing(
            id=row.id,
            trigger=row.trigger,
            workflow=trigger.workflow,
            kind=trigger.arm.kind,
            key=row.key,
            at=row.at,
            item=row.item,
            chain=row.chain,
            tries=row.tries,
            serial=row.serial,
            overlap=trigger.arm.overlap,
            busy=self._busy(row),
            superseded=row.serial and any((one.at, one.id) > (row.at, row.id) for one in later),
        )

    def started(self, firing: Firing, run: RunId) -> None:
        """The run is there."""
        with self._tables.lock:
            armed = self._tables.armed
            if armed.owed.pop(firing.id, None) is None:
                return
            trigger = armed.triggers[firing.trigger]
            trigger.last_at, trigger.error = self._tables.clock(), ""
            if firing.serial or not firing.overlap:
                trigger.last_run = run
            if (firing.trigger, firing.at) in armed.ticks:
                armed.ticks[firing.trigger, firing.at] = run

    def dropped(self, firing: Firing, why: str) -> None:
        """There is to be no run."""
        with self._tables.lock:
            if self._tables.armed.owed.pop(firing.id, None) is not None and why:
                self._tables.armed.triggers[firing.trigger].fail(why, self._tables.clock())

    def failed(self, firing: Firing, error: str, wait: float) -> None:
        """It could not be started."""
        with self._tables.lock:
            row = self._tables.armed.owed.get(firing.id)
            if row is not None:
                row.owner, row.due_at = None, self._tables.clock() + timedelta(seconds=wait)
                row.tries, row.error = row.tries + 1, error
                self._tables.armed.triggers[firing.trigger].fail(error, self._tables.clock())

    def later(self, firing: Firing, wait: float) -> None:
        """Not yet."""
        with self._tables.lock:
            row = self._tables.armed.owed.get(firing.id)
            if row is not None:
                row.owner, row.due_at = None, self._tables.clock() + timedelta(seconds=wait)

    def free(self) -> int:
        """Give up the claims of the dead, and those whose time is over."""
        tables = self._tables
        with tables.lock:
            now, count = tables.clock(), 0
            for row in tables.armed.owed.values():
                dead = row.owner in tables.buried or row.owner not in tables.workers
                if row.owner is not None and (dead or row.due_at <= now):
                    row.owner, row.due_at = None, min(row.due_at, now)
                    count += 1
            return count

    def run_of(self, workflow: WorkflowId, key: str) -> RunId | None:
        """The run that a key has started."""
        with self._tables.lock:
            known = self._tables.keys.get((workflow, key))
            return known[0] if known is not None and self._tables.counts((workflow, key)) else None

    def page(
        self,
        *,
        workflow: str | None = None,
        trigger: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[Owed, ...]:
        """What is owed, the latest first."""
        with self._tables.lock:
            rows = sorted(self._tables.armed.owed.values(), key=lambda row: (row.at, row.id), reverse=True)
            mark = None if before is None else self._tables.armed.owed.get(before)
            triggers = self._tables.armed.triggers
            if before is not None:
                rows = [row for row in rows if mark and (row.at, row.id) < (mark.at, mark.id)]
            rows = [row for row in rows if trigger in (None, row.trigger)]
            rows = [row for row in rows if workflow in (None, triggers[row.trigger].workflow)]
            return tuple(_owed(row, triggers[row.trigger]) for row in rows[:limit])


def _owed(row: OwedRow, trigger: TriggerRow) -> Owed:
    return Owed(
        id=row.id,
        trigger=row.trigger,
        workflow=trigger.workflow,
        kind=trigger.arm.kind,
        key=row.key,
        at=row.at,
        due_at=row.due_at,
        tries=row.tries,
        error=row.error,
        taken=row.owner is not None,
    )
