"""The read side on PostgreSQL. Its queries are imported when somebody asks: what executes a run never pays for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.ports import ANYWHERE, RunRow, TicketKind, TicketRow, Unattended, Within
from codemation.core.states import RunStatus
from codemation.host.postgres.codes import KINDS, STATUS_CODES, TICKET_STATES
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.rows import run_row

if TYPE_CHECKING:
    from codemation.host.postgres.run_queries import Query


class PostgresRuns:
    """What people list and look up."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first, from just before the run `before`."""
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        codes = [STATUS_CODES[status] for status in statuses]
        query = run_queries.page(workflow, codes, before, limit)
        rows = self._ask(run_queries.narrowed(query, within))
        return tuple(run_row(RunId(row[-1]), row) for row in rows)

    def hidden(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        between: tuple[RunId | None, RunId | None] = (None, None),
        most: int = 10_000,
    ) -> int:
        """How many runs that work for others a page without children has left out."""
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        codes, (before, down_to) = [STATUS_CODES[status] for status in statuses], between
        query = run_queries.narrowed(run_queries.page(workflow, codes, before, most), replace(within, children=True))
        ((count,),) = self._ask(run_queries.hidden(query, down_to, most))
        return int(count)

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """The runs whose id begins or ends with `prefix`, at most ten, youngest first."""
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        return tuple(RunId(name) for (name,) in self._ask(run_queries.find(prefix)))

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """The live tickets of a run."""
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        rows = self._ask(run_queries.tickets_of(run))
        return tuple(
            TicketRow(
                id=TicketId(ticket),
                run=run,
                activation=ActivationId(activation),
                state=TICKET_STATES[state],
                worker=None if owner is None else WorkerId(owner),
                due_at=due_at,
                lost=lost,
                kind=cast("TicketKind", KINDS[kind]),
                wait=wait or "",
                pool=pool or "",
                shards=None if left is None else (many - left, many),
                queue=queue,
                done=int(done),
            )
            for ticket, activation, state, owner, due_at, lost, kind, wait, pool, left, many, queue, done in rows
        )

    def unattended(self) -> tuple[Unattended, ...]:
        """Runs that break the invariant of the protocol; empty on a healthy system with a worker for each lane."""
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        rows = self._ask(run_queries.unattended())
        return tuple(Unattended(run=RunId(run), workflow=WorkflowId(workflow), why=why) for run, workflow, why in rows)

    def _ask(self, query: Query) -> list[Row]:
        from codemation.host.postgres import run_queries  # noqa: PLC0415 - imports SQLAlchemy

        text, values = run_queries.sent(query)
        with self._connections.lease() as link:
            return link.ask(text, values)
