"""The application: settings, database, engine and scheduler, wired by hand, top to bottom."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from codemation import __version__
from codemation.core.delivery import Means, Outcome
from codemation.core.drift import drift
from codemation.core.engine import Engine, Start
from codemation.core.errors import DefinitionDrift, RunError
from codemation.core.ids import RunId, WorkerId
from codemation.core.launch import Launch
from codemation.core.opening import OpenRun
from codemation.core.ports import Stores
from codemation.core.signals import Event
from codemation.core.states import FINISHED
from codemation.core.workflow import Workflow
from codemation.host.adoption import adopt, check_free
from codemation.host.backend import Backend, open_backend
from codemation.host.caretaking import Caretaker
from codemation.host.handles import RunHandle
from codemation.host.identity import entropy, new_run_id
from codemation.host.launching import encoded_input, encoded_params
from codemation.host.patience import Patience
from codemation.host.runtime.activity import RunCode, Workbench
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.capture import Capture
from codemation.host.runtime.recent import Recent
from codemation.host.runtime.scheduler import GRACE, InlineScheduler, Watched
from codemation.host.settings import Settings
from codemation.host.tables import ArrowTables

Listener = Callable[[RunId, int, tuple[Event, ...]], None]


class App:
    """One database, and this process's part in the work on its runs."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.settings = settings
        self.backend = backend
        self.stores: Stores = backend.stores
        self.tables = ArrowTables()
        self.listeners: list[Listener] = []
        self.last: RunHandle | None = None
        self._workflows: dict[str, Workflow[Any, ...]] = {}
        self._guard = threading.Lock()
        self._loop = Loop()
        self._capture = Capture()
        self._patience = Patience(settings.config.patience)
        means = Means(entropy=entropy, lock=threading.RLock, patience=self._patience, publish=self._publish)
        self.engine = Engine(self.stores, WorkerId(entropy()), means)
        bench = Workbench(
            engine=self.engine, tables=self.tables, loop=self._loop, capture=self._capture, recent=Recent()
        )
        self.scheduler = InlineScheduler(self.engine, bench, settings.config.threads)
        self.caretaker = Caretaker(self.engine, __version__, self._changed_elsewhere)
        self._patience.notice = self.caretaker.outage
        self._working = False

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
        """Hand back what this process works on and let go of the database."""
        self._patience.end()
        for watched in self.scheduler.watched():
            self.scheduler.pause(watched, grace=0.0)
        if self._working:
            self.caretaker.end()
        self._loop.close()
        self.backend.close()

    def launch(self, launch: Launch) -> RunHandle:
        """Start a run whose first activation is claimed; nobody works on it yet.

        Raises:
            InputError: the items do not fit.
        """
        workflow = launch.workflow
        start = Start(
            id=new_run_id(),
            params=encoded_params(launch.params),
            input=encoded_input(workflow, launch.items, self.tables),
            key=launch.key,
            priority=launch.priority,
        )
        self._work()
        self.know(workflow)
        run, outcome = self.engine.start(workflow.definition, start)
        watched = self._watch(run, workflow) if run.id == start.id and not run.finished else None
        if watched is not None:
            self.scheduler.submit(watched, outcome, driven=True)
        self.last = RunHandle(self, run, workflow, watched)
        return self.last

    def attach(self, run: RunId) -> RunHandle:
        """A handle of a run, whoever works on it.

        Raises:
            UnknownRun: there is none.
        """
        opened = self.engine.open(run)
        return RunHandle(self, opened, self._workflows.get(opened.definition.digest))

    def know(self, workflow: Workflow[Any, ...]) -> None:
        """Have the code of a workflow at hand."""
        self._workflows[workflow.digest] = workflow

    def resume(
        self, run: RunId, workflow: Workflow[Any, ...], *, with_changes: bool = False, who: str = ""
    ) -> RunHandle:
        """Go on with a run: one that has failed or was cancelled, or one whose worker has died or was interrupted.

        Raises:
            RunError: it has succeeded, or somebody works on it.
            DefinitionDrift: the code is not the one that the run was started with.
        """
        self._work()
        self.know(workflow)
        for watched in self.scheduler.watched():
            if watched.run.id == run and not watched.settled:  # this process is at work on it
                return RunHandle(self, watched.run, workflow, watched)
        opened = self.engine.open(run)
        if opened.snapshot.status in FINISHED or with_changes:
            self._check_drift(opened, workflow, with_changes=with_changes)
        elif opened.definition.digest != workflow.digest:
            raise self._drifted(opened, workflow)
        if opened.snapshot.status in FINISHED:
            outcome = self._reopened(opened, workflow, who)
        else:
            outcome = adopt(self.engine, self.caretaker, opened)
        watched = self._watch(opened, workflow)
        self.scheduler.submit(watched, outcome, driven=True)
        self.last = RunHandle(self, opened, workflow, watched)
        return self.last

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> None:
        """Ask a run to stop; when this returns, nothing of it is claimed any more.

        It is `cancelled` when nobody works on it any more; those who do get a few seconds to notice here.
        """
        self.engine.cancel(run, who=who, reason=reason)
        self._stopping((run,))
        self.caretaker.recover()
        deadline = time.monotonic() + GRACE
        while not self.engine.open(run).finished and time.monotonic() < deadline:
            if not self.caretaker.fold(run):
                time.sleep(0.05)

    def _reopened(self, run: OpenRun, workflow: Workflow[Any, ...], who: str) -> Outcome:
        try:
            return self.engine.resume(run, who=who, definition=workflow.definition)
        except RunError:
            check_free(self.engine, run)  # whoever was faster is named
            raise

    def _check_drift(self, run: OpenRun, workflow: Workflow[Any, ...], *, with_changes: bool) -> None:
        if run.definition.digest == workflow.digest:
            return
        if not with_changes:
            raise self._drifted(run, workflow)
        changes = drift(run.definition, workflow.definition)
        finished = [node for node in run.snapshot.nodes if run.snapshot.reported(node)]
        if spoiled := changes.spoils(finished):
            raise DefinitionDrift(
                f"run {run.id} has finished {', '.join(spoiled)}, which the code has changed since",
                way_out=f"start anew: codemation run {run.definition.workflow}",
            )

    def _drifted(self, run: OpenRun, workflow: Workflow[Any, ...]) -> DefinitionDrift:
        changes = "; ".join(drift(run.definition, workflow.definition).lines()) or "nothing that shows in the nodes"
        unfinished = run.snapshot.status not in FINISHED
        first = f"codemation runs cancel {run.id}, then " if unfinished else ""
        return DefinitionDrift(
            f'the code of "{workflow.id}" has changed since run {run.id} was started ({changes})',
            way_out=f"{first}codemation runs resume {run.id} --with-changes keeps what has succeeded; "
            f"codemation run {workflow.id} starts anew",
        )

    def _watch(self, run: OpenRun, workflow: Workflow[Any, ...]) -> Watched:
        params = workflow.params.model_validate_json(run.row.params) if workflow.params else None
        return self.scheduler.watch(run, RunCode(nodes=workflow.code, params=params))

    def _work(self) -> None:
        """Be a worker from now on."""
        with self._guard:
            if not self._working:
                self.caretaker.begin(lambda: WorkerId(entropy()), self._stopping)
                self._working = True

    def _stopping(self, runs: tuple[RunId, ...]) -> bool:
        if runs:
            self.scheduler.stop(runs)
        return bool(self.scheduler.watched())

    def _changed_elsewhere(self, run: OpenRun) -> None:
        """A run was folded beside those who work on it: let them see."""
        for watched in self.scheduler.watched():
            if watched.run.id == run.id:
                with watched.run.lock:
                    watched.run.snapshot, watched.run.head, watched.run.row = run.snapshot, run.head, run.row
                rows = self.engine.persist(self.stores.runs.tickets, run.id)
                ready = [row.id for row in rows if row.state == "ready" and row.activation]
                self.scheduler.submit(watched, Outcome(ready=tuple(ready)))

    def _publish(self, run: RunId, revision: int, events: tuple[Event, ...]) -> None:
        for listener in self.listeners:
            listener(run, revision, events)


_apps: dict[tuple[int, Path, str], App] = {}
_apps_guard = threading.Lock()


def default_app(environment: Mapping[str, str] | None = None) -> App:
    """The app of the current folder, opened once in this process and closed when it ends."""
    environment = os.environ if environment is None else environment
    url = environment.get("CODEMATION_DATABASE_URL") or environment.get("DATABASE_URL", "")
    key = (os.getpid(), Path.cwd(), url)
    with _apps_guard:
        if key not in _apps:
            _apps[key] = App.open()
            atexit.register(close_app, key)
        return _apps[key]


def close_app(key: tuple[int, Path, str]) -> None:
    """Close a default app; a child that was forked leaves its parent's alone."""
    with _apps_guard:
        app = _apps.pop(key, None)
    if app is not None and key[0] == os.getpid():
        app.close()


class InlineLauncher:
    """Runs workflows in this process, with the app of the current folder."""

    def run(self, launch: Launch) -> RunHandle:
        """Run until it has finished or waits for the world.

        Raises:
            RunFailed: it failed; `codemation.last_run()` is the handle as well.
            RunPaused: Ctrl-C; whatever was under way was handed back.
        """
        handle = default_app().launch(launch)
        handle.wait()
        return handle

    def start(self, launch: Launch) -> RunHandle:
        """Start and return at once; threads of this process do the work."""
        return default_app().launch(launch).serve()

    async def arun(self, launch: Launch) -> RunHandle:
        """What `run` does, without blocking the event loop."""
        handle = await asyncio.to_thread(self.start, launch)
        await asyncio.to_thread(handle.wait)
        return handle

    def last_run(self) -> RunHandle | None:
        """The run that this process has started last."""
        return default_app().last


def launcher() -> InlineLauncher:
    """What `Workflow.run` and its like reach the host with."""
    return InlineLauncher()
