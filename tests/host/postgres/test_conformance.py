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
from codemation.testing.conformance.journal import JournalContract
from codemation.testing.conformance.tickets import TicketsContract
from tests.host.postgres.clock import set_clock
from tests.host.postgres.server import Server

KEPT = frozenset({"definitions", "lanes"})
"""What stores remember and nobody ever deletes."""


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[tuple[PostgresStores, psycopg.Connection[Row]]]:
    """Stores for all of these tests, and a connection past them; a database for each would take most of the time."""
    with (
        server.database("conformance") as url,
        open_stores(url) as opened,
        psycopg.connect(url, autocommit=True) as database,
    ):
        yield opened, database


@pytest.fixture
def stores(shared: tuple[PostgresStores, psycopg.Connection[Row]]) -> Iterator[Stores]:
    opened, database = shared
    yield opened.stores
    for table in reversed(metadata.sorted_tables):
        if table.name not in KEPT:
            database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))


@pytest.fixture
def later(shared: tuple[PostgresStores, psycopg.Connection[Row]]) -> Iterator[Callable[[float], None]]:
    """Lets seconds pass on the database's clock."""
    passed = [0.0]

    def pass_by(seconds: float) -> None:
        passed[0] += seconds
        set_clock(shared[1], passed[0])

    yield pass_by
    set_clock(shared[1], 0.0)


class TestJournal(JournalContract):
    """Runs and their journals."""


class TestTickets(TicketsContract):
    """Live work."""
