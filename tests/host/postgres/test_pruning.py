"""Pruning on a real server: against whoever borrows or reopens at the same moment, and what it leaves behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from codemation.core.errors import PayloadLost
from codemation.core.ids import RunId
from codemation.core.ports import Reopening, Stores
from codemation.core.states import RunStatus
from codemation.host.directory_blobs import DirectoryBlobs
from codemation.host.postgres.link import Row
from codemation.host.postgres.payloads import INLINE_LIMIT
from codemation.host.postgres.stores import PostgresStores, open_stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.pruning import ended
from codemation.testing.conformance.world import World
from tests.host.postgres.clock import set_clock

MOMENTS = random.Random(23)  # noqa: S311 - pauses, not secrets
DAY = 86400.0


def after_a_moment(job: Callable[[], object], longest: float = 0.004) -> Callable[[], object]:
    pause = MOMENTS.random() * longest

    def later() -> object:
        time.sleep(pause)
        return job()

    return later


def test_a_replay_that_races_the_pruner_has_what_it_borrowed_or_is_told_that_it_is_gone(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    borrowed = refused = 0
    for turn in range(120):
        source, replay = ended(world, retention={"succeeded": 0.0}), world.run_id()
        batch = stores.payloads.put(source, b"12345", 1, "items")

        def borrow(replay: RunId = replay, source: RunId = source, batch: object = batch) -> bool:
            try:
                stores.payloads.borrow(replay, source, [batch])  # type: ignore[list-item]
            except PayloadLost:
                return False
            return True

        has, _ = together(after_a_moment(borrow), after_a_moment(stores.pruning.prune))
        if has:
            borrowed += 1
            assert stores.payloads.get(replay, batch) == b"12345", f"turn {turn}: it had borrowed a batch that is gone"
            homes = database.execute("SELECT home_run::text FROM batches").fetchall()
            assert homes in ([(replay,)], [(source,)])
        else:
            refused += 1
            assert database.execute("SELECT count(*) FROM borrowed").fetchone() == (0,)
        database.execute("DELETE FROM borrowed")
        database.execute("DELETE FROM batches")
    assert borrowed, "nobody ever borrowed in time"
    assert refused, "the pruner was never faster"


def test_a_resume_that_races_the_pruner_goes_on_whole_or_not_at_all(stores: Stores, world: World) -> None:
    went_on = 0
    for _ in range(80):
        run = ended(world, RunStatus.FAILED, retention={"failed": 0.0})
        row, tickets = world.row(run), world.tickets("a/1")
        reopening = Reopening(
            run=run,
            revision=row.revision,
            head=row.head,
            new_head=world.head(),
            delta=world.delta("a/1"),
            digest=row.digest,
            tickets=tickets,
        )
        reopened, _ = together(
            after_a_moment(lambda reopening=reopening: stores.journal.reopen(reopening)),  # type: ignore[misc]
            after_a_moment(stores.pruning.prune),
        )
        if reopened:
            went_on += 1
            _, entries = stores.journal.load(run)
            assert [entry.revision for entry in entries] == [1, 2, 3]
            assert [ticket.state for ticket in stores.runs.tickets(run)] == ["ready"]
        else:
            assert stores.runs.find(run) == ()
            assert stores.runs.tickets(run) == ()
    assert went_on > 0


def test_a_child_goes_after_its_parent(stores: Stores, world: World, database: psycopg.Connection[Row]) -> None:
    parent = ended(world, RunStatus.FAILED)
    child, grandchild = ended(world), ended(world)
    for run, above in ((child, parent), (grandchild, child)):
        database.execute("UPDATE runs SET parent_run = %s WHERE id = %s", [above, run])
    set_clock(database, 500.0)
    assert stores.pruning.outdated() == ()
    assert stores.pruning.prune() == 0
    set_clock(database, 1001.0)
    assert sum(one.runs for one in stores.pruning.outdated()) == 3
    assert [stores.pruning.prune() for _ in range(4)] == [1, 1, 1, 0]


def test_long_runs_are_deleted_few_at_once(stores: Stores, world: World, database: psycopg.Connection[Row]) -> None:
    for _ in range(4):
        ended(world)
    database.execute("UPDATE runs SET revision = 15000")
    set_clock(database, 101.0)
    assert [stores.pruning.prune() for _ in range(3)] == [2, 2, 0]


def test_nothing_of_a_pruned_run_is_left_in_any_table(
    stores: Stores, world: World, database: psycopg.Connection[Row]
) -> None:
    run = ended(world, key="k", key_age=50.0)
    stores.payloads.put(run, b"1" * (INLINE_LIMIT + 1), 1, "items")
    database.execute("INSERT INTO checkpoints VALUES (%s, 1, '')", [run])
    for passed in (101.0, 101.0 + DAY + 1, 101.0 + DAY + 3700):
        set_clock(database, passed)
        stores.pruning.prune()
        stores.pruning.sweep()
    for table in ("runs", "journal", "checkpoints", "tickets", "batches", "run_keys", "blobs", "blob_chunks", "logs"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # noqa: S608


@pytest.mark.parametrize("place", ["rows", "directory"])
def test_large_payloads_are_given_up_after_a_day_and_their_bytes_deleted_an_hour_later(
    url: str, database: psycopg.Connection[Row], tmp_path: Path, place: str
) -> None:
    with ExitStack() as stack:
        blobs = DirectoryBlobs(tmp_path) if place == "directory" else None
        opened: PostgresStores = stack.enter_context(open_stores(url, blobs=blobs))
        world = World(opened.stores)
        run = ended(world)
        batch = opened.stores.payloads.put(run, b"1" * (INLINE_LIMIT + 1), 1, "items")
        kept = opened.stores.payloads.put(world.start("a/1"), b"2" * (INLINE_LIMIT + 1), 1, "items")
        (name,) = database.execute("SELECT blob::text FROM batches WHERE home_run = %s", [run]).fetchall()[0]
        set_clock(database, DAY - 100)
        assert opened.stores.pruning.prune() == 1
        opened.stores.pruning.sweep()
        opened.blobs.open(name).close()  # whoever reads it now can read on
        set_clock(database, DAY + 100)
        assert opened.stores.pruning.sweep().blobs == 0
        set_clock(database, DAY + 3800)
        assert opened.stores.pruning.sweep().blobs == 1
        with pytest.raises(PayloadLost):
            opened.blobs.open(name)
        with pytest.raises(PayloadLost):
            opened.stores.payloads.get(run, batch)
        assert len(opened.stores.payloads.get(run, kept)) == INLINE_LIMIT + 1
        assert sum(1 for file in tmp_path.rglob("*") if file.is_file()) == (1 if blobs else 0)
