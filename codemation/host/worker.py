"""A worker of the fleet: an app that is opened patiently, works on what anybody has started, and ends in good order."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from codemation.core.errors import HostError, StoreUnavailable
from codemation.core.ids import ActivationId, RunId
from codemation.core.opening import OpenRun
from codemation.core.ports import Hint
from codemation.core.signals import Event
from codemation.host.app import App
from codemation.host.backend import Backend, open_backend
from codemation.host.builds.watching import Deployed
from codemation.host.catalog import Catalog, discover
from codemation.host.desk import Part
from codemation.host.runtime.calling import left_behind
from codemation.host.runtime.fleet import FleetScheduler
from codemation.host.runtime.pulse import Pulse
from codemation.host.runtime.scheduler import GRACE
from codemation.host.settings import Settings

_log = logging.getLogger("codemation.worker")
AGAIN = 1.0
"""Seconds between tries to open the database."""
WATCH = 0.5
"""Seconds between two looks at whether a node takes no notice of being stopped."""
PASSED = 3
"""How often a hint is passed on."""
NOTICE = 1.0
"""Seconds that nodes get to notice, when the time of a worker is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """After what a process is replaced by a fresh one, when it has nothing under way."""

    tickets: int | None = None
    """So many tickets that it has taken from the table."""
    memory: int | None = None
    """So many bytes of memory that it has come to hold; one that does so from its beginning works all the same."""

    def of(self, tickets: int) -> str:
        """Why a process that has taken so many tickets is to be replaced; empty if it is not."""
        if self.tickets is not None and tickets >= self.tickets:
            return f"it has taken {tickets} tickets"
        if self.memory is not None and tickets and (held := _resident()) > self.memory:
            return f"it holds {held / 1e6:,.0f} MB of memory"
        left = left_behind()
        return f"{left} call{'' if left == 1 else 's'} went on after their time" if left else ""


class WorkerApp(App):
    """An app that works on what anybody has started."""

    def __init__(self, backend: Backend, settings: Settings, part: Part) -> None:
        self.part = part
        super().__init__(backend, settings)
        self.scheduler.recorded = self._recorded
        if isinstance(self.scheduler, FleetScheduler):
            self.caretaker.known = self.scheduler.known

    def _recorded(self, run: OpenRun, activation: ActivationId) -> None:
        self.family.recorded(run, activation)
        if isinstance(self.scheduler, FleetScheduler):
            self.scheduler.expect(run, activation)


class FleetWorker:
    """The work of one process."""

    def __init__(
        self, settings: Settings, part: Part, *, wear: Wear | None = None, retire: Callable[[], None] = lambda: None
    ) -> None:
        """`retire` lets the process be replaced by a fresh one; what it holds is given back by then."""
        self.settings = settings
        self._pulse = Pulse(settings.config.beat)
        self.part = replace(part, beaten=self._pulse.beaten)
        self._wear = wear or Wear()
        self._retire = retire
        self._catalog: Catalog | None = None
        self._app: App | None = None
        self._scheduler: FleetScheduler | None = None
        self._opened, self._over = threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._spoilt = ""
        """Why the process is to be replaced, if it is."""
        self._replaced = False

    def prepare(self) -> Catalog:
        """Find the workflows, and start the helper that beats: both are had by what is forked from this process."""
        self._catalog = discover(self.settings.root, self.settings.config.workflows)
        self._pulse.start()
        return self._catalog

    def open(self) -> None:
        """Begin; the database may be away still."""
        threading.Thread(target=self._open, name="codemation-open", daemon=True).start()

    def shift(self, hinted: Hint) -> None:
        """Work in this thread until nothing is left that could be claimed.

        What is claimed is the most urgent: that a ticket is ready is a reason to look. A hint that leads to nothing may
        be about code that others have, and is passed on to them, a few times; so is one that comes to a process which
        takes up nothing more.
        """
        self._opened.wait()
        scheduler = self._scheduler
        if scheduler is None:
            return
        if self.is_worn() or scheduler.shift():
            self._pass_on(hinted)
        if self.is_worn() and scheduler.idle:
            self._replace()

    def _pass_on(self, hinted: Hint) -> None:
        """Let somebody else hear of what is not done here."""
        fleet = self._app.fleet if self._app else None
        if fleet is not None and hinted.passed < PASSED:
            fleet.scheduler.dispatch([replace(hinted, passed=hinted.passed + 1)])

    def leave(self, grace: float) -> None:
        """Come to an end, beside whoever is at work: nothing is begun, and what is not finished in time is given back.

        Returns when that is so. What does not take notice of it is fenced off, and ends with its process.
        """
        self._over.set()
        self._opened.set()
        scheduler = self._scheduler
        if scheduler is None:
            return
        scheduler.leave()
        if scheduler.rest(grace):
            return
        _log.info("giving back what is not finished after %.0f s", grace)
        for watched in scheduler.watched():
            watched.pausing = True
        scheduler.rest(NOTICE if grace else 0.2)
        for watched in scheduler.watched():
            try:
                scheduler.pause(watched, grace=0.0)
            except StoreUnavailable as error:
                _log.warning("run %s could not be given back: %s", watched.run.id, error.message)

    @property
    def idle(self) -> bool:
        """Whether nobody works here."""
        return self._scheduler is None or self._scheduler.idle

    def close(self) -> None:
        """Let go of everything; harmless when that was done before."""
        self._over.set()
        self._opened.set()
        with self._guard:
            app, self._app = self._app, None
        if app is not None:
            app.close()
        self._pulse.close()

    def _open(self) -> None:
        said = False
        while not self._over.is_set():
            try:
                app = WorkerApp(open_backend(self.settings), self.settings, self.part)
            except StoreUnavailable as error:
                if not said:
                    _log.warning("the database does not answer; waiting for it: %s", _told(error))
                said = True
                self._over.wait(AGAIN)
            except HostError as error:
                _log.error("this worker cannot work: %s", _told(error))
                self._over.wait(10 * AGAIN)
            else:
                if self._has_begun(app):
                    return
                self._over.wait(AGAIN)

    def _has_begun(self, app: WorkerApp) -> bool:
        """Begin with an app; one that cannot begin is closed, and another one tries."""
        try:
            self._begin(app)
        except Exception:  # noqa: BLE001  # nobody stands above this thread, and without it the process does nothing
            _log.exception("this worker could not begin, and tries again")
            app.close()
            return False
        return True

    def _begin(self, app: WorkerApp) -> None:
        catalog = self._catalog or self.prepare()
        for found in catalog.workflows.values():
            try:
                app.know(found.workflow)
            except HostError as error:
                _log.error('"%s" is not served: %s', found.workflow.id, error.message)
        self._pulse.reach(app.backend.url)
        app.listeners.append(self._tell)
        app.work()
        deployed = Deployed(app)
        deployed.begin()
        if not deployed.counts:  # what was deployed goes by before what the folder holds
            workflows = {
                name: found.workflow for name, found in catalog.workflows.items() if app.known(found.workflow.digest)
            }
            app.upkeep.triggers.load(workflows)
        app.upkeep.begin(0)
        with self._guard:
            if self._over.is_set():
                app.close()
                return
            self._app = app
        if isinstance(app.scheduler, FleetScheduler):
            app.scheduler.worn = self.is_worn
            app.scheduler.begin()
            self._scheduler = app.scheduler
            threading.Thread(target=self._watch, args=(app.scheduler,), name="codemation-watch", daemon=True).start()
        self._opened.set()
        _log.info("ready for %s", app.backend.describes)

    def is_worn(self) -> bool:
        """Whether this process takes up nothing more, because a fresh one will be in its place."""
        if not self._spoilt and self._scheduler is not None:
            starved = "no thread can be started" if self._scheduler.starved else ""
            self._spoilt = starved or self._wear.of(self._scheduler.claimed)
        return bool(self._spoilt)

    def _watch(self, scheduler: FleetScheduler) -> None:
        """Fence off what takes no notice of being stopped, and let the process be replaced."""
        while not self._over.wait(WATCH):
            try:
                for watched in scheduler.deaf(GRACE):
                    _log.warning("run %s was asked to stop and does not; it is fenced off", watched.run.id)
                    self._spoilt = f"a node of run {watched.run.id} does not stop"
                    scheduler.fence_off(watched)
                if self._spoilt and scheduler.idle:
                    self._replace()
            except StoreUnavailable as error:
                _log.info("nothing could be fenced off: %s", error.message)
            except Exception:  # noqa: BLE001  # the next look may fare better, and nobody else replaces the process
                _log.exception("the watch over nodes that do not stop failed and goes on")

    def _replace(self) -> None:
        """Give back what is held, and have a fresh process in the place of this one; once, whoever sees the reason."""
        with self._guard:
            if self._replaced:
                return
            self._replaced = True
        _log.info("this process is replaced: %s", self._spoilt)
        try:
            self.leave(0.0)
        finally:
            self._retire()

    def _tell(self, run: RunId, _revision: int, events: tuple[Event, ...]) -> None:
        """Say in the log what becomes of runs and nodes."""
        for event in events:
            level = logging.WARNING if event.kind in ("node_failed", "run_failed") else logging.INFO
            if event.kind.startswith("run_") or level == logging.WARNING:
                said = f"{event.kind.replace('_', ' ')}{f' at {event.node}' if event.node else ''}"
                _log.log(level, "%s", said, extra={"run": run, "node": event.node or ""})


def _told(error: HostError) -> str:
    """An error in one line, with the way out."""
    return " -> ".join(filter(None, (error.message, error.way_out)))


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
