"""Hints on their way: as many as workers could hear, the last one in any case, and heard by whoever is free."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kombu.asynchronous import Hub
from redis import Redis

from codemation.adapters.celery.publishing import RedisHints
from codemation.adapters.celery.threads import TaskPool
from codemation.adapters.redis.server import RedisServer
from codemation.core.ids import TicketId
from codemation.core.ports import Hint
from tests.adapters.fleet import eventually

SLOTS = 2
ROOM = SLOTS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "redis") as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as redis:
        redis.flushdb()
        yield redis


@pytest.fixture
def hints(server: RedisServer, redis: Redis) -> Iterator[RedisHints]:
    hints = RedisHints(server.url, lambda queue: SLOTS)
    yield hints
    hints.close()


def test_a_full_queue_takes_no_more_and_the_next_hint_once_there_is_room(hints: RedisHints, redis: Redis) -> None:
    for number in range(50):
        hints.dispatch([Hint(ticket=TicketId(number + 1), queue="busy")])
    eventually(lambda: redis.llen("codemation.busy") == ROOM)
    for taken in range(1, 30):  # whoever takes one looks at the table, and must hear of what comes after that look
        redis.rpop("codemation.busy")
        hints.dispatch([Hint(ticket=TicketId(100 + taken), queue="busy")])
        eventually(lambda: redis.llen("codemation.busy") == ROOM)


def test_what_comes_for_another_queue_waits_for_no_full_one(hints: RedisHints, redis: Redis) -> None:
    for number in range(200):
        hints.dispatch(
            [Hint(ticket=TicketId(number + 1), queue="busy"), Hint(ticket=TicketId(1), queue=f"idle{number}")]
        )
    eventually(lambda: len(list(redis.scan_iter("codemation.idle*"))) == 200)
    assert redis.llen("codemation.busy") == ROOM


def test_what_is_gathered_when_it_ends_is_sent_still(server: RedisServer, redis: Redis) -> None:
    hints = RedisHints(server.url, lambda queue: SLOTS)
    hints.dispatch([Hint(ticket=TicketId(number + 1), queue="busy") for number in range(10)])
    eventually(lambda: redis.llen("codemation.busy") == ROOM)
    redis.delete("codemation.busy")
    hints.dispatch([Hint(ticket=TicketId(99), queue="busy")])
    hints.close()
    assert redis.llen("codemation.busy") == 1


def test_a_thread_that_is_done_lets_the_loop_fetch_the_next_hint_at_once() -> None:
    hub, pool, done = Hub(), TaskPool(1), list[int]()
    try:
        pool.register_with_event_loop(hub)
        loop = hub.create_loop()
        next(loop)
        for number in range(3):
            pool.on_apply(int, (number,), {}, done.append).get()
            eventually(lambda: bool(hub._ready))  # else it would sleep until its next timer
            next(loop)
            assert done == list(range(number + 1))
            assert not hub._ready
    finally:
        pool.on_stop()
        hub.close()
