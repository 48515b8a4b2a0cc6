"""Tables that are cut by time, by the statements that the documentation gives: the store keeps its contract on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from codemation.core.errors import UnknownRun
from codemation.core.ids import RunId
from codemation.core.ports import Stores
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import open_stores
from codemation.testing import conformance
from codemation.testing.conformance.pruning import ended
from codemation.testing.conformance.world import World
from tests.host.postgres.server import Server
from tests.host.postgres.test_conformance import Ground

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "partitions.md"
CUT, BEGIN, BEGIN_ONE, DROP, DROP_ONE = re.findall(
    r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
DAYS = ("2027-01-02", "2027-01-03")


def bound(number: int) -> str:
    """The moment that the ids of a world's runs reach with the `number`-th of them."""
    return datetime.fromtimestamp((number << 16) / 1000, UTC).isoformat()


def at(statements: str, *numbers: int) -> str:
    """The statements with the days of the page replaced by moments of a world."""
    for day, number in zip(DAYS, numbers, strict=False):
        statements = statements.replace(day, bound(number))
    return statements


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[Ground]:
    """A database whose tables are cut between the second and the third run of each test."""
    with (
        server.database("cut") as url,
        psycopg.connect(url, autocommit=True) as database,
    ):
        database.execute(at(CUT, 3))
        with open_stores(url, limit=8) as opened:
            yield Ground(opened, database)


@pytest.fixture
def stores(ground: Ground) -> Stores:
    return ground.empty()


@pytest.fixture
def later(ground: Ground, stores: Stores) -> Callable[[float], None]:
    return ground.pass_by


class TestJournal(conformance.JournalContract):
    """Runs and their journals."""


class TestCheckpoints(conformance.CheckpointsContract):
    """Where runs stood."""


class TestPayloads(conformance.PayloadsContract):
    """Batches."""


class TestLogs(conformance.LogsContract):
    """What nodes print and log."""


class TestPruning(conformance.PruningContract):
    """The end of what was kept, row by row."""


def rows(database: psycopg.Connection[Row], table: str) -> int:
    found = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]  # noqa: S608 - our own words
    assert found is not None
    return int(found[0])


def test_what_was_there_stays_and_a_piece_that_is_dropped_takes_with_it_all_but_what_must_stay(
    url: str, database: psycopg.Connection[Row]
) -> None:
    with open_stores(url) as opened:
        world = World(opened.stores)
        first = ended(world, retention={"succeeded": 60.0})
        before = opened.stores.journal.load(first)
    database.execute(at(CUT, 2))
    database.execute(BEGIN)
    database.execute(at(BEGIN_ONE, 2, 5))
    database.execute(DROP)
    with open_stores(url) as opened:
        stores, world.stores = opened.stores, opened.stores
        assert stores.journal.load(first) == before
        over = ended(world, retention={"succeeded": 60.0})
        kept = ended(world, retention={})
        running = world.start("a/1")
        late = ended(world, retention={"succeeded": 60.0})
        lent, mine = (stores.payloads.put(over, data, 1, "items") for data in (b"lent", b"mine"))
        stores.payloads.borrow(kept, over, [lent])
        assert pieces(database, over, first, late) == {"journal_20270102", "journal_old", "journal_rest"}
        database.execute(at(DROP_ONE, 2, 5))
        with pytest.raises(UnknownRun):
            stores.journal.load(over)
        for run in (first, kept, running, late):
            assert stores.journal.load(run)[1], run
        assert stores.payloads.get(kept, lent) == b"lent"
        assert rows(database, f"batches WHERE id = '{mine.ref[2:]}'") == 0
        assert rows(database, f"batches WHERE id = '{lent.ref[2:]}' AND home_run = '{kept}'") == 1
        assert rows(database, "journal_20270102") == rows(database, f"journal WHERE run_id IN ('{kept}', '{running}')")
        assert rows(database, "borrowed") == 1


def pieces(database: psycopg.Connection[Row], *runs: RunId) -> set[str]:
    """Where the journals of runs lie."""
    found = database.execute(
        "SELECT DISTINCT tableoid::regclass::text FROM journal WHERE run_id = ANY(%s::uuid[])", (list(runs),)
    )
    return {name for (name,) in found.fetchall()}


def test_a_step_and_the_reading_of_a_run_touch_one_piece(ground: Ground, database: psycopg.Connection[Row]) -> None:
    database.execute(at(CUT, 3))
    plan = database.execute(
        "EXPLAIN SELECT * FROM journal WHERE run_id = '00000002-0000-7000-8000-000000000000' AND revision > 3"
    ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "journal_old" in text
    assert "journal_rest" not in text
