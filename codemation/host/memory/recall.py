"""What nodes have given before, in memory."""

from __future__ import annotations

from codemation.core.ids import RunId
from codemation.host.memory.tables import Tables


class MemoryRecall:
    """What nodes have given, by the digest of code, configuration and inputs."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def remember(self, key: bytes, run: RunId, outputs: str) -> None:
        """Note what a run has given."""
        with self._tables.lock:
            self._tables.recalled[key] = (run, outputs)

    def recall(self, key: bytes) -> tuple[RunId, str] | None:
        """The run, and what it gave."""
        with self._tables.lock:
            known = self._tables.recalled.get(key)
            return known if known is not None and known[0] in self._tables.runs else None
