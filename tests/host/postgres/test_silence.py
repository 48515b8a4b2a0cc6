"""A server that takes questions and answers none: whoever asks is told in time, however he asks."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from codemation.core.errors import StoreUnavailable
from codemation.host.bus.carrier import BrokerAway
from codemation.host.postgres.bus import PostgresCarrier
from codemation.host.postgres.connection import Connections, connection_string
from codemation.host.postgres.link import Link, Row
from codemation.host.postgres.silence import USUAL, answer_limit
from codemation.host.postgres.statements import statement
from codemation.host.runtime.pulse import HELPER
from tests.host.postgres.cable import Cable
from tests.host.postgres.embedded.world import eventually
from tests.host.postgres.server import Server

ONE = statement("SELECT 1")
WAYS: dict[str, Callable[[Link], object]] = {
    "a statement": lambda link: link.one(ONE, {}),
    "several as one": lambda link: link.together((ONE, {}), (ONE, {})),
    "a query": lambda link: link.ask(b"SELECT 1", {}),
    "a transaction": lambda link: link.connection.transaction().__enter__(),
}


@pytest.fixture
def cable(server: Server) -> Iterator[Cable]:
    with Cable(server.socket) as cable:
        yield cable


@pytest.fixture
def impatient(cable: Cable, url: str) -> str:
    """A URL by which a server may be silent for 0.3 seconds."""
    return f"{cable.url(url)}&options=-c%20statement_timeout%3D200ms"


@pytest.mark.parametrize("way", WAYS)
def test_whoever_asks_over_a_half_open_connection_is_told_in_time(cable: Cable, impatient: str, way: str) -> None:
    def ask() -> None:
        with connections.lease() as link:
            WAYS[way](link)

    with Connections(impatient, limit=1) as connections:
        with connections.lease() as link:
            link.one(ONE, {})
        assert cable.darken() == 1
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"it has not answered for 0\.3 seconds"):
            ask()
        assert time.monotonic() - began < 5
        cable.lighten()
        with connections.lease() as link:
            assert link.one(ONE, {}) == (1,)


def test_an_answer_that_takes_its_time_is_waited_for(cable: Cable, url: str) -> None:
    slow = f"{cable.url(url)}&options=-c%20statement_timeout%3D2s"
    with Connections(slow) as connections, connections.lease() as link:
        assert link.ask(b"SELECT 1 FROM pg_sleep(1)", {}) == [(1,)]


def test_a_listener_notices_that_its_connection_is_half_open(cable: Cable, impatient: str) -> None:
    line = PostgresCarrier(impatient).listen()
    assert line.receive(0.05) == []
    assert cable.darken(b"codemation listener") == 1
    with pytest.raises(BrokerAway, match="has not answered"):
        line.receive(0.05)
    line.close()


def test_what_is_said_while_a_listener_asks_is_heard(url: str, database: psycopg.Connection[Row]) -> None:
    line = PostgresCarrier(url).listen()
    heard: list[str] = []
    for number in range(200):
        database.execute("SELECT pg_notify('codemation_news', %s)", [f"{number}"])
        heard += line.receive(0)  # asks as often as not
    eventually(lambda: bool(heard.extend(line.receive(0.05)) or len(heard) == 200), within=10)
    assert heard == [f"{number}" for number in range(200)]
    line.close()


def test_the_helper_that_beats_reads_on_when_the_database_does_not_answer(
    cable: Cable, url: str, database: psycopg.Connection[Row]
) -> None:
    helper = subprocess.Popen([sys.executable, "-I", str(HELPER)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert helper.stdin is not None
    assert helper.stderr is not None
    os.write(helper.stdin.fileno(), f"u {cable.url(url)}\ne 0.1\nb {os.getpid()} 17\n".encode())
    os.set_blocking(helper.stderr.fileno(), False)
    _burn_until(lambda: _beats(database) == 1)
    assert cable.darken() == 1
    told = bytearray()
    _burn_until(lambda: told.extend(helper.stderr.read() or b"") or b"has not answered for 3 seconds" in told)  # type: ignore[union-attr]
    helper.stdin.close()
    helper.stderr.close()
    assert helper.wait(10) == 0


def _beats(database: psycopg.Connection[Row]) -> int:
    """How many sessions have beaten for a worker."""
    found = database.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE workers SET beat%'")
    return int(found.fetchall()[0][0])


def _burn_until(is_so: Callable[[], object]) -> None:
    """Use up processor time, which is what is beaten for, until something is so."""
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        sum(range(100_000))


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("", USUAL),
        ("-c statement_timeout=30s", 45),
        ("-c statement_timeout=30s -c statement_timeout=200", 0.3),
        ("-c statement_timeout=1min -c lock_timeout=1s", 90),
        ("-c statement_timeout='2 s'", 3),
        ("-c statement_timeout=0", math.inf),
    ],
)
def test_a_server_may_be_silent_for_longer_than_a_statement_may_take(options: str, seconds: float) -> None:
    assert answer_limit(psycopg.conninfo.make_conninfo("", options=options)) == pytest.approx(seconds)


def test_only_over_a_network_servers_are_asked_to_notice_that_a_client_is_gone() -> None:
    assert "tcp_user_timeout=20s" in connection_string("postgresql://db.example.org/x")
    assert "-c tcp_" not in connection_string("postgresql:///x?host=/run/postgresql")
    assert "-c tcp_" not in connection_string("postgresql://db.example.org/x", sets=False)
