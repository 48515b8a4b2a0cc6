"""Measuring the costs: many runs of each kind on a server of their own, by the server's counters and its log itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import psycopg

import codemation as cm
from benchmarks import flows
from benchmarks.day.costs import Costs, RunCost
from benchmarks.day.traffic import MIX
from benchmarks.effort import FULL
from benchmarks.machine import described
from benchmarks.processor import spent, spent_by_ended
from benchmarks.stand import OURS, Stand, standing
from benchmarks.storage import log_written
from codemation.core.ids import WorkerId
from codemation.core.launch import Launch
from codemation.core.ports import WorkerRow
from codemation.host.app import App
from codemation.host.settings import Settings

STEPS, ITEMS, CHILDREN, FLIGHT = 10, 1_000, 5, 16
WRITERS, LOOKS = 8, 200
_TABLES = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
_DEAD = "SELECT COALESCE(sum(n_tup_upd - n_tup_hot_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables"
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
_WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_PLACE = "SELECT pg_current_wal_flush_lsn()::text"
_OVER = """UPDATE runs SET retention = '{"succeeded": 0, "failed": 0}'"""
_SECONDS = 5.0


class Kind(NamedTuple):
    """Runs of one shape."""

    workflow: cm.Workflow[Any, ...]
    items: tuple[Any, ...]
    count: int
    """So many of them are measured."""
    activations: int
    messages: float
    flight: int = 1
    """So many at a time; those that wait would take too long one after the other."""


def kinds(share: float = 1.0) -> dict[str, Kind]:
    """The kinds of runs that the day is made of; of each a share of the usual number is measured."""

    def some(count: int) -> int:
        return max(2, round(share * count))

    waiting = cm.workflow("bench.waiting", input=flows.Record).then(flows.late).wait("20ms", id="first")
    waiting = waiting.then(flows.step).wait("20ms", id="second").then(flows.step, id="last")
    child = cm.workflow("bench.child", input=flows.Record).then(flows.late).then(flows.step).build()
    parent = cm.workflow("bench.parent", input=flows.Record).subworkflow(child, per="item").then(flows.step)
    one, some_records = tuple(flows.records(1)), tuple(flows.records(CHILDREN))
    return {
        "ten steps": Kind(flows.chain(STEPS), (), some(400), STEPS, 1),
        "map of 1,000": Kind(flows.mapped(), tuple(flows.records(ITEMS)), some(60), 1, 1),
        "two waits": Kind(waiting.build(), one, some(150), 5, 5, flight=50),
        "five children": Kind(parent.build(), some_records, some(60), 2 + 2 * CHILDREN, 2 + CHILDREN),
    }


def measure(share: float = 1.0, names: Container[str] = MIX) -> Costs:
    """All costs, on servers that are made for it; of the kinds of runs that are named."""
    with standing(FULL) as stand:
        machine = {name: text for name, text in described(stand).items() if name not in ("peer", "load")}
        runs = {name: _of_a_run(stand, kind) for name, kind in kinds(share).items() if name in names}
        with _app(stand) as app:
            looks = [_server_seconds(stand, partial(_often, look)) / LOOKS for look in _looks(app)]
            beat, beat_row = _beats(stand, app, round(1_000 * share))
        vacuum = _vacuum(stand, round(200_000 * share))
        commits = _commits(stand, _SECONDS * share)
    return Costs(
        machine=machine,
        runs=runs,
        list_page=looks[0],
        open_run=looks[1],
        vacuum=vacuum,
        commit_rate=commits,
        beat=beat,
        beat_row=beat_row,
    )


class _Counters(NamedTuple):
    """What the server and we had counted at one moment."""

    statements: int
    commits: int
    place: str
    server: float
    python: float
    dead: int
    rows: Mapping[str, int]


def _app(stand: Stand) -> App:
    return App.open(Settings(stand.folder, {}, {}))


def _counters(stand: Stand) -> _Counters:
    """Read with nobody of ours connected, and with everything vacuumed, so that sizes are those of what is kept."""
    stand.inside("VACUUM")
    with psycopg.connect(stand.url, autocommit=True) as connection:
        rows = dict(connection.execute(_TABLES).fetchall())
    (dead,) = stand.inside(_DEAD)
    (statements,), (commits,), (place,) = stand.ask(_TRANSACTIONS, OURS), stand.ask(_WRITTEN), stand.ask(_PLACE)
    python, server = spent(stand)
    server += spent_by_ended(stand)
    return _Counters(int(statements), int(commits), place, server, python, int(dead), rows)


def _of_a_run(stand: Stand, kind: Kind) -> RunCost:
    _worked(stand, kind._replace(count=2))
    stand.inside("CHECKPOINT")
    before, count = _counters(stand), kind.count
    _worked(stand, kind)
    after = _counters(stand)
    log = log_written(stand, before.place, after.place).records
    _worked(stand, kind._replace(flight=FLIGHT))
    grouped = _counters(stand)
    return RunCost(
        statements=_each("statements", before, after, count),
        commits=_each("commits", before, after, count),
        grouped=_each("commits", after, grouped, count),
        log=round(log / count),
        server=_each("server", before, after, count),
        python=_each("python", before, after, count),
        rows={name: round(size / count) for name, size in _grown(before, after).items()},
        dead=_each("dead", before, after, count),
        activations=kind.activations,
        messages=kind.messages,
        **_pruned(stand, 2 * count + 2),
    )


def _pruned(stand: Stand, count: int) -> dict[str, float]:
    """What it costs to delete one of so many runs: all that are there."""
    stand.inside(_OVER)
    stand.inside("CHECKPOINT")
    before, began = _counters(stand), time.perf_counter()
    with _app(stand) as app:
        while app.stores.pruning.prune():
            pass
        took = time.perf_counter() - began
    after = _counters(stand)
    return {
        "prune_server": _each("server", before, after, count),
        "prune_time": round(took / count, 6),
        "prune_log": round(log_written(stand, before.place, after.place).records / count),
        "prune_dead": _each("dead", before, after, count),
    }


def _each(name: str, before: _Counters, after: _Counters, count: int) -> float:
    return float(round((getattr(after, name) - getattr(before, name)) / count, 6))


def _grown(before: _Counters, after: _Counters) -> dict[str, int]:
    grown = {name: size - before.rows[name] for name, size in after.rows.items()}
    return {name: size for name, size in sorted(grown.items()) if size > 0}


def _worked(stand: Stand, kind: Kind) -> None:
    """So many runs, to their ends, in an app of their own."""
    launch = Launch(workflow=kind.workflow, items=kind.items or None)
    with _app(stand) as app, ThreadPoolExecutor(kind.flight) as pool:
        assert all(pool.map(lambda _: app.launch(launch).result(timeout=120), range(kind.count)))


def _looks(app: App) -> list[Callable[[], object]]:
    """What people look at: a page of the list, and a run."""
    newest = app.launch(Launch(workflow=flows.chain(STEPS)))
    newest.wait()
    return [lambda: app.stores.runs.page(limit=50), lambda: app.engine.open(newest.id)]


def _often(look: Callable[[], object]) -> None:
    for _ in range(LOOKS):
        look()


def _server_seconds(stand: Stand, work: Callable[[], object]) -> float:
    """What the server spends on something, with connections that stay."""
    _, before = spent(stand)
    work()
    _, after = spent(stand)
    return after - before


def _beats(stand: Stand, app: App, others: int) -> tuple[float, float]:
    """Processor seconds of the server for a beat of a process that is alone, and for each other one that lives."""
    workers, me = app.stores.workers, app.engine.worker
    alone = _server_seconds(stand, partial(_often, lambda: workers.beat(me))) / LOOKS
    for number in range(1, others + 1):
        workers.register(WorkerRow(id=WorkerId(number), name="w", place="elsewhere", pid=number, pid_started=1))
    among = _server_seconds(stand, partial(_often, lambda: workers.beat(me))) / LOOKS
    workers.bury([WorkerId(number) for number in range(1, others + 1)])
    return alone, max(0.0, among - alone) / others


def _vacuum(stand: Stand, rows: int) -> float:
    """Processor seconds of the server for one dead row of the journal's shape."""
    with psycopg.connect(stand.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE dead (LIKE journal INCLUDING ALL)")
        connection.execute(
            "INSERT INTO dead SELECT gen_random_uuid(), 1, now(), 1, '\\x00', '\\x00' FROM generate_series(1, %s)",
            (rows,),
        )
        connection.execute("DELETE FROM dead")
        taken = _server_seconds(stand, lambda: connection.execute("VACUUM (INDEX_CLEANUP ON) dead"))
        connection.execute("DROP TABLE dead")
    return taken / rows


def _commits(stand: Stand, seconds: float) -> float:
    """Durable commits a second of a row of 1 KB, by eight connections at once."""
    url, until = stand.database("commits"), time.perf_counter() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS written (data bytea)")

    def write(_: int) -> int:
        done = 0
        with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
            while time.perf_counter() < until:
                connection.execute("INSERT INTO written VALUES (%s)", (b"x" * 1024,))
                done += 1
        return done

    with ThreadPoolExecutor(WRITERS) as pool:
        return sum(pool.map(write, range(WRITERS))) / seconds
