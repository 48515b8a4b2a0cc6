"""The read side in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from codemation.core.ids import RunId
from codemation.core.ports import RunRow, TicketRow, Unattended
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import Tables


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
            rows = list(self._tables.runs.values())
            mark = None if before is None else self._tables.runs.get(before)
        if before is not None:
            rows = [row for row in rows if mark and _age(row) < _age(mark)]
        chosen = [row for row in rows if workflow in (None, row.workflow) and (not statuses or row.status in statuses)]
        return tuple(sorted(chosen, key=_age, reverse=True)[:limit])

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """Runs by the beginning or the end of their ids."""
        with self._tables.lock:
            rows = sorted(self._tables.runs.values(), key=_age, reverse=True)
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
        with self._tables.lock:
            unfinished = [row for row in self._tables.runs.values() if row.status not in FINISHED]
            return tuple(
                Unattended(run=row.id, workflow=row.workflow, why=why)
                for row in unfinished
                for why in self._reasons(row.id)
            )

    def _reasons(self, run: RunId) -> Iterator[str]:
        tables = self._tables
        tickets = tables.of_run(run)
        if not tickets:
            yield "it has no ticket"
        for ticket in tickets:
            lives = ticket.owner in tables.workers and ticket.owner not in tables.buried
            if ticket.state == "running" and not lives:
                yield f"worker {ticket.owner} holds {ticket.activation or 'its fold'} and is dead"
        if tables.letters.get(run) and not any(ticket.is_fold for ticket in tickets):
            yield "nobody folds its inbox"


def _age(row: RunRow) -> tuple[datetime, RunId]:
    return row.created_at, row.id
