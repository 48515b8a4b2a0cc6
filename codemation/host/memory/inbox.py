"""Signals from outside, in memory."""

from __future__ import annotations

from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Letter
from codemation.host.memory.tables import Tables


class MemoryInbox:
    """Signals from outside."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal."""
        tables = self._tables
        with tables.lock:
            if (run, key) in tables.posted:
                return False
            tables.posted.add((run, key))
            tables.serial += 1
            tables.letters.setdefault(run, []).append(Letter(id=tables.serial, key=key, body=body))
            tables.ask_for_fold(tables.runs[run], fold)
            return True

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What is not folded yet."""
        with self._tables.lock:
            return tuple(self._tables.letters.get(run, ()))
