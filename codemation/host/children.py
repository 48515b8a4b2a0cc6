"""Children of runs in one process: they are started when they are waited for, taken up again, and stopped.

A wait is recorded before its child is started, so that the end of a child always finds somebody to tell. Whoever finds
a wait without a child starts it: the process that recorded it at once, any other one as soon as it looks.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from codemation.core.engine import Start
from codemation.core.errors import RunError, UnknownRun, UnwantedChild
from codemation.core.ids import ActivationId, RunId, TicketId
from codemation.core.limits import Limits
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import OpenWait, Parent
from codemation.core.spelling import read_batch
from codemation.core.states import FINISHED, RunStatus
from codemation.core.workflow import Workflow
from codemation.host.adoption import adopt
from codemation.host.identity import entropy
from codemation.host.letters import ended_letter
from codemation.host.queueing import ready_in
from codemation.host.runtime.scheduler import GRACE
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import RunCode

if TYPE_CHECKING:
    from codemation.host.app import App


class Family:
    """Looks after the children of the runs that a process works on."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._starting = threading.Lock()

    def recorded(self, run: OpenRun, activation: ActivationId) -> None:
        """Once a result stands: start the children that it asks for, or let the parent know that its child is over."""
        waits = run.snapshot.waits.get(activation)
        if waits and any(wait.kind == "child" for wait in waits.values()):
            self.begin(run.id)
        elif run.finished and run.snapshot.parent:
            self._app.caretaker.fold()
        if self._app.fleet is not None:
            self._app.fleet.make_room(run)

    def begin(self, run: RunId | None = None) -> None:
        """Start the children that a run waits for, or any run, and that are not there yet."""
        engine = self._app.engine
        with self._starting:
            waits = engine.persist(engine.stores.children.wanted, run, limit=_MOST)
            for number, wait in enumerate(sorted(waits, key=_place)):
                self._begin(wait, driven=number == 0)

    def tend(self) -> None:
        """Mend what a crash has left: children that were never started, and children that nobody waits for."""
        self.begin()
        self._abandon(None)

    def changed(self, run: OpenRun) -> None:
        """A run was folded beside those who work on it: let them see; its children stop if it is over."""
        app = self._app
        if run.finished:
            self._abandon(run.id)
        for watched in app.scheduler.watched():
            if watched.run.id == run.id:
                with watched.run.lock:
                    watched.run.snapshot, watched.run.head, watched.run.row = run.snapshot, run.head, run.row
                    watched.run.stopping |= run.finished  # what its nodes do is not wanted any more
                if app.fleet is None:
                    app.scheduler.submit(watched, ready_in(app.engine, run.id))
                if watched.served and watched.settled and not watched.active:
                    app.scheduler.release(watched)
        if app.fleet is not None and run.finished:
            app.fleet.make_room(run)
        elif app.fleet is not None:
            app.fleet.call(run.id)

    def stop(self, run: RunId, *, who: str = "", reason: str = "") -> tuple[RunId, ...]:
        """Ask a run and its children to stop, without waiting for their end; says who was asked."""
        runs = (run, *self.below(run))
        self._app.engine.cancel(run, who=who, reason=reason)
        self._app.scheduler.stop(runs)
        return runs

    def _abandon(self, run: RunId | None) -> None:
        """Stop the children of a run, or of any, that nobody waits for."""
        engine = self._app.engine
        while children := engine.persist(engine.stores.children.unwanted, run):  # so many at once as one look gives
            for child in children:
                self.stop(child, reason=ORPHANED)

    def below(self, run: RunId) -> list[RunId]:
        """The unfinished children of a run, and theirs."""
        engine = self._app.engine
        living = [row.id for row in engine.persist(engine.stores.children.of, run) if row.status not in FINISHED]
        return [one for child in living for one in (child, *self.below(child))]

    def take_up(self, run: RunId) -> None:
        """Work on the children of a run that somebody has left."""
        self.begin(run)
        for child in self.below(run):
            with self._starting:
                self._adopt(child, driven=True)

    def pause(self, watched: Watched, grace: float = GRACE) -> None:
        """Stop working on a run and on its children, so that anybody may go on with them at once."""
        for child in self._working(watched.run.id):
            self.pause(child, grace)
        self._app.scheduler.pause(watched, grace)

    def work_on(self, run: RunId) -> None:
        """Work on the children of a run until they are over or wait for the world.

        Raises:
            BaseException: what broke the engine itself meanwhile.
        """
        self.take_up(run)
        for child in self._working(run):
            self._app.scheduler.drive(child, partial(self.at_rest, child))
            if child.error is not None:
                raise child.error

    def _working(self, run: RunId) -> list[Watched]:
        """The children of a run that this process works on."""
        watched = self._app.scheduler.watched()
        return [one for one in watched if one.run.snapshot.parent.startswith(f"{run}/")]

    def at_rest(self, watched: Watched) -> bool:
        """Whether only the world can bring a run further, neither this process nor a child that it works on.

        Nobody begins or ends anything while that is looked at: what is heard of a child is heard before it is let go.
        """
        if not watched.run.snapshot.waits:
            return False
        with self._app.scheduler.held_still():
            return self._at_rest(watched)

    def _at_rest(self, watched: Watched) -> bool:
        if watched.active or not watched.run.snapshot.at_rest:
            return False
        children = self._working(watched.run.id)
        for child in children:
            if child.error is not None:
                watched.error = child.error
                return True
        return all((child.settled and not child.active) or self._at_rest(child) for child in children)

    def _begin(self, wait: OpenWait, *, driven: bool) -> None:
        engine, detail = self._app.engine, wait.detail
        child = RunId(detail["child"])
        try:
            known = engine.open(child)
        except UnknownRun:
            self._start(wait, driven=driven)
            return
        if not known.finished:
            self._adopt(child, driven=driven)
        elif known.snapshot.status is RunStatus.SUCCEEDED or not detail.get("again"):
            letter = ended_letter(wait, child, known.snapshot.status, known.snapshot.reason)
            engine.persist(engine.stores.waits.answer, wait.wait_key or "", letter, TicketId(entropy()))
            self._app.caretaker.fold()
        else:
            with suppress(RunError):  # somebody else was faster
                outcome = engine.resume(known, wait=wait.ticket)
                self._watch(known, outcome, driven=driven)

    def _start(self, wait: OpenWait, *, driven: bool) -> None:
        """Start a child for the wait that names it; this process goes on with it if it has its code."""
        engine, detail = self._app.engine, wait.detail
        workflow = self._app.known(detail["digest"])
        given = read_batch(detail["input"])
        start = Start(
            id=RunId(detail["child"]),
            params=detail["params"],
            input=(b"", given.count, given.kind),
            given=given,
            priority=detail["priority"] or None,
            limits=Limits.from_json(detail["limits"]),
            claim=workflow is not None and self._app.fleet is None,
            parent=Parent(run=wait.run, ticket=wait.ticket),
            address=wait.wait_key or "",
            depth=detail["depth"],
            fresh=not detail["cache"],
            who=f"run {wait.run}",
        )
        definition = workflow.definition if workflow else engine.opener.definition(detail["digest"])
        try:
            run, outcome = engine.start(definition, start)
        except UnwantedChild:
            with suppress(UnknownRun):  # it may have been started by somebody else, who is gone
                self._adopt(start.id, driven=driven)
            return
        if run.finished:
            self._app.caretaker.fold()
        else:
            self._watch(run, outcome, driven=driven)

    def _adopt(self, child: RunId, *, driven: bool) -> None:
        """Go on with a child, unless somebody does."""
        app = self._app
        if app.fleet is not None:
            app.fleet.call(child)
            return
        if any(watched.run.id == child for watched in app.scheduler.watched()):
            return
        opened = app.engine.open(child)
        if app.known(opened.definition.digest) is not None and not opened.finished:
            with suppress(RunError):
                self._watch(opened, adopt(app.engine, app.caretaker, opened), driven=driven)

    def _watch(self, run: OpenRun, outcome: Outcome, *, driven: bool) -> None:
        app = self._app
        if app.fleet is not None:
            app.fleet.leave(run.id, outcome)
            return
        workflow: Workflow[Any, ...] | None = app.known(run.definition.digest)
        if workflow is None:
            return
        watched = app.scheduler.watch(run, RunCode.of(workflow, run))
        watched.served = True
        app.scheduler.submit(watched, outcome, driven=driven)


def _place(wait: OpenWait) -> tuple[ActivationId, int]:
    """Children are started in the order of their items."""
    return wait.activation, int(wait.wait or 0)


_MOST = 1_000_000
"""Children that are started in one go."""
ORPHANED = "nobody waits for it any more"
"""Why a child is stopped whose parent is over."""
