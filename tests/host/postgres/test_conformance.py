"""The ports on PostgreSQL keep the same contracts as those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from codemation.core.ports import Stores
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import PostgresStores, open_stores
from codemation.host.postgres.tables import metadata
from codemation.testing import conformance
from codemation.testing.conformance.machine import walk_at_random
from tests.host.postgres.clock import set_clock
from tests.host.postgres.server import Server


class Ground:
    """A database that is emptied instead of made anew, which would take most of the time."""

    def __init__(self, opened: PostgresStores, database: psycopg.Connection[Row]) -> None:
        self._opened = opened
        self._database = database
        self._passed = 0.0

    def empty(self) -> Stores:
        """Stores on the emptied database that remember nothing."""
        for table in reversed(metadata.sorted_tables):
            self._database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        self._database.execute("INSERT INTO lanes (id, queue, digest) VALUES (0, '', '')")
        if self._passed:
            self._passed = 0.0
            set_clock(self._database, 0.0)
        return PostgresStores(self._opened.connections).stores

    def pass_by(self, seconds: float) -> None:
        """Let seconds pass on the database's clock."""
        self._passed += seconds
        set_clock(self._database, self._passed)


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[Ground]:
    with (
        server.database("conformance") as url,
        open_stores(url) as opened,
        psycopg.connect(url, autocommit=True) as database,
    ):
        yield Ground(opened, database)


@pytest.fixture
def stores(ground: Ground) -> Stores:
    return ground.empty()


@pytest.fixture
def later(ground: Ground, stores: Stores) -> Callable[[float], None]:
    return ground.pass_by


def test_stores_and_model_agree_on_random_walks(ground: Ground) -> None:
    walk_at_random(lambda: (ground.empty(), ground.pass_by), walks=15, commands=30)


class TestJournal(conformance.JournalContract):
    """Runs and their journals."""


class TestCheckpoints(conformance.CheckpointsContract):
    """Where runs stood."""


class TestTickets(conformance.TicketsContract):
    """Live work."""


class TestShards(conformance.ShardsContract):
    """Parts of activations."""


class TestWorkers(conformance.WorkersContract):
    """Who lives."""


class TestPayloads(conformance.PayloadsContract):
    """Batches."""


class TestBlobs(conformance.BlobsContract):
    """Streams."""


class TestDeployments(conformance.DeploymentsContract): ...


class TestDefinitions(conformance.DefinitionsContract):
    """Definitions by digest."""


class TestInbox(conformance.InboxContract):
    """Signals from outside."""


class TestLogs(conformance.LogsContract):
    """What nodes print and log."""


class TestRecall(conformance.RecallContract): ...


class TestRunList(conformance.RunListContract):
    """The read side."""


class TestWaits(conformance.WaitsContract):
    """What activations wait for."""


class TestEvents(conformance.EventsContract):
    """Events from outside."""


class TestChildren(conformance.ChildrenContract):
    """Runs that other runs wait for."""


class TestPruning(conformance.PruningContract):
    """The end of what was kept."""


class TestDuties(conformance.DutiesContract):
    """What one process of all should do from time to time."""


class TestTurnstiles(conformance.TurnstilesContract): ...


class TestFollowUps(conformance.FollowUpsContract): ...


class TestRates(conformance.RatesContract): ...


class TestPools(conformance.PoolsContract): ...


class TestTokens(conformance.TokensContract): ...


class TestAudit(conformance.AuditContract): ...


class TestArmory(conformance.ArmoryContract): ...


class TestSchedules(conformance.SchedulesContract): ...


class TestFirings(conformance.FiringsContract): ...


class TestPolls(conformance.PollsContract): ...


class TestFeeds(conformance.FeedsContract): ...


class TestGauges(conformance.GaugesContract): ...
