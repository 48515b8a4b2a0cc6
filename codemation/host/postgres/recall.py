"""What nodes have given before, on PostgreSQL: one row for each digest, found by its key."""

from __future__ import annotations

from codemation.core.ids import RunId
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_REMEMBER = statement("""
    INSERT INTO recalled (key, run_id, outputs) VALUES (:key, :run, :outputs)
    ON CONFLICT (key) DO UPDATE SET run_id = EXCLUDED.run_id, outputs = EXCLUDED.outputs, at = now_()""")
_RECALL = statement("""
    SELECT run_id, outputs::text FROM recalled WHERE key = :key""")


class PostgresRecall:
    """What nodes have given, by the digest of code, configuration and inputs."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def remember(self, key: bytes, run: RunId, outputs: str) -> None:
        """Note what a run has given."""
        with self._connections.lease() as link:
            link.run(_REMEMBER, {"key": key, "run": run, "outputs": outputs})

    def recall(self, key: bytes) -> tuple[RunId, str] | None:
        """The run, and what it gave."""
        with self._connections.lease() as link:
            row = link.one(_RECALL, {"key": key})
        return None if row is None else (RunId(str(row[0])), str(row[1]))
