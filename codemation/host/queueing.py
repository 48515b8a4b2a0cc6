"""Runs that wait for their turn: looked after by whoever waits for them, so that nobody else pays for it."""

from __future__ import annotations

from collections.abc import Callable

from codemation.core.delivery import Outcome
from codemation.core.engine import Engine
from codemation.core.ids import RunId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.ports import Holding
from codemation.core.signals import Event
from codemation.core.states import RunStatus
from codemation.host.runtime.scheduler import InlineScheduler
from codemation.host.runtime.watched import Watched

_ENDS = frozenset({"run_succeeded", "run_failed", "run_cancelled"})


class Queues:
    """The queued runs that this process is to work on."""

    def __init__(self, engine: Engine, scheduler: InlineScheduler) -> None:
        self._engine = engine
        self._scheduler = scheduler

    def concern(self, events: tuple[Event, ...]) -> bool:
        """Whether something has become true that may have let one of them in: the end of a run."""
        ended = not _ENDS.isdisjoint([event.kind for event in events])
        return ended and any(one.run.queued for one in self._scheduler.watched())

    def look(self) -> None:
        """Take up those that have been let in; let in who was forgotten by a process that was killed."""
        engine, queued = self._engine, [one for one in self._scheduler.watched() if one.run.queued and not one.settled]
        for name in dict.fromkeys(one.run.turnstile for one in queued if one.run.turnstile is not None):
            engine.persist(engine.stores.turnstiles.mend, name)
            rows = engine.persist(engine.stores.turnstiles.at, name)
            waiting = {row.id for row in rows if row.status is RunStatus.QUEUED}
            for one in queued:
                if one.run.turnstile == name and one.run.id not in waiting:
                    self._take_up(one)

    def _take_up(self, watched: Watched) -> None:
        engine, run = self._engine, watched.run
        with run.lock:
            engine.opener.look(run, Holding(ticket=TicketId(0), worker=engine.worker, fence=0))
        self._scheduler.submit(watched, ready_in(engine, run.id))

    def make_way(self, run: OpenRun, cancel: Callable[[RunId], None]) -> None:
        """Cancel those that a queued run replaces: all but the latest, as many as there may be."""
        said = run.definition.concurrency
        if not run.queued or said["when_full"] != "replace":
            return
        engine, name = self._engine, run.turnstile or ""
        rows = sorted(engine.persist(engine.stores.turnstiles.at, name), key=lambda row: (row.created_at, row.id))
        for row in rows[: -said["runs"]]:
            if not row.stop:
                cancel(row.id)


def ready_in(engine: Engine, run: RunId) -> Outcome:
    """What may be claimed of a run."""
    rows = engine.persist(engine.stores.runs.tickets, run)
    return Outcome(ready=tuple(row.id for row in rows if row.kind == "work" and row.state == "ready"))
