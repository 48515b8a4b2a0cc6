"""Starting what is to follow a failure: noted with the failure itself, started by key, forgotten afterwards."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codemation.core.errors import CodemationError, RunCancelled, RunFailed, StoreUnavailable, UnknownRun
from codemation.core.following import FailedRun
from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import FollowUp
from codemation.core.signals import Event
from codemation.core.states import FINISHED
from codemation.core.workflow import Workflow

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle

_log = logging.getLogger("codemation.following")


class Followers:
    """The workflows that this process may have to start because a run has failed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: dict[WorkflowId, Workflow[Any, ...]] = {}
        self._begun: dict[RunId, RunHandle] = {}
        """By the run that has failed."""
        self._refused: set[FollowUp] = set()
        self._guard = threading.Lock()
        self.fresh = False
        """Whether something may have to be started."""

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have what follows a workflow at hand; something may have been left to be started."""
        following = workflow.on_failure
        while following is not None:
            self.fresh |= following.id not in self._known
            self._known[following.id] = following
            following = following.on_failure

    def hear(self, events: tuple[Event, ...]) -> bool:
        """Take note of what has become true; says whether there may be something to start."""
        if self._known:
            self.fresh |= any(event.kind == "run_failed" for event in events)
        return self.fresh

    def look(self) -> None:
        """Start what is to be started, and let threads of the process work on it."""
        if not self._known:
            return
        with self._guard:
            self.fresh = False
            app = self._app
            self._begun = {run: handle for run, handle in self._begun.items() if handle.status not in FINISHED}
            for one in app.engine.persist(app.stores.follow_ups.due, list(self._known)):
                try:
                    self.start(one)
                except StoreUnavailable:
                    raise
                except CodemationError as error:  # said once, and tried again whenever somebody looks
                    if one not in self._refused:
                        self._refused.add(one)
                        _log.error('"%s" could not be started after run %s: %s', one.workflow, one.run, error)

    def after(self, run: RunId) -> None:
        """Work on what follows the failure of a run until it is over, or waits for the world."""
        self.look()
        handle = self._begun.pop(run, None)
        if handle is not None:
            with suppress(RunFailed, RunCancelled):  # it is a run of its own, and found where all are
                handle.go()

    def start(self, one: FollowUp) -> None:
        """Start what follows one failure, unless its key has started it before."""
        app, workflow, last = self._app, self._known[one.workflow], self._app.last
        with suppress(UnknownRun):  # it has been pruned since
            record = self.record(one)
            launch = workflow.options(key=f"failure-of:{one.run}:{one.revision}").launch([record])
            self._begun[one.run] = app.launch(replace(launch, who=f"failure of run {one.run}")).serve()
            app.last = last
        app.engine.persist(app.stores.follow_ups.done, one)

    def record(self, one: FollowUp) -> FailedRun:
        """What it is given."""
        run = self._app.attach(one.run).at(one.revision)
        node = next(iter(run.snapshot.failed()), None)
        error = run.snapshot.nodes[node].error if node is not None else None
        return FailedRun(
            run=run.id,
            workflow=run.definition.workflow,
            reason=run.reason,
            node=node or "",
            error=error.type if error else "",
            message=error.message if error else "",
            item=error.item if error else None,
        )
