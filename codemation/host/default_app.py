"""The apps that a process opens by itself, one for each folder and database, and the launcher that runs with them.

They are opened when a workflow is first run and closed when the process ends. A child that was forked opens its own: it
neither uses nor closes what its parent has open.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from codemation.core.events import NamedEvent
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.asking import send
from codemation.host.forecasting import ForecastHandle
from codemation.host.handles import RunHandle
from codemation.host.opening import begin
from codemation.host.session import SessionHandle
from codemation.host.settings import Settings

_CHOOSING = ("CODEMATION_DATABASE_URL", "DATABASE_URL", "CODEMATION_STATE")
"""The variables that choose a database."""

_Key = tuple[int, str, tuple[str | None, ...]]
"""Process, current folder, and the values of the variables that choose a database."""


class _Apps:
    """What this process, and those that it was forked from, have opened."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.open: dict[_Key, App] = {}
        self.last: dict[int, App] = {}
        """The app that a process has launched with last."""


_apps = _Apps()
os.register_at_fork(after_in_child=lambda: setattr(_apps, "guard", threading.Lock()))


def default_app(environment: Mapping[str, str] | None = None) -> App:
    """The app of the current folder, opened once in this process and closed when it ends.

    Raises:
        HostError: the settings or the database are not right; says what to do.
    """
    environment = os.environ if environment is None else environment
    folder = os.getcwd()  # noqa: PTH109 - it is only compared
    key = (os.getpid(), folder, tuple(map(environment.get, _CHOOSING)))
    with _apps.guard:
        app = _apps.open.get(key)
        if app is None or app.closed:
            settings = Settings.load(environment=environment)
            app = _apps.open[key] = _opened_before(settings) or App.open(settings)
            atexit.register(close_default_apps)  # before whatever the database has registered when it was opened
        return app


def _opened_before(settings: Settings) -> App | None:
    """An app of this process with the same settings, opened from another folder of the same app."""
    for (process, *_), app in _apps.open.items():
        same = (app.settings.root, app.settings.config) == (settings.root, settings.config)
        if process == os.getpid() and same and not app.closed:
            return app
    return None


def close_default_apps() -> None:
    """Close what this process has opened by itself; the next run opens it again."""
    with _apps.guard, ExitStack() as closing:
        for key in [key for key in _apps.open if key[0] == os.getpid()]:
            closing.callback(_apps.open.pop(key).close)


class InlineLauncher:
    """Runs workflows in this process, with the app of the current folder."""

    def run(self, launch: Launch) -> RunHandle:
        """Run until it has finished or waits for the world.

        Raises:
            RunFailed: it failed; `codemation.last_run()` is the handle as well.
            RunPaused: Ctrl-C; whatever was under way was handed back.
        """
        handle = self._launched(launch)
        return handle.go()

    def start(self, launch: Launch) -> RunHandle:
        """Start and return at once; threads of this process do the work."""
        return self._launched(launch).serve()

    def debug(self, launch: Launch) -> SessionHandle:
        """Start a run that goes on only when it is told to."""
        app = default_app()
        _apps.last[os.getpid()] = app
        return begin(app, launch)

    def plan(self, launch: Launch) -> ForecastHandle:
        """What a run would do; nothing is started."""
        return ForecastHandle(default_app(), launch)

    async def arun(self, launch: Launch) -> RunHandle:
        """What `run` does, without blocking the event loop."""
        handle = await asyncio.to_thread(self.start, launch)
        return await asyncio.to_thread(handle.go)

    def last_run(self) -> RunHandle | None:
        """The run that this process has started last; opens nothing."""
        app = _apps.last.get(os.getpid())
        return app.last if app is not None else None

    def send(self, event: NamedEvent[Any], key: str, payload: object, dedup: str | None) -> bool:
        """Send an event; `False` when it was sent before."""
        return send(default_app(), event, key, payload, dedup)

    def _launched(self, launch: Launch) -> RunHandle:
        app = default_app()
        handle = app.launch(launch)
        _apps.last[os.getpid()] = app
        return handle


def launcher() -> InlineLauncher:
    """What `Workflow.run` and its like reach the host with."""
    return InlineLauncher()
