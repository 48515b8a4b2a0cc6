"""The read side in memory."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import RunId
from codemation.core.ports import RunRow, TicketRow, Unattended
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import FOLD, Tables


class MemoryRunList:
    """The read side."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first."""
        with self._tables.lock:
            rows = sorted(self._tables.runs.values(), key=lambda row: (row.created_at, row.id), reverse=True)
        ids = [row.id for row in rows]
        rows = rows[ids.index(before) + 1 :] if before in ids else rows
        chosen = [row for row in rows if workflow in (None, row.workflow) and (not statuses or row.status in statuses)]
        return tuple(chosen[:limit])

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """Runs by the beginning or the end of their ids."""
        rows = self.page(limit=1_000_000)
        return tuple(row.id for row in rows if row.id.startswith(prefix) or row.id.endswith(prefix))[:10]

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """Live tickets."""
        with self._tables.lock:
            return tuple(
                TicketRow(
                    id=ticket.id,
                    run=run,
                    activation=ticket.activation,
                    state=ticket.state,
                    worker=ticket.owner,
                    due_at=ticket.due_at,
                    lost=ticket.lost,
                )
                for ticket in self._tables.of_run(run)
            )

    def unattended(self) -> tuple[Unattended, ...]:
        """Runs that nobody goes on with."""
        tables = self._tables
        with tables.lock:
            found = []
            for row in tables.runs.values():
                if row.status in FINISHED:
                    continue
                tickets = tables.of_run(row.id)
                dead = [one for one in tickets if one.state == "running" and one.owner in tables.buried]
                if not tickets:
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="it has no ticket"))
                elif dead:
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="its owner is dead"))
                elif tables.letters.get(row.id) and not any(one.activation == FOLD for one in tickets):
                    found.append(Unattended(run=row.id, workflow=row.workflow, why="nobody folds its inbox"))
            return tuple(found)
