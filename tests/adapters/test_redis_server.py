"""A Redis from a wheel, for rehearsals and tests."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
import redis

from codemation.adapters.redis.server import RedisServer
from codemation.core.errors import HostError


def test_it_serves_whoever_has_the_url_until_it_is_closed(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        client = redis.Redis.from_url(server.url)
        client.set("word", "kept")
        assert client.get("word") == b"kept"
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).get("word")
        client.close()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_its_password_is_for_its_starter_alone(tmp_path: Path) -> None:
    with RedisServer(tmp_path):
        assert stat.S_IMODE((tmp_path / "redis.conf").stat().st_mode) == 0o600


def test_it_starts_again_on_its_port_and_is_empty(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        port = server.port
        with redis.Redis.from_url(server.url) as client:
            client.set("word", "lost")
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("word") is None
        assert server.port == port


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "first") as first,
        pytest.raises(HostError, match="does not start on port"),
    ):
        RedisServer(tmp_path / "second", port=first.port)
