"""One server for each process of the test run, one database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from codemation.core.ports import Stores
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import PostgresStores, open_stores
from codemation.testing.conformance.world import World
from tests.host.postgres.server import Server, running_server

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running server."""
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    """The URL of an empty, migrated database."""
    with server.database(f"test_{next(_numbers)}") as url:
        yield url


@pytest.fixture
def opened(url: str) -> Iterator[PostgresStores]:
    """The stores of that database."""
    with open_stores(url) as opened:
        yield opened


@pytest.fixture
def stores(opened: PostgresStores) -> Stores:
    """Its ports."""
    return opened.stores


@pytest.fixture
def world(stores: Stores) -> World:
    """Workers, runs and claims on those ports."""
    return World(stores)


@pytest.fixture
def database(url: str) -> Iterator[psycopg.Connection[Row]]:
    """A connection of the test's own, past all adapters."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def opened_once(server: Server) -> Iterator[PostgresStores]:
    """Stores for all tests of a module that change nothing."""
    with server.database(f"module_{next(_numbers)}") as url, open_stores(url) as opened:
        yield opened
