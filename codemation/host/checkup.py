"""Whether an app is as it should be: settings, workflows, disk, database, runs; each finding with its way out."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from codemation import __version__
from codemation.core.errors import CodemationError
from codemation.host.app import App
from codemation.host.catalog import discover
from codemation.host.database import DatabaseState, database_state, database_url
from codemation.host.runtime.liveness import Observer, place
from codemation.host.settings import Settings

_PARTS = ("pydantic", "psycopg", "sqlalchemy", "alembic", "pyarrow", "click", "rich")
SLOW = 50.0
"""Milliseconds for one small question, from which a database is slow for a run with many steps."""
ROOM = 1_000_000_000
"""Bytes of free disk below which somebody should be told."""
SHOWN = 5


class Verdict(StrEnum):
    """How a check came out."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    verdict: Verdict = Verdict.GOOD
    says: str
    way_out: str = ""


def checkup(settings: Settings) -> Iterator[Check]:
    """Look at everything that an app stands on, one finding after the other."""
    yield Check(name="versions", says=_versions())
    yield Check(name="settings", says=f"read for the app in {settings.root}")
    yield from _workflows(settings)
    if settings.config.database_url is None:
        yield from _state_folder(settings)
        if not settings.state.is_dir():
            yield Check(name="database", says="not made yet; the first run makes it")
            return
    yield from _database(settings)


def _versions() -> str:
    parts = [f"codemation {__version__}", f"Python {platform.python_version()}"]
    for part in _PARTS:
        try:
            parts.append(f"{part} {version(part)}")
        except PackageNotFoundError:
            parts.append(f"{part} is missing")
    return ", ".join(parts)


def _workflows(settings: Settings) -> Iterator[Check]:
    catalog = discover(settings.root, settings.config.workflows)
    folder = settings.root / settings.config.workflows
    for problem in catalog.problems:
        way_out = "codemation workflows list shows all of it"
        yield Check(name="workflows", verdict=Verdict.BAD, says=f"{problem.file}: {problem.message}", way_out=way_out)
    if catalog.workflows:
        yield Check(name="workflows", says=f"{len(catalog.workflows)} in {folder}")
    elif not catalog.problems:
        way_out = "put a file with a workflow there, or set `workflows` to the folder that they are in"
        yield Check(name="workflows", verdict=Verdict.DOUBTFUL, says=f"there is none in {folder}", way_out=way_out)


def _state_folder(settings: Settings) -> Iterator[Check]:
    """Whether a database may live where the embedded one does."""
    from codemation.host.postgres.embedded.filesystem import check_local, mounts  # noqa: PLC0415 - only the embedded one needs it

    folder = settings.state if settings.state.is_dir() else settings.root
    try:
        check_local(folder.resolve(), mounts())
    except CodemationError as error:
        yield _bad("state folder", error)
        return
    free = shutil.disk_usage(folder).free
    says = f"{settings.state}, on a local disk with {free / 1e9:,.1f} GB free"
    if free < ROOM:
        yield Check(name="state folder", verdict=Verdict.DOUBTFUL, says=says, way_out="free some space on that disk")
    else:
        yield Check(name="state folder", says=says)


def _database(settings: Settings) -> Iterator[Check]:
    try:
        with database_url(settings) as url:
            state = database_state(url)
            yield from _answers(state, embedded=settings.config.database_url is None)
            if state.current:
                with App.open(settings) as app:
                    yield from _runs(app)
    except CodemationError as error:
        yield _bad("database", error)


def _answers(state: DatabaseState, *, embedded: bool) -> Iterator[Check]:
    kind = "embedded PostgreSQL" if embedded else "PostgreSQL"
    says = f"{kind} {state.server}, {state.describes}, answers in {state.milliseconds:.1f} ms"
    slow = state.milliseconds > SLOW
    way_out = "run codemation nearer to its database: each step of a run asks it once" if slow else ""
    yield Check(name="database", verdict=Verdict.DOUBTFUL if slow else Verdict.GOOD, says=says, way_out=way_out)
    if state.current:
        yield Check(name="schema", says=f"version {state.schema}")
        return
    newer = state.schema is not None and state.schema > state.wanted
    way_out = "upgrade codemation: pip install --upgrade codemation" if newer else "codemation db migrate"
    says = f"version {state.schema or 'none'}, and this release wants {state.wanted}"
    yield Check(name="schema", verdict=Verdict.BAD, says=says, way_out=way_out)


def _runs(app: App) -> Iterator[Check]:
    """Whether each run that is not over will go on: somebody has it, or a time will come."""
    stores = app.stores
    living = stores.workers.living()
    dead = Observer(app.settings.config.place or place()).dead(living)
    for worker in living:
        if worker.id in dead:
            says = f"process {worker.pid} ({worker.name}) has died; what it held is released by the next run"
            yield Check(name="workers", verdict=Verdict.DOUBTFUL, says=says, way_out="codemation runs list")
    unattended = stores.runs.unattended()
    for one in unattended[:SHOWN]:
        resumable = bool(stores.runs.tickets(one.run))
        says = f"run {one.run} of {one.workflow}: {one.why}"
        verdict = Verdict.DOUBTFUL if resumable else Verdict.BAD
        way_out = f"codemation runs resume {one.run[-8:]}"
        if app.fleet is not None and resumable:
            way_out = "codemation serve worker, where the code of that definition is, with --queues for what it serves"
        yield Check(name="runs", verdict=verdict, says=says, way_out=way_out)
    if len(unattended) > SHOWN:
        left = len(unattended) - SHOWN
        yield Check(name="runs", verdict=Verdict.DOUBTFUL, says=f"and {left} more", way_out="codemation runs list")
    if not unattended:
        at_work = len(living) - len(dead)
        yield Check(name="runs", says=f"none is left alone; {at_work} process{'' if at_work == 1 else 'es'} at work")


def _bad(name: str, error: CodemationError) -> Check:
    return Check(name=name, verdict=Verdict.BAD, says=error.message, way_out=error.way_out)
