"""Connections that are cut, or half open: nobody waits for ever for what does not come, and nothing is lost."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from redis import Redis

from codemation.core.states import FINISHED
from codemation.host.app import App
from tests.host.postgres.cable import Cable, cables
from tests.journeys.fleet import Fleet, Member, temporary_fleet
from tests.journeys.production import QUEUE
from tests.journeys.world import PATIENCE, within

SOON = 15.0
"""Seconds within which work goes on whose messages are lost; the net below them is 10 seconds wide."""
BACK = 60.0
"""Seconds within which a connection is there again."""
CLAIM = b"best AS MATERIALIZED"
"""The first claim of a worker has been carried out, and nobody hears what it has given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A fleet, and how its processes reach the servers."""

    fleet: Fleet
    database: Cable
    redis: Cable
    worker: Member

    @property
    def variables(self) -> dict[str, str]:
        """The settings of a process that reaches both by way of the cables."""
        return self.fleet.by_way_of(self.database, self.redis)


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    """A worker at the end of two cables."""
    with temporary_fleet() as fleet, cables(fleet.server.socket, ("127.0.0.1", fleet.redis.port)) as (database, redis):
        reach = Reach(fleet=fleet, database=database, redis=redis, worker=None)  # type: ignore[arg-type]
        worker = fleet.worker(**reach.variables)
        fleet.until_ready(worker)
        yield Reach(fleet=fleet, database=database, redis=redis, worker=worker)


@pytest.fixture
def app(reach: Reach) -> Iterator[App]:
    """The app that hands in runs; it reaches the servers itself."""
    with reach.fleet.open() as app:
        yield app
        assert app.stores.runs.unattended() == ()
        assert reach.worker.lives


def hears(fleet: Fleet) -> bool:
    """Whether a message that nobody needs is taken off the queue."""
    with Redis.from_url(fleet.redis.url) as redis:
        if not redis.llen(QUEUE):
            redis.lpush(QUEUE, "nothing")
        time.sleep(0.2)
        return not redis.llen(QUEUE)


@pytest.mark.parametrize("how", ["cut", "dark"])
def test_work_goes_on_without_the_messages_of_a_broken_connection_and_they_come_again(
    reach: Reach, app: App, how: str
) -> None:
    fleet = reach.fleet
    work = fleet.world.work()
    with fleet.world.braked() as brake:
        (held,) = fleet.submit(app, fleet.world.work(brake=brake), fleet.world.key())
        fleet.world.until_effects(1)
        assert reach.redis.cut() if how == "cut" else reach.redis.darken()
        handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(3)])
    for handle in (held, *handles):
        within(SOON, lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
    reach.redis.lighten()
    within(BACK, lambda: hears(fleet))
    handles += fleet.submit(app, work, fleet.world.key())
    handles[-1].wait(PATIENCE)
    fleet.world.judge(app, work, [held, *handles])


def test_a_database_to_which_all_connections_are_cut_again_and_again_is_worked_with_as_before(
    reach: Reach, app: App
) -> None:
    work = reach.fleet.world.work(pace=0.05)
    handles = reach.fleet.submit(app, work, *[reach.fleet.world.key() for _ in range(4)])
    for _ in range(10):
        reach.database.cut()
        time.sleep(0.15)  # long enough for connections that are in use
    for handle in handles:
        handle.wait(PATIENCE)
    reach.fleet.world.judge(app, work, handles)


def test_what_was_claimed_is_given_back_when_the_answer_to_the_claim_is_lost(reach: Reach) -> None:
    fleet, work = reach.fleet, reach.fleet.world.work()
    with Cable(fleet.server.socket) as cable, fleet.open() as app:
        told = threading.Event()
        url = cable.url(fleet.variables["CODEMATION_DATABASE_URL"])
        reach.worker.send(signal.SIGSTOP)
        (run,) = fleet.submit(app, work, fleet.world.key())
        cable.strike(CLAIM, told.set)
        worker = fleet.worker(pool="solo", CODEMATION_DATABASE_URL=url)
        assert told.wait(PATIENCE)
        within(SOON, lambda: run.status in FINISHED)
        assert "whose answers were lost" in worker.said()
        fleet.world.judge(app, work, [run])
        worker.kill()
        reach.worker.send(signal.SIGCONT)


def test_a_connection_to_the_database_that_is_half_open_is_given_up_and_the_work_goes_on(
    reach: Reach, app: App
) -> None:
    fleet, said = reach.fleet, len(reach.worker.said())
    with fleet.world.braked() as brake:
        work = fleet.world.work(brake=brake)
        before = len(fleet.world.effects_of("gather"))
        (run,) = fleet.submit(app, work, fleet.world.key())
        fleet.world.until_effects(before + 1, "gather")
        assert reach.database.darken()
    within(BACK, lambda: "the database does not answer" in reach.worker.said()[said:])
    reach.database.lighten()
    within(SOON, lambda: run.status in FINISHED)
    fleet.world.judge(app, work, [run])


def test_news_are_heard_again_over_connections_that_were_half_open(reach: Reach, app: App) -> None:
    fleet = reach.fleet
    webs = {
        "database": fleet.web(**reach.variables, CODEMATION_WAKE="postgres"),
        "Redis": fleet.web(**reach.variables, CODEMATION_WAKE="redis"),
    }
    with fleet.world.braked() as brake:
        work = fleet.world.work(brake=brake)
        (run,) = fleet.submit(app, work, fleet.world.key())
        streams = [
            httpx.stream("GET", f"{address(web)}/api/v1/runs/{run.id}/events", timeout=BACK) for web in webs.values()
        ]
        with streams[0] as first, streams[1] as second:
            assert first.status_code == second.status_code == 200
            within(PATIENCE, lambda: reach.database.darken(b"codemation listener") == 1)
            assert reach.redis.darken()
            for over, web in webs.items():
                within(BACK, lambda over=over, web=web: f"no news are heard over {over}" in web.said())  # type: ignore[misc]
            reach.database.lighten()
            reach.redis.lighten()
            for over, web in webs.items():
                within(BACK, lambda over=over, web=web: re.search(f"news are heard over {over}.* again", web.said()))  # type: ignore[misc]
            brake.unlink()
            for stream in (first, second):
                assert any("succeeded" in line for line in stream.iter_lines())
    fleet.world.judge(app, work, [run])
    for web in webs.values():
        web.kill()


def address(web: Member) -> str:
    """Where a web process is reached."""
    found: list[str] = []

    def is_said() -> bool:
        found[:] = re.findall(r"http://127\.0\.0\.1:\d+", web.said())
        return bool(found) and httpx.get(f"{found[0]}/readyz").status_code == 200

    within(PATIENCE, is_said)
    return found[0]
