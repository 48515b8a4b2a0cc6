"""Places for runs in memory; nothing is counted here that is not looked at."""

from __future__ import annotations

from dataclasses import replace

from codemation.core.concurrency import Turnstile, refused
from codemation.core.ids import RunId
from codemation.core.ports import NewRun, RunRow
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import Tables


class MemoryTurnstiles:
    """Places for runs."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        """Those that have a place, then those that are queued."""
        with self._tables.lock:
            return (*inside(self._tables, name), *(_queued(self._tables, name) if queued else ()))

    def mend(self, name: str | None = None) -> int:
        """Let in who is queued for a free place."""
        with self._tables.lock:
            names = list(self._tables.turnstiles) if name is None else [name]
            return sum(let_in(self._tables, one) for one in names)


def inside(tables: Tables, name: str) -> list[RunRow]:
    """The runs that have a place, the first one first."""
    rows = [row for row in tables.runs.values() if row.turnstile == name and row.status not in FINISHED]
    return sorted((row for row in rows if row.status is not RunStatus.QUEUED), key=lambda row: (row.created_at, row.id))


def _queued(tables: Tables, name: str) -> list[RunRow]:
    rows = [row for row in tables.runs.values() if row.turnstile == name and row.status is RunStatus.QUEUED]
    return sorted(rows, key=lambda row: (-row.priority, row.created_at, row.id))


def check_free(tables: Tables, run: NewRun) -> None:
    """See whether a run may be started, as far as its turnstile refuses any.

    Raises:
        RunInTheWay: it is full.
    """
    turnstile = run.turnstile
    if turnstile is not None and turnstile.refuses:
        there = [*inside(tables, turnstile.name), *_queued(tables, turnstile.name)]
        if len(there) >= turnstile.runs:
            raise refused(run.workflow, there[0].id)


def queue(tables: Tables, run: RunId, turnstile: Turnstile) -> None:
    """Let a run wait for its place, and let in whoever gets one now."""
    tables.turnstiles[turnstile.name] = turnstile.runs
    for ticket in tables.of_run(run):
        ticket.state, ticket.due_at, ticket.wait_key = "waiting", None, f"turnstile:{turnstile.name}"
    let_in(tables, turnstile.name)


def let_in(tables: Tables, name: str | None) -> int:
    """Let in who is queued for a free place."""
    if name is None:
        return 0
    free = tables.turnstiles.get(name, 0) - len(inside(tables, name))
    let = [row for row in _queued(tables, name) if not row.stop][: max(0, free)]
    for row in let:
        tables.runs[row.id] = replace(row, status=RunStatus.RUNNING, started_at=row.started_at or tables.clock())
        for ticket in tables.of_run(row.id):
            if ticket.kind == "work":
                tables.free(ticket)
    return len(let)
