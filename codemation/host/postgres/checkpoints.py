"""Checkpoints on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from codemation.core.ids import RunId
from codemation.core.ports import Checkpoint, Loaded
from codemation.host.postgres import run_statements
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.rows import run_and_entries
from codemation.host.postgres.statements import texts


class PostgresCheckpoints:
    """Where runs stood, beside their journals."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def load(self, *runs: RunId) -> Mapping[RunId, Loaded]:
        """Each run, its latest checkpoint, and its journal from there on; all of them in one statement."""
        names = {name: run for run in runs if (name := _spelled(run))}
        if not names:
            return {}
        with self._connections.lease() as link:
            rows = link.all(run_statements.LOAD_LATEST, {"runs": texts(names)})
        found: dict[RunId, list[Row]] = {}
        for row in rows:
            found.setdefault(names[row[-1]], []).append(row)
        return {run: _loaded(run, its) for run, its in found.items()}

    def keep(self, run: RunId, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint beside the journal; again is harmless, and so is a run that is not there any more."""
        with self._connections.lease() as link:
            link.run(run_statements.KEEP, {"run": run, "at": checkpoint.revision, "state": checkpoint.state})

    def compact(self, limit: int = 500) -> int:
        """Delete checkpoints that a later one of the same run has replaced; says how many."""
        with self._connections.lease() as link:
            return link.run(run_statements.REPLACED, {"most": limit})


def _spelled(run: RunId) -> str | None:
    """An id as the database spells it; `None` for what is none."""
    try:
        return str(UUID(run))
    except ValueError:
        return None


def _loaded(run: RunId, rows: list[Row]) -> Loaded:
    row, entries = run_and_entries(run, rows)
    *_, revision, state, _ = rows[0]
    return row, None if revision is None else Checkpoint(revision=revision, state=state), entries
