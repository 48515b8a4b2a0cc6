"""The application: settings, database, engine and scheduler, wired by hand, top to bottom."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any
from weakref import WeakSet

from codemation import __version__
from codemation.core.delivery import Means, Outcome
from codemation.core.engine import Engine, Start
from codemation.core.errors import HostError, RunError, StoreUnavailable
from codemation.core.ids import RunId, WorkerId
from codemation.core.items import Batch
from codemation.core.launch import Launch
from codemation.core.nesting import below
from codemation.core.opening import OpenRun
from codemation.core.ports import CredentialSource, News, Stores
from codemation.core.retention import age_of
from codemation.core.signals import Event
from codemation.core.workflow import Workflow
from codemation.host.adoption import adopt, check_drift, reopened
from codemation.host.backend import Backend, open_backend
from codemation.host.caretaking import Caretaker
from codemation.host.children import Family
from codemation.host.credentials import Credentials, EnvironmentCredentials, slots, source_of
from codemation.host.handles import RunHandle
from codemation.host.identity import entropy
from codemation.host.launching import decoded_params
from codemation.host.lookout import Lookout
from codemation.host.notebooks import Notebooks
from codemation.host.opening import asked
from codemation.host.patience import Patience
from codemation.host.pruning import Pruner
from codemation.host.runtime.activity import RunCode, Workbench
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.clock import REAL, Clock
from codemation.host.runtime.recent import Recent
from codemation.host.runtime.resources import Resources
from codemation.host.runtime.scheduler import GRACE, InlineScheduler
from codemation.host.session import SessionHandle
from codemation.host.settings import Settings
from codemation.host.tables import ArrowTables

_log = logging.getLogger("codemation.app")
Listener = Callable[[RunId, int, tuple[Event, ...]], None]


class App:
    """One database, and this process's part in the work on its runs."""

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
        self.settings = settings
        self.backend = backend
        self.stores: Stores = backend.stores
        self.bus = backend.bus
        self.tables = ArrowTables()
        self.listeners: list[Listener] = []
        self.last: RunHandle | None = None
        self.closed = False
        self._workflows: dict[str, Workflow[Any, ...]] = {}
        self._guard = threading.Lock()
        self._patience = Patience(settings.config.patience)
        self.engine = Engine(self.stores, WorkerId(entropy()), _means(settings, self._patience, self._publish))
        sources = [*credentials, EnvironmentCredentials(), *map(source_of, settings.config.credentials)]
        self.credentials = Credentials(sources)
        self.bench = _bench(self, resources or {}, clock)
        self.scheduler = InlineScheduler(self.engine, self.bench, settings.config.threads)
        self.family = Family(self)
        self.scheduler.recorded = self.family.recorded
        self.caretaker = Caretaker(self.engine, __version__, self.family.changed)
        self.lookout = Lookout(self)
        self._patience.notice = self.caretaker.outage
        self.pruner = Pruner(self.engine)
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

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
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
            self.pruner.end()
            self.caretaker.end()
        self.bench.close()
        self.backend.close()

    def launch(self, launch: Launch) -> RunHandle:
        """Start a run whose first activation is claimed; nobody works on it yet.

        With a key that was used before it is the run that was started then, which is gone on with if nobody does.

        Raises:
            InputError: the items do not fit, or the key was used with others.
            HostError: the app is closed.
        """
        workflow, start = launch.workflow, asked(self, launch)
        run, outcome = self.started(workflow, start)
        if run.id == start.id:
            return self.taken_up(run, workflow, outcome, cache=launch.cache)
        self.last = self._joined(run, workflow)
        return self.last

    def started(self, workflow: Workflow[Any, ...], start: Start) -> tuple[OpenRun, Outcome]:
        """Record a run, of which nobody does anything yet."""
        self.credentials.check(workflow.id, [slot for one in below(workflow) for slot in slots(one.code)])
        self.work()
        self.know(workflow)
        run, outcome = self.engine.start(workflow.definition, start)
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
        for one in below(workflow):
            self._workflows[one.digest] = one
            self.lookout.know(one)

    def known(self, digest: str) -> Workflow[Any, ...] | None:
        """The workflow with this digest, if its code is at hand."""
        return self._workflows.get(digest)

    def resume(
        self, run: RunId, workflow: Workflow[Any, ...], *, with_changes: bool = False, who: str = ""
    ) -> RunHandle:
        """Go on with a run: one that has failed or was cancelled, or one whose worker has died or was interrupted.

        Raises:
            RunError: it has succeeded, or somebody works on it.
            DefinitionDrift: the code is not the one that the run was started with.
            InputError: the params of the run do not fit the code any more.
        """
        self.work()
        self.know(workflow)
        for watched in self.scheduler.watched():
            if watched.run.id == run and not watched.settled:  # this process is at work on it
                return RunHandle(self, watched.run, workflow, watched)
        opened = self.engine.open(run)
        check_drift(opened, workflow, with_changes=with_changes)
        decoded_params(workflow, opened.row.params)  # refused before anything is written
        if opened.finished:
            outcome = reopened(self.engine, opened, workflow, who)
        else:
            outcome = adopt(self.engine, self.caretaker, opened)
        handle = self.taken_up(opened, workflow, outcome)
        self.family.take_up(run)
        return handle

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> None:
        """Ask a run to stop; when this returns, nothing of it or of its children is claimed any more.

        It is `cancelled` when nobody works on it any more; those who do get a few seconds to notice here.
        """
        runs = self.family.stop(run, who=who, reason=reason)
        self.caretaker.recover()
        deadline = time.monotonic() + GRACE
        while not all(self.engine.open(one).finished for one in runs) and time.monotonic() < deadline:
            if not self.caretaker.fold(run):
                time.sleep(0.05)

    def _joined(self, run: OpenRun, workflow: Workflow[Any, ...]) -> RunHandle:
        """A run that was started before with the same key."""
        if not run.finished and run.definition.digest == workflow.digest:
            with suppress(RunError):  # somebody works on it
                return self.resume(run.id, workflow)
        return RunHandle(self, run, workflow)

    def taken_up(
        self, run: OpenRun, workflow: Workflow[Any, ...], outcome: Outcome, *, cache: bool = True
    ) -> RunHandle:
        """A handle of a run, and of what this process has to do in it if it is not over."""
        handle = self.last = RunHandle(self, run, workflow)
        if not run.finished:
            code = RunCode(nodes=workflow.code, params=decoded_params(workflow, run.params), cache=cache)
            handle.watched = self.scheduler.watch(run, code)
            self.scheduler.submit(handle.watched, outcome, driven=True)
        return handle

    def work(self) -> None:
        """Be a worker from now on."""
        with self._guard:
            if self.closed:
                raise HostError("this app is closed", way_out="open another one: App.open()")
            if not self._working:
                self.lookout.begin(lambda: WorkerId(entropy()), self._stopping)
                self.pruner.begin()
                self._working = True

    def _stopping(self, runs: tuple[RunId, ...]) -> bool:
        self.scheduler.stop(runs)
        return bool(self.scheduler.watched())

    def _publish(self, news: News, events: tuple[Event, ...]) -> None:
        for listener in self.listeners:
            listener(news.run, news.revision, events)
        self.lookout.hear(events)
        self.bus.publish(news)


def _means(settings: Settings, patience: Patience, publish: Callable[[News, tuple[Event, ...]], None]) -> Means:
    """What the engine of an app has from its host."""
    return Means(
        entropy=entropy,
        lock=threading.RLock,
        patience=patience,
        publish=publish,
        tell=_log.warning,
        retention=settings.retention,
        key_age=age_of(settings.config.keep_keys),
    )


def _bench(app: App, resources: Mapping[Callable[..., Any], Any], clock: Clock) -> Workbench:
    """What the activations of an app share."""
    loop = Loop()
    return Workbench(
        engine=app.engine,
        tables=app.tables,
        loop=loop,
        recent=Recent(),
        credentials=app.credentials,
        resources=Resources(loop, resources),
        notebooks=Notebooks(app.settings.root, app.settings.config.notebooks),
        clock=clock,
    )
