"""What one process of all should do, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from codemation.core.ids import WorkerId
from codemation.core.ports import DUTIES, DutyRow, Pulse
from codemation.host.memory.armed import TriggerRow
from codemation.host.memory.tables import Tables


class MemoryDuties:
    """What one process of all should do from time to time."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        """Say that the holder of duties lives, and learn how all of them stand."""
        tables = self._tables
        with tables.lock:
            rows = tables.armed.duties
            for name, epoch in held.items():
                row = rows.get(name)
                if row is not None and (row.holder, row.epoch) == (worker, epoch):
                    at, lag = (tables.clock(), did[name]) if name in did else (row.last_at, row.lag)
                    rows[name] = replace(row, beat=row.beat + 1, last_at=at, lag=lag)
            armed = [row for row in tables.armed.triggers.values() if row.active and row.next_at is not None]
            sources = [row for row in armed if row.arm.kind in ("poll", "watch") and row.arm.id in triggers]
            return Pulse(
                duties=tuple(self._row(name) for name in DUTIES),
                fire=self._left(one.due_at for one in tables.tickets.values() if one.state == "waiting"),
                schedule=self._left(row.next_at for row in armed if row.arm.overlap),
                poll=self._left(self._asked(row) for row in sources),
                owed=self._left(row.due_at for row in tables.armed.owed.values() if row.trigger in triggers),
            )

    def _asked(self, row: TriggerRow) -> datetime | None:
        """When a source is to be asked: what the dead were asking is long overdue."""
        tables = self._tables
        dead = row.owner in tables.buried or row.owner not in tables.workers
        return tables.clock() - timedelta(hours=1) if row.owner is not None and dead else row.next_at

    def _left(self, times: Iterable[datetime | None]) -> float | None:
        known = [one for one in times if one is not None]
        return (min(known) - self._tables.clock()).total_seconds() if known else None

    def _row(self, name: str) -> DutyRow:
        tables = self._tables
        row = tables.armed.duties.get(name, DutyRow(name=name))
        age = None if row.last_at is None else (tables.clock() - row.last_at).total_seconds()
        worker = None if row.holder is None else tables.workers.get(row.holder)
        gone = row.holder is not None and (worker is None or row.holder in tables.buried)
        return replace(row, age=age, worker=worker, gone=gone)

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        """Take a duty that stands as known."""
        with self._tables.lock:
            row = self._tables.armed.duties.get(name, DutyRow(name=name))
            if (row.epoch, row.beat) != (known.epoch, known.beat):
                return None
            self._tables.armed.duties[name] = replace(row, holder=worker, epoch=row.epoch + 1, beat=row.beat + 1)
            return row.epoch + 1

    def leave(self, worker: WorkerId) -> None:
        """Give up whatever this worker holds."""
        with self._tables.lock:
            for name, row in self._tables.armed.duties.items():
                if row.holder == worker:
                    self._tables.armed.duties[name] = replace(row, holder=None, epoch=row.epoch + 1)
