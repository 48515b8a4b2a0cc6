"""Who lives, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow
from codemation.host.memory.tables import Tables


class MemoryWorkers:
    """Who lives."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def register(self, worker: WorkerRow) -> None:
        """Enter a process."""
        with self._tables.lock:
            self._tables.workers.setdefault(worker.id, worker)

    def beat(self, worker: WorkerId) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives."""
        with self._tables.lock:
            row = self._tables.workers.get(worker)
            if row is None or worker in self._tables.buried:
                return None
            self._tables.workers[worker] = replace(row, beat=row.beat + 1)
            return self.living()

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody not buried, or still holding something."""
        with self._tables.lock:
            holders = {ticket.owner for ticket in self._tables.tickets.values()}
            rows = self._tables.workers.items()
            return tuple(row for id_, row in rows if id_ not in self._tables.buried or id_ in holders)

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter deaths."""
        with self._tables.lock:
            self._tables.buried.update(workers)
