"""A worker of the fleet: an app that is opened patiently, and works on what anybody has started."""

from __future__ import annotations

import logging
import threading
import time

from codemation.core.errors import HostError, StoreUnavailable
from codemation.core.ids import TicketId
from codemation.host.app import App
from codemation.host.backend import Backend, open_backend
from codemation.host.catalog import Catalog, discover
from codemation.host.desk import Part
from codemation.host.runtime.fleet import FleetScheduler
from codemation.host.settings import Settings

_log = logging.getLogger("codemation.worker")
AGAIN = 1.0
"""Seconds between tries to open the database."""


class WorkerApp(App):
    """An app that works on what anybody has started."""

    def __init__(self, backend: Backend, settings: Settings, part: Part) -> None:
        self.part = part
        super().__init__(backend, settings)


class FleetWorker:
    """The work of one process."""

    def __init__(self, settings: Settings, part: Part) -> None:
        self.settings = settings
        self.part = part
        self.catalog: Catalog | None = None
        self._app: App | None = None
        self._opened = threading.Event()
        self._over = False

    def discover(self) -> Catalog:
        """The workflows of the app; found once, and known in whatever is forked from this process."""
        if self.catalog is None:
            self.catalog = discover(self.settings.root, self.settings.config.workflows)
        return self.catalog

    def open(self) -> None:
        """Begin; the database may be away still."""
        threading.Thread(target=self._open, name="codemation-open", daemon=True).start()

    def shift(self, hinted: TicketId | None) -> None:
        """Work in this thread until nothing is left that could be claimed."""
        self._opened.wait()
        scheduler = self._app and self._app.scheduler
        if isinstance(scheduler, FleetScheduler):
            scheduler.shift(hinted)

    def close(self, grace: float = 5.0) -> None:
        """Come to an end: no further activation is begun, and what is not finished in time is handed back."""
        self._over = True
        self._opened.set()
        app, self._app = self._app, None
        if app is None:
            return
        if isinstance(app.scheduler, FleetScheduler):
            app.scheduler.leave()
            app.scheduler.rest(grace)
        app.close()

    def _open(self) -> None:
        said = False
        while not self._over:
            try:
                app = WorkerApp(open_backend(self.settings), self.settings, self.part)
            except StoreUnavailable as error:
                if not said:
                    _log.warning("the database does not answer; waiting for it: %s", error.message)
                said = True
                time.sleep(AGAIN)
            except HostError as error:
                _log.error("this worker cannot work: %s", error.message)
                time.sleep(10 * AGAIN)
            else:
                self._begin(app)
                return

    def _begin(self, app: App) -> None:
        for found in self.discover().workflows.values():
            try:
                app.know(found.workflow)
            except HostError as error:
                _log.error('"%s" is not served: %s', found.workflow.id, error.message)
        app.work()
        if isinstance(app.scheduler, FleetScheduler):
            app.scheduler.begin()
        self._app = app
        self._opened.set()
        _log.info("ready: %d definitions, queues %s", len(app.code.digests()), ", ".join(self.part.queues))
