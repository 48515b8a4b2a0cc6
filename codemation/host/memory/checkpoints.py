"""Checkpoints in memory."""

from __future__ import annotations

from codemation.core.errors import UnknownRun
from codemation.core.ids import RunId
from codemation.core.ports import Checkpoint, Entry, RunRow
from codemation.host.memory.tables import Tables


class MemoryCheckpoints:
    """Where runs stood, beside their journals."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def load(self, run: RunId) -> tuple[RunRow, Checkpoint | None, tuple[Entry, ...]]:
        """The run, its latest checkpoint, and its journal from there on."""
        tables = self._tables
        with tables.lock:
            row, known = tables.runs.get(run), tables.checkpoints.get(run, {})
            if row is None:
                raise UnknownRun(f"no run {run}", way_out="codemation runs list")
            latest = known[max(known)] if known else None
            since = 0 if latest is None else latest.revision
            return row, latest, tuple(entry for entry, _ in tables.journal[run] if entry.revision >= since)

    def keep(self, run: RunId, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint."""
        with self._tables.lock:
            if run in self._tables.runs:
                self._tables.checkpoints.setdefault(run, {}).setdefault(checkpoint.revision, checkpoint)

    def compact(self, limit: int = 500) -> int:
        """Delete checkpoints that a later one has replaced."""
        with self._tables.lock:
            kept = self._tables.checkpoints
            old = [(run, one) for run, ones in sorted(kept.items()) for one in sorted(ones)[:-1]][:limit]
            for run, revision in old:
                del kept[run][revision]
            return len(old)
