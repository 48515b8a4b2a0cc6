"""How rows are found, whatever the server believed of the tables when it made the plan that it keeps.

Each statement is planned twice: for tables that nobody has looked at yet, and for tables with a few finished runs and
nothing that is under way. While tables are that small, to read all of an index costs about as much as to look up one
row, so a plan may do either; and it is kept on its connection while the tables grow.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from codemation.host import postgres
from codemation.host.postgres import run_statements
from codemation.host.postgres.grouping import GroupShape, group
from codemation.host.postgres.statements import Statement, StepShape, Then, step
from codemation.host.postgres.stores import PostgresStores, open_stores
from codemation.testing.conformance.world import World
from tests.host.postgres.server import Server
from tests.host.postgres.test_cost import walk

GROWING = frozenset(
    {"batches", "blobs", "borrowed", "checkpoints", "events", "follow_ups", "journal", "logs"}
    | {"progress", "run_keys", "runs", "signals", "tickets"}
)
"""Tables with rows for each run, or each open piece of one."""
READS_ALL = {
    "blobs._CONDEMNED": "what is to be deleted, the oldest first, so many at a time",
    "blobs._DOOM": "a duty of an hour: whatever nobody names any more",
    "children._UNWANTED": "a duty of a minute, of the unfinished runs that work for others",
    "duties._BEAT": "the first of an index",
    "events._FORGET": "what has expired, the oldest first",
    "events._KEPT": "what a person is shown",
    "events._MEET_ALL": "a duty of a minute, of what waits for events",
    "gauges._FINISHED": "a gauge, as often as somebody asks for the metrics",
    "gauges._QUEUES": "a gauge, as often as somebody asks for the metrics",
    "gauges._UNFINISHED": "a gauge, as often as somebody asks for the metrics",
    "pruning._FORGET_KEYS": "a duty of an hour",
    "pruning._LOST": "a duty of an hour: whatever belongs to no run",
    "pruning._OUTDATED": "what a person is shown before pruning",
    "run_statements.REPLACED": "a duty of an hour",
    "triggers._FORGET": "a duty of an hour",
    "turnstiles._AT": "what a person is shown, or a run that was refused, of the unfinished",
    "turnstiles._FORGOTTEN": "a duty of a minute, of the unfinished",
    "turnstiles._INSIDE": "as turnstiles._AT",
    "waits._OPEN_ALL": "what a person is shown",
    "workers._BEAT": "what is being worked on now",
    "workers._FORGET": "a duty of an hour",
    "workers._LIVING": "what is being worked on now",
}
"""What may read more than the rows that it is about, and why that harms nobody."""
WHO = re.compile(r"(?<![\w.])(id|run_id) = ")
"""A comparison that names a row or a run, where it filters what was found by other means."""


def _statements() -> Iterator[tuple[str, Statement]]:
    for module in pkgutil.iter_modules(postgres.__path__):
        if not module.ispkg:
            held = vars(importlib.import_module(f"{postgres.__name__}.{module.name}"))
            yield from ((f"{module.name}.{name}", one) for name, one in held.items() if isinstance(one, Statement))
    flags = [name for name in StepShape._fields if name not in ("then", "progressed")]
    for then in Then:
        for shape in [StepShape(then), StepShape(then, progressed=False)]:
            yield f"step.{then.name}.{shape.progressed}", step(shape)
        for flag in flags:
            ends = {"ends": flag not in ("more", "waits", "consumes", "queued")}
            yield f"step.{then.name}.{flag}", step(StepShape(then)._replace(**{**ends, flag: True}))
    for flag in GroupShape._fields:
        yield f"group.{flag}", group(GroupShape()._replace(**{"ends": flag != "more", flag: True}))
    for keyed in (False, True):
        for queued in (False, True):
            yield f"start.{keyed}.{queued}", run_statements.start(keyed=keyed, timed=True, queued=queued, ended=True)
        yield f"reopen.{keyed}", run_statements.reopen(timed=True, queued=keyed)
        yield f"start_child.{keyed}", run_statements.start_child(timed=True, ended=keyed)


STATEMENTS = dict(_statements())


@pytest.fixture(scope="module", params=["new", "finished"])
def planned(server: Server, request: pytest.FixtureRequest) -> Iterator[PostgresStores]:
    """Stores on tables about which the server knows something else each time."""
    with server.database(f"plans_{request.param}") as url, open_stores(url) as opened:
        if request.param == "finished":
            world = World(opened.stores)
            for _ in range(60):
                walk(world, 3)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        yield opened


def _scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node.get("Relation Name") in GROWING:
        yield node
    for below in node.get("Plans", ()):
        yield from _scans(below)


def _by_other_means(scan: dict[str, Any], leading: dict[str, str]) -> bool:
    """Whether a scan reads all that there is, or all that is like what it looks for."""
    if "Index Cond" not in scan:
        return bool(scan["Node Type"].endswith("Scan"))
    if not re.search(rf"\b{leading[scan['Index Name']]}\b", scan["Index Cond"]):
        return True  # an index can be gone through for its last column, too
    return not WHO.search(scan["Index Cond"]) and bool(WHO.search(scan.get("Filter", "")))


_LEADING = """
    SELECT indexrelid::regclass::text, COALESCE(attname, 'kept_until') FROM pg_index
        LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] AND attnum > 0
    WHERE indrelid::regclass::text = ANY(%s)"""


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_plan_reads_all_of_a_table_that_grows(planned: PostgresStores, name: str) -> None:
    sent = STATEMENTS[name]
    values = ", ".join(["NULL"] * len(sent.names))
    with planned.connections.lease() as link:
        link.connection.execute(f'PREPARE "{name}" AS '.encode() + sent.text, prepare=False)
        asked = f'EXPLAIN (FORMAT JSON) EXECUTE "{name}"' + (f"({values})" if values else "")
        ((plan,),) = link.connection.execute(asked.encode(), prepare=False)
        leading = dict(link.connection.execute(_LEADING, [list(GROWING)], prepare=False).fetchall())
    bad = [scan for scan in _scans(plan[0]["Plan"]) if _by_other_means(scan, leading)]
    assert not bad or name in READS_ALL, bad


def test_a_run_costs_no_more_among_many_although_its_plans_were_made_among_few(
    opened: PostgresStores, world: World, database: psycopg.Connection[Any]
) -> None:
    def pages() -> int:
        with opened.connections.lease() as link:  # the one that everything was sent on
            link.connection.execute("SELECT pg_stat_force_next_flush()")
        row = database.execute(
            """SELECT sum(idx_blks_hit + idx_blks_read + heap_blks_hit + heap_blks_read)::int
            FROM pg_statio_user_tables WHERE relname IN ('runs', 'tickets')"""
        ).fetchone()
        assert row is not None
        return int(row[0])

    def cost() -> int:
        before = pages()
        walk(world, 10)
        return pages() - before

    # Whoever tidies up there reads pages as well.
    database.execute("ALTER TABLE tickets SET (autovacuum_enabled = off)")
    database.execute("ALTER TABLE runs SET (autovacuum_enabled = off)")
    for _ in range(60):
        walk(world, 3)
    database.execute("VACUUM ANALYZE")

    def among(many: int) -> int:
        for _ in range(many):
            world.start("a/1")
        return cost()

    walk(world, 3)
    few = among(500)  # every index has its second level
    assert among(1_000) <= 1.3 * few
