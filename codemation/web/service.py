"""What all requests of one web process share: the app, its workflows, and how requests reach them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread

from codemation.core.errors import CodemationError, SchemaMismatch, StoreUnavailable
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.ports import Deed, RunRow
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.asking import RunWait
from codemation.host.builds.watching import Deployed, take_up
from codemation.host.catalog import Catalog, UnknownWorkflow, discover
from codemation.host.identity import new_run_id
from codemation.host.overview import failed_item, json_of
from codemation.host.settings import Settings
from codemation.web.identity import Actor
from codemation.web.problems import Refused, problem, problem_of
from codemation.web.traffic import Traffic

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger("codemation.web")

THREADS = 8
"""Requests that ask the database at a time: twice its connections, for not all that they do is asking."""
HEAVY = 2
"""Downloads that are put together at a time."""
_TIME = 13
"""Letters of a run's id that say when it was made."""
PAUSE = 2.0
"""Seconds between two tries to open a database that is away."""


@dataclass(slots=True)
class Note:
    """What is done, while it is being done."""

    target: str


class Service:
    """One app behind HTTP; opened when the server starts, and again and again while its database is away."""

    def __init__(
        self,
        settings: Settings,
        *,
        loopback: bool = True,
        unguarded: bool = False,
        root_path: str = "",
        catalog: Catalog | None = None,
    ) -> None:
        """`loopback` says that only this machine can reach the server; `unguarded` lets everybody do everything.

        With a `catalog` it looks neither into the app's folder nor for what was deployed: whoever gives it knows.
        """
        self.settings = settings
        self.loopback = loopback
        self.unguarded = unguarded
        self.root_path = root_path
        self._given = catalog is not None
        self.catalog = catalog or Catalog(settings.root, settings.config.workflows)
        """Replaced as a whole when workflows have changed; whoever reads it holds on to the one it has."""
        self.take_up: Callable[[App, Catalog, str], None] = take_up
        """Has the workflows of a catalogue at hand; named otherwise before the service is opened."""
        self.draining = threading.Event()
        """Set when the server stops: streams end, and nothing new is begun."""
        self.trouble: CodemationError | None = None
        """Why the app could not be opened (yet)."""
        self.traffic = Traffic()
        self._sampling = threading.Lock()
        self._samples: dict[object, tuple[float, object]] = {}
        self.reading = asyncio.Lock()
        self.read_at = float("-inf")
        self.recent: tuple[RunRow, ...] = ()
        """The unfinished runs and the youngest, as they were read last for those who follow all."""
        self._app: App | None = None
        self._deployed: Deployed | None = None
        self._ended = threading.Event()
        self._opener: threading.Thread | None = None
        self._light = CapacityLimiter(THREADS)
        self._heavy = CapacityLimiter(HEAVY)

    @property
    def app(self) -> App:
        """The app.

        Raises:
            StoreUnavailable: its database is away since before it was opened.
            SchemaMismatch: its database has another schema.
        """
        if self._app is not None:
            return self._app
        trouble = self.trouble or StoreUnavailable("the database is being opened", way_out="ask again in a moment")
        raise trouble.with_traceback(None)  # it is raised again and again, and would keep what each raise adds to it

    def open(self) -> None:
        """Find the workflows and open the app; if its database is away, a thread goes on trying.

        Raises:
            HostError: it never will be opened: something else than the database is not right.
        """
        if not self._given:
            self.catalog = discover(self.settings.root, self.settings.config.workflows)
            for found in self.catalog.problems:
                _log.warning("%s: %s", found.file, found.message)
        if not self._tried():
            _log.error("%s; answering 503 until it is right", self.trouble)
            self._opener = threading.Thread(target=self._keep_trying, name="codemation-open", daemon=True)
            self._opener.start()

    def close(self) -> None:
        """Hand back what this process works on, and let go of the database."""
        self.draining.set()
        self._ended.set()
        if self._opener is not None:
            self._opener.join()
        if self._deployed is not None:
            self._deployed.end()
        if self._app is not None:
            self._app.close()

    def workflow(self, wanted: str) -> Workflow[Any, ...]:
        """A workflow by its id, or by the end of it.

        Raises:
            UnknownWorkflow: there is none.
        """
        try:
            return self.catalog.find(wanted).workflow
        except UnknownWorkflow as error:  # which says where the folder is, and that is nobody's business out there
            raise UnknownWorkflow(f"there is no workflow {wanted!r}", way_out=error.way_out) from None

    @property
    def root(self) -> str:
        """What stands before every path, where a proxy puts something there."""
        return self.root_path.rstrip("/")

    def start(self, launch: Launch) -> tuple[RunId, bool]:
        """Record a run, which whoever works here goes on with; says whether it is a new one."""
        began = new_run_id()
        handle = self.app.submit(launch)
        return handle.id, launch.key is None or handle.id[:_TIME] >= began[:_TIME]

    @contextmanager
    def noted(self, by: Actor, action: str, target: str, **detail: Any) -> Iterator[Note]:
        """Note who does something before it is done, and afterwards what became of it."""
        note, said = Note(target), {name: value for name, value in detail.items() if value}
        audit, id_ = self.app.stores.audit, str(new_run_id())
        audit.note(Deed(id=id_, who=by.name, action=action, target=target, detail=said))
        try:
            yield note
        except StoreUnavailable:
            raise  # nobody knows what became of it
        except Exception as error:
            outcome = problem_of(error).type if isinstance(error, CodemationError) else "fault"
            audit.settle(id_, outcome, note.target)
            raise
        audit.settle(id_, "done", note.target)

    def item_of(self, wait: RunWait) -> Any:
        """The item that a wait is about, as JSON; `None` where it is about all of them, or cannot be read any more."""
        if wait.item is None:
            return None
        item = failed_item(self.app.attach(wait.run), wait.node, wait.item)
        return None if item is None else json_of(item)

    def sampled(self, take: Callable[[Service], T], fresh: float) -> T:
        """What `take` gives, or what it gave a moment ago: however many ask, it is called by one at a time."""
        with self._sampling:
            at, sample = self._samples.get(take, (float("-inf"), None))
            if time.monotonic() - at > fresh:
                at, sample = self._samples[take] = time.monotonic(), take(self)
            return cast("T", sample)

    def aside(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Do in a thread of its own what nobody waits for, and what others would do as well if this process died."""

        def work() -> None:
            try:
                function(*args, **kwargs)
            except CodemationError as error:
                _log.info("left to others: %s", error)

        threading.Thread(target=work, name="codemation-aside", daemon=True).start()

    def has_tokens(self) -> bool:
        """Whether anybody ever made one."""
        return self.app.stores.tokens.any()

    def check_open(self) -> None:
        """Refuse what would begin something while the server stops."""
        if self.draining.is_set():
            raise Refused(problem(503, "this server is stopping", way_out="ask again in a moment", Retry_After="2"))

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await what the synchronous shell does; this is the only bridge to it.

        As many calls are under way at a time as the database has connections for, and each lasts no longer than what
        it does: what a client is sent waits outside.
        """
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._light)

    async def labour(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` does, for what takes long; few at a time, so that it never stands in the way of the rest."""
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._heavy)

    def _tried(self) -> bool:
        try:
            app = App.open(self.settings)
        except (StoreUnavailable, SchemaMismatch) as error:
            self.trouble = error
            return False
        try:
            self.take_up(app, self.catalog, "")
            if app.fleet is None:  # nobody else works on what is started here
                app.work()
            if not self._given:
                self._deployed = Deployed(app, self._counts)
                self._deployed.begin()
        except BaseException as error:
            app.close()
            if not isinstance(error, StoreUnavailable):
                raise
            self.trouble = error
            return False
        self._app, self.trouble = app, None
        return True

    def _counts(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def _keep_trying(self) -> None:
        while not self._ended.wait(PAUSE):
            try:
                if self._tried():
                    _log.warning("the database is there; answering again")
                    return
            except CodemationError as error:
                self.trouble = error
                _log.exception("the app cannot be opened")
