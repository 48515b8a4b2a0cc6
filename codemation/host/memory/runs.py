"""The read side in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from codemation.core.ids import RunId
from codemation.core.ports import ANYWHERE, RunRow, TicketRow, Unattended, Within
from codemation.core.states import FINISHED, RunStatus
from codemation.core.waits import DEADLINE
from codemation.host.memory.tables import Tables, Ticket

OVERDUE = timedelta(seconds=60)
"""How long after its time a waiting ticket may still stand there before somebody should be told."""


class MemoryRunList:
    """The read side."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def page(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        before: RunId | None = None,
        limit: int = 50,
    ) -> tuple[RunRow, ...]:
        """Runs, youngest first."""
        with self._tables.lock:
            rows = list(self._tables.runs.values())
            mark = None if before is None else self._tables.runs.get(before)
        if before is not None:
            rows = [row for row in rows if mark and _age(row) < _age(mark)]
        rows = [row for row in rows if _is_within(row, within)]
        chosen = [row for row in rows if workflow in (None, row.workflow) and (not statuses or row.status in statuses)]
        return tuple(sorted(chosen, key=_age, reverse=True)[:limit])

    def hidden(
        self,
        *,
        workflow: str | None = None,
        statuses: Sequence[RunStatus] = (),
        within: Within = ANYWHERE,
        between: tuple[RunId | None, RunId | None] = (None, None),
        most: int = 10_000,
    ) -> int:
        """How many children a page has left out."""
        before, down_to = between
        everything = replace(within, children=True)
        rows = self.page(workflow=workflow, statuses=statuses, within=everything, before=before, limit=sys.maxsize)
        with self._tables.lock:
            mark = None if down_to is None else self._tables.runs.get(down_to)
        last = [row for row in rows if down_to is None or (mark and _age(row) > _age(mark))]
        return min(most, sum(row.parent is not None for row in last))

    def find(self, prefix: str) -> tuple[RunId, ...]:
        """Runs by the beginning or the end of their ids."""
        with self._tables.lock:
            rows = sorted(self._tables.runs.values(), key=_age, reverse=True)
        return tuple(row.id for row in rows if _is_like(row.id, prefix))[:10]

    def tickets(self, run: RunId) -> tuple[TicketRow, ...]:
        """Live tickets."""
        progress = self._tables.progress
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
                    kind=ticket.kind,
                    wait=ticket.wait,
                    pool=ticket.pool,
                    queue=ticket.lane.queue,
                    done=sum(len(chunk.items) for chunk in progress.get((ticket.id, ticket.activation), {}).values()),
                    shards=None if ticket.left is None else (ticket.shards - ticket.left, ticket.shards),
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
        tickets = self._tables.of_run(run)
        if all(ticket.wait == DEADLINE for ticket in tickets):
            yield "it has no ticket"
        for ticket in tickets:
            why = self._trouble(ticket)
            if why and not ticket.stop:
                yield why
        if self._tables.letters.get(run) and not any(ticket.is_fold for ticket in tickets):
            yield "nobody folds its inbox"

    def _trouble(self, ticket: Ticket) -> str:
        name, tables = ticket.activation or "its fold", self._tables
        living = tables.workers.keys() - tables.buried
        match ticket.state:
            case "waiting" if ticket.kind == "child" and tables.is_over(ticket.detail.get("child")):
                return f"{name} waits for a child that is over"
            case "running" if ticket.owner not in living:
                return f"worker {ticket.owner} holds {name} and is dead"
            case "waiting" if ticket.due_at is not None and ticket.due_at < tables.clock() - OVERDUE:
                return f"the time of {name} came at {ticket.due_at} and nobody fired it"
            case "waiting" if ticket.left and not any(
                one.shard is not None and one.shard.parent == ticket.id for one in tables.of_run(ticket.run)
            ):
                return f"{name} waits for shards that are not there"
            case "ready" if not any(ticket.lane in tables.served.get(worker, (ticket.lane,)) for worker in living):
                return f'nobody serves queue "{ticket.lane.queue}" of definition {ticket.lane.digest[:12]}'
            case _:
                return ""


def _age(row: RunRow) -> tuple[datetime, RunId]:
    return row.created_at, row.id


def _is_within(row: RunRow, within: Within) -> bool:
    since, until = within.since or row.created_at, within.until
    if row.parent is not None and not within.children:
        return False
    return since <= row.created_at and (until is None or row.created_at < until) and _is_like(row.id, within.like)


def _is_like(run: RunId, text: str) -> bool:
    return run.startswith(text) or run.endswith(text)
