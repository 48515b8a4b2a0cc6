"""Runs that wait for their turn: looked after by whoever waits for them, so that nobody else pays for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from codemation.core.engine import Engine
from codemation.core.errors import InputError, RunError
from codemation.core.ids import RunId
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import RunRow
from codemation.core.signals import Event
from codemation.core.states import RunStatus
from codemation.host.adoption import check_free
from codemation.host.runtime.watched import Watched

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.queueing")
TEND = 2.0
"""Seconds between looks at whether somebody works on a run that others wait for."""
_ENDS = frozenset({"run_succeeded", "run_failed", "run_cancelled"})


class Queues:
    """The queued runs that this process is to work on."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._engine = app.engine
        self._scheduler = app.scheduler
        self._tended: dict[RunId, float] = {}
        """When it was last tried to go on with a run that is in the way of others."""
        self._read: dict[str, float] = {}
        """When a queue was last read to its end."""

    def concern(self, events: tuple[Event, ...]) -> bool:
        """Whether something has become true that may have let one of them in: the end of a run."""
        ended = not _ENDS.isdisjoint([event.kind for event in events])
        return ended and any(one.run.queued for one in self._scheduler.watched())

    def look(self) -> None:
        """Take up those that have been let in; let in who was forgotten by a process that was killed."""
        engine, queued = self._engine, [one for one in self._scheduler.watched() if one.run.queued and not one.settled]
        names = dict.fromkeys(one.run.turnstile for one in queued if one.run.turnstile is not None)
        ahead: set[RunId] = set()
        for name in names:
            engine.persist(engine.stores.turnstiles.mend, name)
            whole = self._wants_all(name)
            rows = engine.persist(engine.stores.turnstiles.at, name, queued=whole)
            waiting = {row.id for row in rows if row.status is RunStatus.QUEUED}
            inside = {row.id for row in rows} - waiting
            ahead |= inside
            for row in rows:
                if row.id in inside:
                    self._tend(row)
            for one in queued:
                let_in = one.run.id in inside or (whole and one.run.id not in waiting)
                if one.run.turnstile == name and let_in:
                    self._take_up(one)
        self._read = {name: at for name, at in self._read.items() if name in names}
        self._tended = {run: at for run, at in self._tended.items() if run in ahead}

    def _wants_all(self, name: str) -> bool:
        """Whether it is time to read a queue to its end, for who has left it without a place, as the cancelled do."""
        now = time.monotonic()
        if now - self._read.get(name, now - TEND) < TEND:
            return False
        self._read[name] = now
        return True

    def _tend(self, row: RunRow) -> None:
        """Go on with a run that has a place, where its process has died or was interrupted: others wait for it."""
        app, last, now = self._app, self._app.last, time.monotonic()
        ours = any(one.run.id == row.id for one in self._scheduler.watched())
        if ours or row.stop or now - self._tended.get(row.id, now - TEND) < TEND:
            return
        said, self._tended[row.id] = row.id in self._tended, now
        try:
            workflow = app.known(row.digest)
            if workflow is not None:
                app.resume(row.id, workflow).serve()
                app.last = last
            elif not said:
                check_free(self._engine, self._engine.open(row.id))
                way_out = f"codemation runs resume {row.id}, or codemation runs cancel {row.id}"
                _log.warning("run %s is in the way of others, and nobody here has its code: %s", row.id, way_out)
        except (RunError, InputError):  # somebody works on it, or its params do not fit this code
            return

    def _take_up(self, watched: Watched) -> None:
        engine, run = self._engine, watched.run
        engine.opener.follow(run)
        self._scheduler.submit(watched, ready_in(engine, run.id))

    def mend(self) -> None:
        """Let in who was forgotten, wherever runs are queued."""
        self._engine.persist(self._engine.stores.turnstiles.mend)

    def make_way(self, run: OpenRun, cancel: Callable[[RunId], object]) -> None:
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
    return Outcome(ready=tuple(row.id for row in rows if row.kind in ("work", "shard") and row.state == "ready"))
