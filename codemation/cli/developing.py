"""One process for everything: the database, runs, the web, and what is written meanwhile."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import watchfiles

from codemation.cli.arming import DevTriggers
from codemation.cli.screen import Screen, status_text
from codemation.core.errors import CodemationError, HostError, StoreUnavailable
from codemation.core.ids import RunId
from codemation.core.signals import Event
from codemation.host.builds.reloading import Reload, Reloader
from codemation.host.catalog import Problem
from codemation.host.naming import short
from codemation.host.settings import Settings
from codemation.web.server import Listening, Server, bound, is_loopback
from codemation.web.service import Service

_log = logging.getLogger("codemation.dev")
PORTS = 20
"""Ports that are tried, beginning with the one that is wanted."""
SETTLED = 100
"""Milliseconds without another change after which what was saved is taken to be whole."""
QUIET = 500
"""Milliseconds after which the watching has certainly begun."""
LEFT_OUT = frozenset({"node_modules", "__pycache__", "build", "dist", "site-packages"})
FILES = (".py", ".toml")


def develop(settings: Settings, screen: Screen, host: str, port: int, *, triggers: bool = True) -> None:
    """Serve an app, and reload its workflows, until Ctrl-C; as long as that lasts, their `triggers` are armed.

    Raises:
        HostError: no port is free, or the database cannot be used; says what to do.
    """
    settings = alone(settings)
    reloader = Reloader(settings)
    first = reloader.load()
    with open_door(host, port) as door:
        service = Service(settings, loopback=is_loopback(door), catalog=first.catalog)
        teller = Teller(screen, service)
        armed = DevTriggers(teller.say, wanted=triggers)
        service.take_up = armed.take_up
        service.open()
        try:
            server = Server(service, Listening(host=host))
            service.app.listeners.append(teller.hear)
            _greet(screen, service, door)
            teller.problems(first.catalog.problems)
            with _watching(settings, reloader, service, teller):
                server.run([door])
        finally:
            if service.trouble is None:
                with suppress(StoreUnavailable):  # they are armed anew, or disarmed, by the next session
                    armed.end(service.app)
            service.close()
    screen.say("stopped")


def alone(settings: Settings) -> Settings:
    """The settings of an app that works by itself, whatever production has."""
    config = {name: getattr(settings.config, name) for name in settings.config.model_fields_set}
    config.pop("redis_url", None)
    return Settings(settings.root, {**config, "scheduler": "inline"}, settings.origins)


@contextmanager
def open_door(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at a port, or at the next one that is free.

    Raises:
        HostError: none of them is.
    """
    for wanted in range(port, min(port + PORTS, 65536)):
        try:
            door = bound(host, wanted)
            listening = door.__enter__()
        except HostError:
            if wanted in (0, 65535, port + PORTS - 1):
                raise
            continue
        with listening:
            yield listening
        return


def url_of(door: socket.socket) -> str:
    """Where a socket is reached by a browser of this machine."""
    host, port = door.getsockname()[:2]
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    return f"http://{name}:{port}"


class Teller:
    """Tells what happens, a line each."""

    def __init__(self, screen: Screen, service: Service) -> None:
        self._screen = screen
        self._service = service
        self._began: dict[RunId, float] = {}
        self._guard = threading.Lock()

    def hear(self, run: RunId, _revision: int, events: Sequence[Event]) -> None:
        """Tell of runs that begin and end."""
        for event in events:
            if event.kind == "run_started":
                self._began[run] = time.monotonic()
            elif event.kind in ("run_succeeded", "run_failed", "run_cancelled"):
                took = time.monotonic() - self._began.pop(run, time.monotonic())
                status = event.kind.removeprefix("run_")
                self.say(f"{status_text(status)}   {self._name(run)}run {short(run)} after {took:.1f} s")
                if status == "failed":
                    self._screen.say(click.style(f"            codemation runs show {short(run)}", dim=True))

    def _name(self, run: RunId) -> str:
        """The workflow of a run that is worked on here."""
        watched = self._service.app.scheduler.watched()
        return next((f"{one.run.definition.workflow}   " for one in watched if one.run.id == run), "")

    def reloaded(self, files: Sequence[str], reload: Reload) -> None:
        """Tell what came of a change."""
        names = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
        if not reload.catalog.problems:
            what = "; ".join(reload.changes) or "the workflows do what they did before"
            mended = click.style("✓ mended", fg="green") if reload.mended else ""
            self.say("   ".join(filter(None, (mended, names, what))))
            return
        self.problems(reload.catalog.problems)
        for line in reload.changes:
            self.say(f"  {line}")

    def problems(self, problems: Sequence[Problem]) -> None:
        """Tell what is broken."""
        for problem in problems:
            mark = click.style("✗", fg="red", bold=True)
            self.say(f"{mark} {problem.file}: {problem.message}   (what was there before goes on)")
            for line in problem.detail.splitlines():
                self._screen.say(f"            {line}")

    def say(self, text: str) -> None:
        """Tell something, and when."""
        with self._guard:
            self._screen.say(f"{click.style(f'{datetime.now(UTC).astimezone():%H:%M:%S}', dim=True)}  {text}")


def _greet(screen: Screen, service: Service, door: socket.socket) -> None:
    catalog = service.catalog
    screen.say(f"{click.style('codemation dev', bold=True)}  {service.settings.root}")
    rows = {
        "web": f"{url_of(door)}   (API: {url_of(door)}/api/v1/docs)",
        "database": service.app.backend.describes if service.trouble is None else str(service.trouble.message),
        "workflows": ", ".join(sorted(catalog.workflows)) or f"none in {catalog.folder}/ yet",
    }
    for name, value in rows.items():
        screen.say(f"  {name:<10} {value}")
    screen.say(click.style("  files are reloaded when they are saved; Ctrl-C ends everything", dim=True))


@contextmanager
def _watching(settings: Settings, reloader: Reloader, service: Service, teller: Teller) -> Iterator[None]:
    """Reload what is saved, in a thread, for as long as this lasts."""
    over = threading.Event()

    def watch() -> None:
        root = settings.root.resolve()
        while not over.is_set():
            paths, begun = watched(settings), False
            for changed in watchfiles.watch(
                *paths,
                watch_filter=partial(counts, root),
                stop_event=over,
                step=SETTLED,
                rust_timeout=QUIET,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                if begun and not changed:
                    continue
                begun = True  # what was saved before it was watched is seen now
                files = sorted({Path(path).relative_to(root) for _, path in changed})
                _reload(settings, files, reloader, service, teller)
                if watched(settings) != paths or any(len(file.parts) == 1 for file in files):
                    break  # another folder, or a file that an editor has put into the place of the one that is watched

    thread = threading.Thread(target=watch, name="codemation-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5.0)


def _reload(settings: Settings, files: Sequence[Path], reloader: Reloader, service: Service, teller: Teller) -> None:
    names = [file.as_posix() for file in files if file.suffix]
    if any(file.name in ("codemation.config.py", "pyproject.toml") for file in files):
        teller.say(f"{', '.join(names)} changed: settings are read once; stop and start to use them")
        return
    before = reloader.catalog.problems
    try:
        reload = reloader.load()
        service.catalog = reload.catalog
        service.take_up(service.app, reload.catalog, str(settings.root / settings.config.workflows))
    except CodemationError as error:
        teller.say(f"{click.style('✗', fg='red', bold=True)} {error}")
    except Exception:  # noqa: BLE001  # the next change may fare better
        _log.exception("what was saved cannot be taken up")
    else:
        if files or reload.changes or reload.catalog.problems != before:
            teller.reloaded(names, reload)


def watched(settings: Settings) -> list[Path]:
    """What of an app is watched: its folders of code, and the files beside them; never a virtual environment."""
    root = settings.root.resolve()
    folders = [one for one in root.iterdir() if one.is_dir() and _is_code(one)]
    files = [one for one in root.iterdir() if one.is_file() and one.suffix in FILES]
    return sorted([*folders, *files]) or [root]


def _is_code(folder: Path) -> bool:
    return not (folder.name.startswith(".") or folder.name in LEFT_OUT or (folder / "pyvenv.cfg").exists())


def counts(root: Path, _: watchfiles.Change, path: str) -> bool:
    """Whether something within the app that has changed is of any account."""
    *folders, name = Path(path).relative_to(root).parts or ("",)
    hidden = any(part.startswith(".") or part in LEFT_OUT for part in (*folders, name))
    return not hidden and not name.endswith("~")
