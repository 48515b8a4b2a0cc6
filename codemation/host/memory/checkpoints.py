"""Checkpoints in memory."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.core.ids import RunId
from codemation.core.ports import Checkpoint, Loaded, RunRow
from codemation.host.memory.tables import Tables


class MemoryCheckpoints:
    """Where runs stood, beside their journals."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def load(self, *runs: RunId) -> Mapping[RunId, Loaded]:
        """Each run, its latest checkpoint, and its journal from there on."""
        with self._tables.lock:
            return {run: self._loaded(self._tables.runs[run]) for run in runs if run in self._tables.runs}

    def _loaded(self, row: RunRow) -> Loaded:
        known = self._tables.checkpoints.get(row.id, {})
        latest = known[max(known)] if known else None
        since = 0 if latest is None else latest.revision
        return row, latest, tuple(entry for entry, _ in self._tables.journal[row.id] if entry.revision >= since)

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
