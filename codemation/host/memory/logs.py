"""What nodes say, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
            kept = self._tables.logs.setdefault(run, [])
            kept.extend(replace(line, number=number) for number, line in enumerate(lines, len(kept) + 1))

    def read(
        self, run: RunId, node: str | None = None, limit: int = 10_000, *, after: int | None = None
    ) -> tuple[LogLine, ...]:
        """The lines of a run."""
        with self._tables.lock:
            lines = self._tables.logs.get(run, [])[after or 0 :]
            mine = [line for line in lines if node is None or line.activation.rpartition("/")[0] == node]
            return tuple(mine[-limit:] if after is None else mine[:limit])
