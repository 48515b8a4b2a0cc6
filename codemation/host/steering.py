"""Steering runs from outside: going on with one that was left or has failed, and stopping one."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from codemation.core.errors import RunError
from codemation.core.ids import RunId
from codemation.core.opening import OpenRun
from codemation.core.workflow import Workflow
from codemation.host.adoption import adopt, check_drift, reopened
from codemation.host.handles import RunHandle
from codemation.host.launching import decoded_params
from codemation.host.runtime.scheduler import GRACE

if TYPE_CHECKING:
    from codemation.host.app import App


def resumed(app: App, run: RunId, workflow: Workflow[Any, ...], *, with_changes: bool, who: str) -> RunHandle:
    """Go on with a run that has failed or was cancelled, or whose worker has died or was interrupted."""
    app.know(workflow)
    for watched in app.scheduler.watched():
        if watched.run.id == run and not watched.settled:  # this process is at work on it
            return RunHandle(app, watched.run, workflow, watched)
    opened = app.engine.open(run)
    if app.fleet is None or opened.snapshot.session:
        app.work()
    check_drift(opened, workflow, with_changes=with_changes)
    decoded_params(workflow, opened.row.params)  # refused before anything is written
    if opened.finished:
        outcome = reopened(app.engine, opened, workflow, who)
    else:
        outcome = adopt(app.engine, app.caretaker, opened)
    handle = app.taken_up(opened, workflow, outcome)
    app.family.take_up(run)
    return handle


def cancelled(app: App, run: RunId, *, who: str, reason: str) -> None:
    """Ask a run to stop, and give those who work on it a few seconds to notice."""
    runs = app.family.stop(run, who=who, reason=reason)
    app.caretaker.recover()
    deadline = time.monotonic() + GRACE
    while not all(app.engine.open(one).finished for one in runs) and time.monotonic() < deadline:
        if not app.caretaker.fold(run):
            time.sleep(0.05)


def joined(app: App, run: OpenRun, workflow: Workflow[Any, ...]) -> RunHandle:
    """A handle of a run that was started before with the same key; it is gone on with if nobody does."""
    mine = app.fleet is None and run.definition.digest == workflow.digest
    if mine and not run.finished:
        with suppress(RunError):  # somebody works on it
            return app.resume(run.id, workflow)
    handle = RunHandle(app, run, workflow)
    handle.joined = True
    return handle
