"""Runs that triggers have started, and that a process left when it died: without a fleet another one takes them up.

Otherwise they would wait for somebody to resume them, and the next runs of their schedules with them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from codemation.core.errors import CodemationError, RunError, StoreUnavailable
from codemation.core.ids import RunId, WorkerId
from codemation.core.origins import Origin
from codemation.core.states import RunStatus
from codemation.host.triggers.arms import KnownTrigger

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.triggers")
AT_ONCE = 100
READY = 10.0
"""Seconds for which work has been ready that is taken for left. Who takes it from somebody alive moves it, no more."""
UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


def adopt_left(app: App, known: Mapping[str, KnownTrigger]) -> int:
    """Go on with runs of these triggers that nobody works on; says with how many. A fleet sees to its own."""
    if not known or app.fleet is not None:
        return 0
    mine = {
        row.id: known[origin.trigger]
        for row in app.stores.runs.page(statuses=UNFINISHED, limit=AT_ONCE)
        if (origin := Origin.from_json(row.origin)) is not None and origin.trigger in known
    }
    living = {worker.id for worker in app.stores.workers.living()} if mine else set()
    return sum(_adopted(app, run, known) for run, known in mine.items() if _is_left(app, run, living))


def _is_left(app: App, run: RunId, living: Collection[WorkerId]) -> bool:
    """Whether there is work in a run that has been ready for a while, and nobody who lives is at any of it."""
    tickets, since = app.stores.runs.tickets(run), datetime.now(UTC) - timedelta(seconds=READY)
    ready = [one for one in tickets if one.state == "ready" and one.kind in ("work", "shard")]
    held = any(one.state == "running" and one.worker in living for one in tickets)
    return not held and any(one.due_at is not None and one.due_at < since for one in ready)


def _adopted(app: App, run: RunId, known: KnownTrigger) -> bool:
    last = app.last
    try:
        app.resume(run, known.workflow).serve()
    except StoreUnavailable:
        raise
    except RunError:  # somebody was faster
        return False
    except CodemationError as error:  # its code has changed: a person has to say what becomes of it
        _log.warning("run %s was left, and cannot be gone on with: %s", run, error.message)
        return False
    finally:
        app.last = last
    return True
