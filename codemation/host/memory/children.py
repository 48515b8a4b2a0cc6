"""Children and who waits for them, in memory."""

from __future__ import annotations

from codemation.core.ids import RunId
from codemation.core.ports import OpenWait, RunRow
from codemation.core.states import FINISHED
from codemation.host.memory.tables import Tables, Ticket
from codemation.host.memory.waits import opened


class MemoryChildren:
    """Runs that other runs wait for."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, run: RunId) -> tuple[RunRow, ...]:
        """The children of a run."""
        with self._tables.lock:
            found = [row for row in self._tables.runs.values() if row.parent == run]
            return tuple(sorted(found, key=lambda row: (row.created_at, row.id)))

    def wanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[OpenWait, ...]:
        """Waits whose child does not work for them yet."""
        tables = self._tables
        with tables.lock:
            tickets = [one for one in tables.tickets.values() if one.kind == "child" and not one.stop]
            chosen = [one for one in tickets if run in (None, one.run) and not self._works(one)]
            return tuple(opened(tables, one) for one in sorted(chosen, key=lambda one: one.id)[:limit])

    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        """Unfinished children that nobody waits for."""
        tables = self._tables
        with tables.lock:
            living = [row for row in tables.runs.values() if row.status not in FINISHED and not row.stop]
            found = [row.id for row in living if run in (None, row.parent) and row.id in tables.parents]
            return tuple(child for child in sorted(found) if tables.awaited(child) is None)[:limit]

    def _works(self, ticket: Ticket) -> bool:
        """Whether the child that a wait names is under way, and answers that wait."""
        row = self._tables.runs.get(RunId(str(ticket.detail.get("child", ""))))
        return row is not None and row.status not in FINISHED and self._tables.awaited(row.id) is ticket
