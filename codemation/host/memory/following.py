"""What is to be started because a run has failed, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import WorkflowId
from codemation.core.ports import FollowUp
from codemation.host.memory.tables import Tables


class MemoryFollowUps:
    """What is to be started."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def due(self, workflows: Sequence[WorkflowId], limit: int = 100) -> tuple[FollowUp, ...]:
        """What of these workflows is to be started."""
        with self._tables.lock:
            noted = [
                FollowUp(run=run, revision=revision, workflow=WorkflowId(workflow))
                for (run, revision), workflow in self._tables.follow_ups.items()
            ]
        return tuple([one for one in noted if one.workflow in workflows][:limit])

    def done(self, follow_up: FollowUp) -> None:
        """Forget what was started."""
        with self._tables.lock:
            self._tables.follow_ups.pop((follow_up.run, follow_up.revision), None)
