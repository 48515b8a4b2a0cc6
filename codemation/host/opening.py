"""Sessions: begun anew, or opened again after whoever had them open is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codemation.core.engine import Start
from codemation.core.errors import RunError
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.outcome import Outcome
from codemation.core.replaying import unwanted
from codemation.core.workflow import Workflow
from codemation.host import pinning
from codemation.host.adoption import adopt
from codemation.host.launching import prepared
from codemation.host.session import SessionHandle

if TYPE_CHECKING:
    from codemation.host.app import App


def asked(app: App, launch: Launch, *, session: bool = False) -> Start:
    """What a run is started with: params and input as they are stored, and its pins.

    Raises:
        InputError: something does not fit, or is pinned where nothing may be.
    """
    workflow = launch.workflow
    pins = pinning.pins_of(launch.pins, workflow, app.tables)
    pinning.check_allowed(app.settings.config, workflow.id, pins)
    start = prepared(launch, app.settings.limits, app.tables, app.who)
    if not (session or pins) and launch.cache:
        return start
    return replace(
        start,
        session=session,
        fresh=not launch.cache,
        standing=pinning.stored(app.engine, start.id, pins.values()),
        unwanted=unwanted(workflow.definition.plan, pins) if pins else (),
    )


def begin(app: App, launch: Launch) -> SessionHandle:
    """A session that stands at its beginning.

    Raises:
        InputError: items or params do not fit; nothing has been started.
    """
    workflow = launch.workflow
    run, outcome = app.started(workflow, asked(app, launch, session=True))
    session = SessionHandle(app, run, workflow, outcome)
    app.sessions.add(session)
    app.last = session
    return session


def reopen(app: App, run: RunId, workflow: Workflow[Any, ...], *, with_changes: bool = False) -> SessionHandle:
    """A run as a session: one that was left, or one that is over.

    If its code has changed since, it can be looked at, and goes on when it has moved: `with_changes` moves it at once.

    Raises:
        UnknownRun: there is no such run.
        RunError: somebody works on it.
    """
    for session in app.sessions:
        if session.id == run:
            return session
    app.work()
    app.know(workflow)
    opened = app.engine.open(run)
    if any(watched.run.id == run and not watched.settled for watched in app.scheduler.watched()):
        raise RunError(f"run {run} is being worked on by this process", way_out="wait for it, or cancel it")
    outcome = Outcome() if opened.finished else adopt(app.engine, app.caretaker, opened)
    session = SessionHandle(app, opened, workflow, outcome)
    app.sessions.add(session)
    if with_changes:
        session.edit(workflow)
    return session
