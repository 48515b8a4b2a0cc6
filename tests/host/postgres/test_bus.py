"""The bus over PostgreSQL, on a server that is stopped and started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from codemation.core.ports import Bus
from codemation.host.bus.carried import CarriedBus
from codemation.host.postgres.bus import PostgresCarrier
from codemation.testing import conformance
from codemation.testing.conformance.bus import heard, news
from tests.host.postgres.embedded.world import REPOSITORY
from tests.host.postgres.server import Server, running_server


class StoppedServer:
    """A server that ends as if it had been killed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url("migrated")

    def stop(self) -> None:
        self._server.stop("immediate")

    def start(self) -> None:
        self._server.start()


@pytest.fixture(scope="module")
def broker() -> Iterator[StoppedServer]:
    with running_server() as server:
        yield StoppedServer(server)


@pytest.fixture
def bus(broker: StoppedServer) -> Iterator[Bus]:
    bus = CarriedBus(PostgresCarrier(broker.url))
    yield bus
    bus.close()


@pytest.fixture
def another(broker: StoppedServer) -> Iterator[Bus]:
    bus = CarriedBus(PostgresCarrier(broker.url))
    yield bus
    bus.close()


class TestBus(conformance.BrokerContract): ...


def test_nothing_is_notified_where_nobody_listens(broker: StoppedServer, bus: Bus, another: Bus) -> None:
    carrier = PostgresCarrier(broker.url)
    assert not carrier.send(['[["r",1,"",""]]'])
    with another.subscribe():
        assert carrier.send(['[["r",1,"",""]]'])
    carrier.rest()


def test_what_others_say_on_the_channel_harms_nobody(broker: StoppedServer, bus: Bus, another: Bus) -> None:
    with another.subscribe() as there, psycopg.connect(broker.url, autocommit=True) as stranger:
        for message in ("", "garbage", "[1]", '[["r"]]', '{"a": 1}', "[[[[", '[["r", "x", "", ""]]'):
            stranger.execute("SELECT pg_notify('codemation_news', %s)", [message])
        bus.publish(news(1))
        assert list(heard(there, 1)) == [news(1)]


PUBLISHER = """
import sys
from codemation.host.bus.carried import CarriedBus
from codemation.host.postgres.bus import PostgresCarrier
from codemation.testing.conformance.bus import news
bus = CarriedBus(PostgresCarrier(sys.argv[1]))
for revision in range(1, 4):
    bus.publish(news(revision))
bus.close()
"""


def test_another_process_is_heard(broker: StoppedServer, bus: Bus) -> None:
    with bus.subscribe() as here:
        subprocess.run([sys.executable, "-c", PUBLISHER, broker.url], check=True, cwd=REPOSITORY)
        assert list(heard(here, 3))[-1] == news(3)
