"""What nodes say, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import RunId
from codemation.core.ports import LogLine
from codemation.host.memory.tables import Tables


class MemoryLogs:
    """What nodes say."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, run: RunId, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        with self._tables.lock:
            self._tables.logs.setdefault(run, []).extend(lines)

    def read(self, run: RunId, node: str | None = None, limit: int = 10_000) -> tuple[LogLine, ...]:
        """The lines of a run."""
        with self._tables.lock:
            lines = self._tables.logs.get(run, [])
            mine = [line for line in lines if node is None or line.activation.rpartition("/")[0] == node]
            return tuple(mine[-limit:])
