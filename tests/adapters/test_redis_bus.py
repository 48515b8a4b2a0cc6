"""The bus over Redis, on a server that is killed and started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from codemation.adapters.redis.bus import RedisCarrier
from codemation.adapters.redis.server import RedisServer
from codemation.core.ports import Bus
from codemation.host.bus.carried import CarriedBus
from codemation.testing import conformance
from codemation.testing.conformance.bus import heard, news


class KilledServer:
    """A Redis that is killed."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.url = server.url

    def stop(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)

    def start(self) -> None:
        self._server.start()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield KilledServer(server)


@pytest.fixture
def bus(broker: KilledServer) -> Iterator[Bus]:
    bus = CarriedBus(RedisCarrier(broker.url))
    yield bus
    bus.close()


@pytest.fixture
def another(broker: KilledServer) -> Iterator[Bus]:
    bus = CarriedBus(RedisCarrier(broker.url))
    yield bus
    bus.close()


class TestBus(conformance.BrokerContract): ...


def test_databases_of_one_server_do_not_hear_each_other(broker: KilledServer, bus: Bus) -> None:
    elsewhere = CarriedBus(RedisCarrier(broker.url.removesuffix("/0") + "/1"))
    with bus.subscribe() as here:
        elsewhere.publish(news(1))
        elsewhere.close()  # sends what there is
        bus.publish(news(2))
        assert list(heard(here, 2)) == [news(2)]
