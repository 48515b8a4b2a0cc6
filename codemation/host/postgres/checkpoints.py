"""Checkpoints on PostgreSQL."""

from __future__ import annotations

from psycopg import errors

from codemation.core.ids import RunId
from codemation.core.ports import Checkpoint, Entry, RunRow
from codemation.host.postgres import run_statements
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import run_and_entries


class PostgresCheckpoints:
    """Where runs stood, beside their journals."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def load(self, run: RunId) -> tuple[RunRow, Checkpoint | None, tuple[Entry, ...]]:
        """The run, its latest checkpoint, and its journal from there on, the revision of the checkpoint included.

        Raises:
            UnknownRun: there is none.
        """
        with self._connections.lease() as link:
            try:
                rows = link.all(run_statements.LOAD_LATEST, {"run": run})
            except errors.InvalidTextRepresentation:
                rows = []  # what is not even spelled like an id names no run
        row, entries = run_and_entries(run, rows)
        *_, revision, state = rows[0]
        return row, None if revision is None else Checkpoint(revision=revision, state=state), entries

    def keep(self, run: RunId, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint beside the journal; again is harmless, and so is a run that is not there any more."""
        with self._connections.lease() as link:
            link.run(run_statements.KEEP, {"run": run, "at": checkpoint.revision, "state": checkpoint.state})

    def compact(self, limit: int = 500) -> int:
        """Delete checkpoints that a later one of the same run has replaced; says how many."""
        with self._connections.lease() as link:
            return link.run(run_statements.REPLACED, {"most": limit})
