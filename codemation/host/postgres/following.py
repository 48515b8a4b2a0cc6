"""What is to be started because a run has failed, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import FollowUp
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement, texts

_DUE = statement("""
    SELECT run_id::text, revision, workflow FROM follow_ups WHERE workflow = ANY(:workflows::text[])
    ORDER BY at, run_id LIMIT :most::int""")
_DONE = statement("DELETE FROM follow_ups WHERE run_id = :run AND revision = :revision")


class PostgresFollowUps:
    """What is to be started."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def due(self, workflows: Sequence[WorkflowId], limit: int = 100) -> tuple[FollowUp, ...]:
        """What of these workflows is to be started, the oldest first."""
        with self._connections.lease() as link:
            rows = link.all(_DUE, {"workflows": texts(workflows), "most": limit})
        return tuple(
            FollowUp(run=RunId(run), revision=revision, workflow=WorkflowId(name)) for run, revision, name in rows
        )

    def done(self, follow_up: FollowUp) -> None:
        """Forget what was started; again is harmless."""
        with self._connections.lease() as link:
            link.run(_DONE, {"run": follow_up.run, "revision": follow_up.revision})
