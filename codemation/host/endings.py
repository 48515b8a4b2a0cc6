"""How whoever holds a run comes to its end: by working on it, by waiting for others, by what is raised of a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from codemation.core.errors import RunFailed, RunPaused, UnknownRun
from codemation.core.ids import NodeId, RunId
from codemation.core.ports import Subscription
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus
from codemation.host.runtime.trouble import theirs

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle
    from codemation.host.runtime.scheduler import Watched

POLL = 1.0
"""Seconds between looks at a run that another process works on."""


def driven(run: RunHandle, watched: Watched, patience: float | None, until: Callable[[], bool] = lambda: False) -> None:
    """Work on a run until it is settled, or `until` says so."""
    scheduler = run.app.scheduler
    try:
        scheduler.drive(watched, until, patience=patience)
    except KeyboardInterrupt:
        run.app.family.pause(watched)
        raise RunPaused(run.id) from None
    if watched.error is not None:
        error = watched.error
        run.app.family.pause(watched, grace=0.0)
        raise error


def gone(run: RunHandle) -> RunHandle:
    """Work on a run until it is over or waits for the world."""
    watched = run.watched
    if watched is not None:

        def rests() -> bool:
            return run.app.family.at_rest(watched)

        driven(run, watched, None, until=rests)
        while rests():  # the world may have answered before it was asked, or another thread fold the end of a child
            if not run.app.caretaker.fold() and rests():
                break
            driven(run, watched, None, until=rests)
    if watched is None and run.app.fleet is not None:
        wait_for_others(run, float("inf"), enough=lambda: _rests(run.app, run.snapshot))
    if run.snapshot.at_rest:
        return run.serve()
    run.wait()
    return run


def _rests(app: App, snapshot: Snapshot) -> bool:
    """Whether only the world can bring a run of the fleet further: it waits, and so do its children."""
    if not snapshot.at_rest:
        return False
    children = [
        wait.detail["child"] for waits in snapshot.waits.values() for wait in waits.values() if wait.kind == "child"
    ]
    with suppress(UnknownRun):  # it is about to be started
        return all(_rests(app, app.engine.open(RunId(child)).snapshot) for child in children)
    return False


def wait_for_others(run: RunHandle, until: float, enough: Callable[[], bool] = lambda: False) -> None:
    """Wait while another process works on the run, up to a time of the monotonic clock, or until it is `enough`."""
    if run.snapshot.status in FINISHED:
        return
    with run.app.bus.subscribe(run.id) as news:
        while run.snapshot.status not in FINISHED and (left := until - time.monotonic()) > 0 and not enough():
            if run.app.fleet is None:
                run.app.caretaker.fold(run.id)
            _until_told(news, min(POLL, left))


def _until_told(news: Subscription, seconds: float) -> None:
    """Wait until a run is said to be over or to wait, something may have been missed, or the time is over."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        told = news.next(left)
        if told is None or not told.revision or told.status in FINISHED or told.status is RunStatus.WAITING:
            return


def fail(run: RunHandle, causes: Mapping[NodeId, BaseException]) -> NoReturn:
    """Raise what there is to raise of a failed run, once what follows its failure has been worked on."""
    run.app.lookout.followers.after(run.id)
    raise failure_of_run(run, causes)


def failure_of_run(run: RunHandle, causes: Mapping[NodeId, BaseException]) -> RunFailed:
    """What is raised of a failed run; its cause is the exception itself if it was raised in this process."""
    node = run.snapshot.failed()[0] if run.snapshot.failed() else None
    if node is None:
        return RunFailed(f"run {run.id} failed: {run.reason}", run=run)
    error = run.snapshot.nodes[node].error
    item = f", item {error.item}" if error and error.item is not None else ""
    said = f"{error.type}: {error.message}" if error else run.reason
    failure = RunFailed(
        f'run {run.id} of "{run.definition.workflow}" failed at "{node}"{item}: {said}',
        run=run,
        way_out=f"codemation runs show {run.id}; after the fix: codemation runs resume {run.id}",
    )
    cause = causes.get(node)
    failure.__cause__ = cause and cause.with_traceback(theirs(cause.__traceback__))
    return failure
