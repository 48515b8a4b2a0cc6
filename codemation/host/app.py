"""The application: settings, database, engine and scheduler, wired by hand, top to bottom."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from codemation import __version__
from codemation.core.engine import Engine, Start
from codemation.core.errors import HostError, StoreUnavailable
from codemation.core.ids import RunId, WorkerId
from codemation.core.items import Batch
from codemation.core.launch import Launch
from codemation.core.nesting import below
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import CredentialSource, News, Stores
from codemation.core.signals import Event
from codemation.core.workflow import Workflow
from codemation.host.backend import Backend, open_backend
from codemation.host.caretaking import Caretaker
from codemation.host.children import Family
from codemation.host.credentials import slots_below
from codemation.host.desk import Part
from codemation.host.duties.upkeep import Upkeep
from codemation.host.handles import RunHandle
from codemation.host.identity import entropy, user_at_host
from codemation.host.lookout import Lookout
from codemation.host.opening import asked
from codemation.host.parts import (
    Listener,
    bench_of,
    code_of,
    credentials_of,
    fleet_of,
    means_of,
    presence_of,
    scheduler_of,
)
from codemation.host.patience import Patience
from codemation.host.runtime.clock import REAL, Clock
from codemation.host.runtime.workbench import RunCode
from codemation.host.session import SessionHandle
from codemation.host.settings import Settings
from codemation.host.steering import cancelled, joined, resumed
from codemation.host.tables import ArrowTables

_log = logging.getLogger("codemation.app")


class App:
    """One database, and this process's part in the work on its runs."""

    part: Part | None = None
    """What it takes on in the fleet; without one it works on what it has started."""

    def __init__(
        self,
        backend: Backend,
        settings: Settings,
        *,
        credentials: Sequence[CredentialSource] = (),
        resources: Mapping[Callable[..., Any], Any] | None = None,
        clock: Clock = REAL,
    ) -> None:
        """`credentials` are asked before all others; `resources` stand in for what their openers would give."""
        self.settings, self.who = settings, f"python {user_at_host()}"  # who has started what nobody else has
        self.backend = backend
        self.stores: Stores = backend.stores
        self.bus = backend.bus
        self.tables = ArrowTables()
        self.listeners: list[Listener] = []
        self.last: RunHandle | None = None
        self.closed = False
        self.code = code_of(self)
        self._guard = threading.Lock()
        self._patience = Patience(settings.config.patience if self.part is None else float("inf"))
        self.engine = Engine(self.stores, WorkerId(entropy()), means_of(settings, self._patience, self._publish))
        self.credentials = credentials_of(settings, credentials)
        self.bench = bench_of(self, resources or {}, clock)
        self.fleet = fleet_of(self)
        self.scheduler = scheduler_of(self, self.part)
        self.family = Family(self)
        self.scheduler.recorded = self.family.recorded
        self.caretaker = Caretaker(self.engine, __version__, self.family.changed, presence_of(self))
        self.lookout = Lookout(self)
        self.upkeep = Upkeep(self)
        self._patience.notice = self.upkeep.outage
        self._working = False
        self.sessions: WeakSet[SessionHandle] = WeakSet()

    @classmethod
    def open(cls, settings: Settings | None = None) -> App:
        """Open the app whose settings are given, or found from the current folder.

        Raises:
            HostError: the settings or the database are not right; says what to do.
        """
        settings = settings or Settings.load()
        return cls(open_backend(settings), settings)

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hand back what this process works on and let go of the database; harmless when that was done before."""
        with self._guard:
            if self.closed:
                return
            self.closed = True
        self._patience.end()
        for watched in self.scheduler.watched():
            try:
                self.scheduler.pause(watched, grace=0.0)
            except StoreUnavailable as error:
                _log.info("could not hand back run %s: %s", watched.run.id, error.message)
        for session in self.sessions:
            with suppress(StoreUnavailable):  # what they hold is free when this process has ended
                session.close()
        if self._working:
            self.upkeep.end()
        self.caretaker.end()
        if self.fleet is not None:
            self.fleet.close()
        self.bench.close()
        self.backend.close()

    def submit(self, launch: Launch) -> RunHandle:
        """Record a run that anybody may work on: a worker of the fleet, or else threads of this process.

        Raises:
            InputError: the items do not fit, or the key was used with others.
            HostError: the app is closed.
        """
        return self.launch(launch).serve()

    def launch(self, launch: Launch) -> RunHandle:
        """Start a run whose first activation is claimed; nobody works on it yet. With a fleet it is left to that.

        With a key that was used before it is the run that was started then, which is gone on with if nobody does.

        Raises:
            InputError: the items do not fit, or the key was used with others.
            HostError: the app is closed.
        """
        workflow, start = launch.workflow, asked(self, launch)
        run, outcome = self.started(workflow, start)
        if run.id == start.id:
            return self.taken_up(run, workflow, outcome)
        self.last = joined(self, run, workflow)
        return self.last

    def started(self, workflow: Workflow[Any, ...], start: Start) -> tuple[OpenRun, Outcome]:
        """Record a run, of which nobody does anything yet."""
        self.credentials.check(workflow.id, slots_below(workflow))
        if self.fleet is None or start.session:
            self.work()
        else:
            self.check_open()
            start = replace(start, claim=False)
        self.know(workflow)
        run, outcome = self.engine.start(workflow.definition, start, alone=not self.scheduler.watched())
        self.lookout.make_way(run)
        return run, outcome

    def fetch(self, run: RunId, batch: Batch) -> bytes:
        """The bytes of a batch, from this process if it has them still."""
        kept = self.bench.recent.get(run, batch.ref)
        return self.engine.persist(self.stores.payloads.get, run, batch) if kept is None else kept

    def attach(self, run: RunId) -> RunHandle:
        """A handle of a run, whoever works on it.

        Raises:
            UnknownRun: there is none.
        """
        opened = self.engine.open(run)
        return RunHandle(self, opened, self.known(opened.definition.digest))

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have the code of a workflow at hand, and that of the workflows that it lets work."""
        for one in () if self.code.has(workflow) else reversed(below(workflow)):  # itself when the others are there
            self.lookout.know(one)
            self.code.know(one)

    def known(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow with this digest, if its code is at hand."""
        return self.code.of(digest)

    def resume(
        self, run: RunId, workflow: Workflow[Any, ...], *, with_changes: bool = False, who: str = ""
    ) -> RunHandle:
        """Go on with a run: one that has failed or was cancelled, or one whose worker has died or was interrupted.

        Raises:
            RunError: it has succeeded, or somebody works on it.
            DefinitionDrift: the code is not the one that the run was started with.
            InputError: the params of the run do not fit the code any more.
        """
        return resumed(self, run, workflow, with_changes=with_changes, who=who)

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> None:
        """Ask a run to stop; when this returns, nothing of it or of its children is claimed any more.

        It is `cancelled` when nobody works on it any more; those who do get a few seconds to notice here.
        """
        cancelled(self, run, who=who, reason=reason)

    def taken_up(self, run: OpenRun, workflow: Workflow[Any, ...], outcome: Outcome) -> RunHandle:
        """A handle of a run, and of what this process has to do in it if it is not over."""
        handle = self.last = RunHandle(self, run, workflow)
        if self.fleet is not None and not run.snapshot.session:
            self.fleet.leave(run.id, outcome)
        elif not run.finished:
            handle.watched = self.scheduler.watch(run, RunCode.of(workflow, run))
            self.scheduler.submit(handle.watched, outcome, driven=True)
        return handle

    def check_open(self) -> None:
        """See whether it is open still.

        Raises:
            HostError: it is not.
        """
        if self.closed:
            raise HostError("this app is closed", way_out="open another one: App.open()")

    def work(self) -> None:
        """Be a worker from now on."""
        with self._guard:
            self.check_open()
            if not self._working:
                self.lookout.begin(lambda: WorkerId(entropy()), self._stopping)
                self.upkeep.begin()
                self._working = True

    def _stopping(self, runs: tuple[RunId, ...]) -> bool:
        self.scheduler.stop(runs)
        return bool(self.scheduler.watched())

    def _publish(self, news: News, events: tuple[Event, ...]) -> None:
        for listener in self.listeners:
            listener(news.run, news.revision, events)
        self.lookout.hear(news, events)
        self.bus.publish(news)
