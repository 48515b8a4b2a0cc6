"""When calls may begin, in memory."""

from __future__ import annotations

from datetime import timedelta

from codemation.host.memory.tables import Tables


class MemoryRates:
    """When calls may begin."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def book(self, name: str, calls: int, spacing: float) -> float:
        """Book moments for calls."""
        with self._tables.lock:
            now = self._tables.clock()
            first = max(now, self._tables.rates.get(name, now))
            self._tables.rates[name] = first + timedelta(seconds=calls * spacing)
            return (first - now).total_seconds()
