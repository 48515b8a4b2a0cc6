"""What a step costs, in what can be counted exactly: transactions, plans, updates in place, bytes of log."""

from __future__ import annotations

import psycopg
import pytest

from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import Claim, GoOn, Stores
from codemation.core.states import RunStatus
from codemation.host.postgres import (
    claiming,
    definitions,
    inbox,
    journal,
    lanes,
    payloads,
    run_statements,
    tickets,
    turnstile_statements,
    workers,
)
from codemation.host.postgres.grouping import GroupShape, group
from codemation.host.postgres.link import Row
from codemation.host.postgres.statements import Statement, StepShape, Then, step
from codemation.host.postgres.stores import PostgresStores
from codemation.testing.conformance.world import World, gone_on

SHAPES = [
    StepShape(then, more, ends, bool(more), ends) for then in Then for more in (False, True) for ends in (False, True)
]
MODULES = (claiming, definitions, inbox, lanes, payloads, run_statements, tickets, turnstile_statements, workers)
STATEMENTS: dict[str, Statement] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (
        claiming,
        definitions,
        inbox,
        lanes,
        payloads,
        run_statements,
        tickets,
        turnstile_statements,
        workers,
    )
    for name, value in vars(module).items()
    if isinstance(value, Statement)
} | {f"step.{shape.then.name}.{shape.more}.{shape.ends}": step(shape) for shape in SHAPES}
STATEMENTS |= {
    f"group.{more}.{ends}": group(GroupShape(more=more, ends=ends)) for more in (False, True) for ends in (False, True)
}
STATEMENTS |= {
    f"start.{keyed}.{queued}": run_statements.start(keyed=keyed, timed=True, queued=queued)
    for keyed in (False, True)
    for queued in (False, True)
}
STATEMENTS |= {f"reopen.{queued}": run_statements.reopen(timed=True, queued=queued) for queued in (False, True)}
STATEMENTS["step.leaves"] = step(StepShape(Then.END, ends=True, leaves=True, follows=True))
READ_A_SMALL_TABLE = ("workers._LIVING", "workers._BEAT", "workers._FORGET", "claiming._CANDIDATE", "claiming._REMIND")
"""They read every worker that is entered, or every pool or lane that there is: a handful."""
SORT_A_FEW = ("claiming._CLAIM_BEST", "claiming._CANDIDATE", "tickets._HAND_BACK", "tickets._TAKE_OVER")
SORT_A_FEW += ("run_statements.MARK", "reopen.False", "reopen.True", "inbox._PENDING")
"""They sort the heads of a few lanes, or the tickets of one process or of one run, or its letters."""


def walk(world: World, steps: int) -> RunId:
    """A run of so many steps, begun in process, each going on with the ticket of the last."""
    claim = world.held("n0/1")
    for number in range(1, steps):
        name = f"n{number}/1"
        world.step(claim, then=GoOn(activation=ActivationId(name)), delta=world.delta(name), output=b'{"n":1}')
        claim = gone_on(claim, name)
    world.step(claim, status=RunStatus.SUCCEEDED)
    return claim.run


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_hot_statement_finds_its_rows_by_an_index(opened_once: PostgresStores, name: str) -> None:
    sent = STATEMENTS[name]
    values = ", ".join(["NULL"] * len(sent.names))
    with opened_once.connections.lease() as link:
        link.connection.execute(f'PREPARE "{name}" AS '.encode() + sent.text, prepare=False)
        asked = f'EXPLAIN EXECUTE "{name}"' + (f"({values})" if values else "")
        plan = "\n".join(line for (line,) in link.connection.execute(asked.encode(), prepare=False))
    assert "Seq Scan" not in plan or name in READ_A_SMALL_TABLE, plan
    assert "Sort" not in plan or name in SORT_A_FEW, plan


def test_steps_are_updates_in_place(opened: PostgresStores, world: World, database: psycopg.Connection[Row]) -> None:
    walk(world, 501)
    with opened.connections.lease() as link:  # the one that everything was sent on
        link.connection.execute("SELECT pg_stat_force_next_flush()")
    found = database.execute(
        """SELECT relname, n_tup_upd, n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables
        WHERE relname IN ('runs', 'tickets') ORDER BY 1"""
    ).fetchall()
    # The end of a run leaves the index of the unfinished, so that one update is a move.
    assert found == [("runs", 501, 1), ("tickets", 500, 0)]


def test_ten_steps_are_eleven_transactions(stores: Stores, world: World, database: psycopg.Connection[Row]) -> None:
    walk(world, 2)
    first = database.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    for _ in range(20):
        walk(world, 10)
    last = database.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    assert first is not None
    assert last is not None
    # Entering the worker that the world makes for each run is the twelfth.
    assert last[0] - first[0] == 20 * 12


def test_ten_steps_write_little_log_and_keep_less(world: World, database: psycopg.Connection[Row]) -> None:
    walk(world, 10)
    database.execute("CHECKPOINT")
    for _ in range(100):
        walk(world, 10)

    def written() -> int:
        row = database.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
        assert row is not None
        return int(row[0])

    before = written()
    for _ in range(100):
        walk(world, 10)
    assert (written() - before) / 100 < 9 * 1024
    for _ in range(400):  # so many that the first page of each index weighs little
        walk(world, 10)
    database.execute("VACUUM")
    kept = database.execute(
        """SELECT sum(pg_total_relation_size(name::regclass))
        FROM unnest(ARRAY['runs', 'journal', 'tickets']) AS x (name)"""
    ).fetchone()
    assert kept is not None
    assert kept[0] / 601 < 4 * 1024


def test_the_last_step_of_a_long_run_reads_as_many_pages_as_its_first(opened: PostgresStores, world: World) -> None:
    claim = world.held("n0/1")

    def pages(claim: Claim) -> int:
        commit = world.commit(claim, then=GoOn(activation=ActivationId("x/1")))
        values = journal._values(commit)
        with opened.connections.lease() as link:
            sent = step(StepShape(Then.GO_ON))
            explained = Statement(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sent.text, sent.names)
            ((plan,),) = link.all(explained, values)
        used = plan[0]["Plan"]
        return int(used["Shared Hit Blocks"]) + int(used["Shared Read Blocks"])

    early = [pages(claim)]
    claim = gone_on(claim, "x/1")
    for number in range(300):
        world.step(claim, then=GoOn(activation=ActivationId(f"n{number}/1")))
        claim = gone_on(claim, f"n{number}/1")
    late = pages(claim)
    assert abs(late - early[0]) <= 8, (early, late)
