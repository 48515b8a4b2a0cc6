"""Who lives, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow
from codemation.host.memory.tables import Tables


class MemoryWorkers:
    """Who lives."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._heard: dict[WorkerId, datetime] = {}
        """When each of them has beaten last."""

    def register(self, worker: WorkerRow) -> None:
        """Enter a process, or what it serves."""
        tables = self._tables
        with tables.lock:
            known = tables.workers.get(worker.id, replace(worker, started_at=tables.clock()))
            tables.workers[worker.id] = replace(known, queues=worker.queues, digests=worker.digests, slots=worker.slots)
            self._heard.setdefault(worker.id, tables.clock())

    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives."""
        with self._tables.lock:
            row = self._tables.workers.get(worker)
            if row is None or worker in self._tables.buried:
                return None
            self._tables.workers[worker] = replace(row, beat=row.beat + 1, load=load)
            self._heard[worker] = self._tables.clock()
            return self.living()

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody not buried, or still holding something."""
        with self._tables.lock:
            holders = {ticket.owner for ticket in self._tables.tickets.values()}
            now = self._tables.clock()
            rows = [
                replace(row, silent=(now - self._heard.get(id_, now)).total_seconds())
                for id_, row in self._tables.workers.items()
            ]
            return tuple(row for row in rows if row.id not in self._tables.buried or row.id in holders)

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter deaths."""
        with self._tables.lock:
            self._tables.buried.update(workers)
