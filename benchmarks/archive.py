"""E6: many finished runs lie in the database; what a W10 costs, and how long people wait for a list, stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import psycopg

from benchmarks import flows
from benchmarks.backlog import copy_queued
from benchmarks.chain import STEPS
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.growth import SAME
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand, tell
from benchmarks.storage import log_written
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.opening import asked
from codemation.host.postgres.migrate import ensure
from codemation.host.settings import Settings

PAGE = 50
"""Runs on a page of the list."""
LEVEL = 2.0
"""Pages that a statement may touch more than on an empty database: one level of the key of runs, which a step goes
through to lock its run and again to write it."""
_COPY = """
CREATE TEMP TABLE made AS
    SELECT uuidv7(number * interval '-1 second') AS id, number FROM generate_series(1, {count}) AS number;
INSERT INTO runs SELECT (made_of).* FROM (
    SELECT jsonb_populate_record(runs, jsonb_build_object('id', made.id,
        'created_at', created_at - number * interval '1 second')) AS made_of
    FROM runs CROSS JOIN made WHERE runs.id = '{run}') AS each;
INSERT INTO journal SELECT (made_of).* FROM (
    SELECT jsonb_populate_record(journal, jsonb_build_object('run_id', made.id)) AS made_of
    FROM journal CROSS JOIN made WHERE journal.run_id = '{run}') AS each;
DROP TABLE made"""
_PLACE = "SELECT pg_current_wal_insert_lsn()::text"
_WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_PAGES = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What a W10 costs the database."""

    transactions: float
    pages: float
    log: float


def measure(stand: Stand) -> Finding:
    """Two databases on one server, an empty one and a full one, each with an app of its own."""
    stand.rest()
    workflow, count = flows.chain(STEPS), stand.effort.chains
    with ExitStack() as stack:
        apps = {name: stack.enter_context(_app(stand, name)) for name in ("empty", "full")}
        model = _run(apps["full"], workflow)
        _fill(stand.database("full"), model.id, stand.effort.archived)
        contenders = {name: partial(_rate, app, workflow, count) for name, app in apps.items()}
        rates = {
            name: Series(name=f"{name} database", unit="W10/s", values=tuple(values))
            for name, values in interleaved(contenders, stand.effort.turns).items()
        }
        counted = {name: _count(stand, name, app, workflow, count) for name, app in apps.items()}
        counted |= _crowded(stand, stack.enter_context(_app(stand, "crowded")), workflow, count)
        looks = {f"{what}, {name}": _looks(app, what) for what in ("list", "open") for name, app in apps.items()}
    share = ratio("full / empty", rates["full"], rates["empty"])
    series, bars = _compared(counted)
    bars.append(Bar(what="W10 per second, full / empty", figure=share.median, limit=0.95, unit="×", at_least=True))
    bars.append(Bar(what=f"a page of {PAGE} runs", figure=median(looks["list, full"]), limit=20.0, unit="ms"))
    opened = median(looks["open, full"]) / median(looks["open, empty"])
    bars.append(Bar(what="opening a run, full / empty", figure=opened, limit=1.2, unit="×"))
    watched = [Series(name=name, unit="ms", values=taken) for name, taken in looks.items()]
    return Finding(
        name="E6",
        title=f"{stand.effort.archived:,} finished runs in the database",
        series=(*rates.values(), share, *watched, *series),
        bars=tuple(bars),
        yardstick=rates["empty"],
    )


def _compared(counted: Mapping[str, _Counted]) -> tuple[list[Series], list[Bar]]:
    """What was counted on the full database against the empty one, and among many that are queued against few."""
    series, bars = list[Series](), list[Bar]()
    for what in ("transactions", "pages", "log"):
        empty, full = getattr(counted["empty"], what), getattr(counted["full"], what)
        series.append(Series(name=f"{what} per W10, empty", unit="", values=(empty,)))
        series.append(Series(name=f"{what} per W10, full", unit="", values=(full,)))
        if what != "pages":  # an index grows by a level when what it holds grows a hundredfold
            bars.append(Bar(what=f"{what} per W10, full / empty", figure=full / empty, limit=SAME, unit="×"))
    pairs = {"full - empty": ("full", "empty"), "among many - among few queued": ("many", "few")}
    for said, (more, less) in pairs.items():
        pages = (counted[more].pages - counted[less].pages) / counted[less].transactions
        bars.append(Bar(what=f"pages a transaction, {said}", figure=pages, limit=LEVEL, unit=""))
    return series, bars


def _crowded(stand: Stand, app: App, workflow: Workflow[Any, ...], count: int) -> dict[str, _Counted]:
    """What a W10 costs among few and among many that are queued, by plans that were made before there were any."""
    for _ in range(count):
        _run(app, workflow)
    url, (few, most) = stand.database("crowded"), stand.effort.queued
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    _run(app, workflow)
    queued, _ = app.started(workflow, replace(asked(app, Launch(workflow=workflow)), claim=False))
    counted: dict[str, _Counted] = {}
    with stand.unvacuumed():
        for name, more in (("few", few), ("many", most // 10)):
            copy_queued(url, queued.id, more, known=False)
            counted[name] = _count(stand, "crowded", app, workflow, count)
    return counted


@contextmanager
def _app(stand: Stand, name: str) -> Iterator[App]:
    url = stand.database(name)
    ensure(url)
    settings = Settings(stand.folder, {"database_url": url}, {})
    with App.open(settings) as app:
        yield app


def _run(app: App, workflow: Workflow[Any, ...]) -> RunHandle:
    run = app.launch(Launch(workflow=workflow))
    run.wait()
    assert run.status is RunStatus.SUCCEEDED
    return run


def _rate(app: App, workflow: Workflow[Any, ...], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        _run(app, workflow)
    return count / (time.perf_counter() - began)


def _fill(url: str, run: str, count: int) -> None:
    """Copy one finished run so many times, with its journal, and let the server know how much there is."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_COPY.format(run=run, count=count).encode())
        connection.execute("VACUUM ANALYZE")
        found = connection.execute("SELECT count(*) FROM runs").fetchone()
    assert found == (count + 1,)


def _count(stand: Stand, name: str, app: App, workflow: Workflow[Any, ...], count: int) -> _Counted:
    """What so many W10 cost, each counter read when the session of the app has reported."""

    def reported() -> tuple[int, int, str]:
        tell(app)
        (pages,), (written,), (place,) = stand.ask(_PAGES, name), stand.ask(_WRITTEN), stand.ask(_PLACE)
        return int(pages), int(written), place

    with stand.unvacuumed():
        pages, written, place = reported()
        for _ in range(count):
            _run(app, workflow)
        pages_after, written_after, end = reported()
    log = log_written(stand, place, end).records
    return _Counted(
        transactions=(written_after - written) / count, pages=(pages_after - pages) / count, log=log / count
    )


def _looks(app: App, what: str) -> tuple[float, ...]:
    """Milliseconds of looking, the first look left out."""
    newest = app.stores.runs.page(limit=1)[0].id
    look: dict[str, Callable[[], object]] = {
        "list": lambda: app.stores.runs.page(limit=PAGE),
        "open": lambda: app.engine.open(newest),
    }
    taken = []
    for _ in range(21):
        began = time.perf_counter()
        look[what]()
        taken.append(1000 * (time.perf_counter() - began))
    return tuple(taken[1:])
