"""Runs that nobody works on, and that would go on if somebody did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codemation.core.ids import RunId, WorkerId
from codemation.core.ports import TicketRow
from codemation.core.waits import DEADLINE
from codemation.host.runtime.liveness import Observer, place

if TYPE_CHECKING:
    from codemation.host.app import App

LEFT_ALONE = "nobody works on it"


def left_alone(app: App, runs: Sequence[RunId]) -> frozenset[RunId]:
    """Those of some unfinished runs that go on only when somebody resumes them: no process that lives is at them.

    What waits for the world is not: there is nothing to do in it yet.
    """
    if not runs:
        return frozenset()
    workers = app.stores.workers.living()
    dead = frozenset(Observer(app.settings.config.place or place()).dead(workers))
    here = {worker.id for worker in workers} - dead
    if not app.scheduler.watched():  # this process is entered because it has answered something, and works on nothing
        here -= {app.engine.worker}
    unattended = {one.run for one in app.stores.runs.unattended()}
    return frozenset(run for run in runs if (run in unattended or not here) and not _held(app, run, here))


def _held(app: App, run: RunId, workers: Collection[WorkerId]) -> bool:
    """Whether a living worker is at a run, or all that is live of it waits for the world."""
    tickets, now = app.stores.runs.tickets(run), datetime.now(UTC)
    if any(ticket.state == "running" and ticket.worker in workers for ticket in tickets):
        return True
    live = [ticket for ticket in tickets if ticket.wait != DEADLINE]
    return bool(live) and all(_sleeps(ticket, now) for ticket in live)


def _sleeps(ticket: TicketRow, now: datetime) -> bool:
    is_wait = ticket.state == "waiting" and ticket.kind not in ("work", "shard", "fold")
    return is_wait and (ticket.due_at is None or ticket.due_at > now)
