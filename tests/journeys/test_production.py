"""The faults of a fleet, with real workers, a real Redis and a PostgreSQL that can be killed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from redis import Redis

from codemation.core.ids import RunId
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from tests.journeys.fleet import Fleet, Member, temporary_fleet, why
from tests.journeys.ledger import effects
from tests.journeys.production import GARBAGE, QUEUE, production
from tests.journeys.world import PATIENCE, repeats, within

SOON = 15.0
"""Seconds within which somebody else has taken over; the machine may be busy."""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Two workers of two processes each, for all tests that leave somebody alive."""
    with temporary_fleet() as fleet:
        fleet.until_ready(fleet.worker(), fleet.worker(pool="threads"))
        yield fleet


@pytest.fixture
def app(fleet: Fleet) -> Iterator[App]:
    """The app that hands in runs; the fleet is as it was when a test begins."""
    for pool in ("prefork", "threads")[len(living(fleet)) :]:
        fleet.until_ready(fleet.worker(pool=pool))
    with fleet.open() as app:
        yield app
        assert app.stores.runs.unattended() == ()


def living(fleet: Fleet) -> list[Member]:
    """Those who work when a test begins."""
    return [member for member in fleet.members if member.lives]


def holder_of(fleet: Fleet, app: App, run: RunId) -> Member:
    """The member that works on a run."""
    found: list[Member] = []

    def is_held() -> bool:
        pids = {one.pid for one in effects(fleet.world.ledger) if one.run == run}
        found[:] = [member for member in fleet.members if pids & {one.pid for one in member.family()}]
        return bool(found)

    within(PATIENCE, is_held)
    return found[0]


def test_a_worker_that_is_killed_in_a_node_is_replaced_by_any_other_and_nothing_is_done_twice_that_was_recorded(
    fleet: Fleet, app: App
) -> None:
    with fleet.world.braked() as brake:
        work = fleet.world.work(brake=brake)
        (run,) = fleet.submit(app, work, fleet.world.key())
        victim = holder_of(fleet, app, run.id)
        victim.kill()
    within(SOON, lambda: app.attach(run.id).status in FINISHED)
    fleet.world.judge(app, work, [app.attach(run.id)])
    done = [one for one in effects(fleet.world.ledger) if one.run == run.id]
    assert len({one.pid for one in done}) >= 2
    assert sum(repeats(done).values()) <= 1


def test_a_frozen_worker_is_taken_over_and_what_it_says_late_is_refused(fleet: Fleet, app: App) -> None:
    with fleet.world.braked() as brake:
        work = fleet.world.work(brake=brake)
        (run,) = fleet.submit(app, work, fleet.world.key())
        frozen = holder_of(fleet, app, run.id)
        frozen.send(signal.SIGSTOP)
    within(SOON, lambda: app.attach(run.id).status in FINISHED)
    frozen.send(signal.SIGCONT)
    again = fleet.submit(app, fleet.world.work(), *[fleet.world.key() for _ in range(6)])
    for handle in again:
        handle.wait(PATIENCE)
    fleet.world.judge(app, work, [app.attach(run.id)])
    fleet.world.judge(app, fleet.world.work(), again)
    assert frozen.lives


def test_messages_that_come_ten_times_in_any_order_with_garbage_between_them_start_nothing_twice(
    fleet: Fleet, app: App
) -> None:
    work, crew = fleet.world.work(), living(fleet)
    with Redis.from_url(fleet.redis.url) as redis:
        for round_ in range(3):
            handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(4)])
            messages = redis.lrange(QUEUE, 0, -1) * 10
            ghost = json.dumps([[2**62 - round_], {}, {}])
            redis.lpush(QUEUE, *GARBAGE, *reversed(messages), ghost)
            for handle in handles:
                handle.wait(PATIENCE)
            fleet.world.judge(app, work, handles)
        within(PATIENCE, lambda: redis.llen(QUEUE) == 0)
    runs = {handle.id for handle in handles}
    assert repeats([one for one in effects(fleet.world.ledger) if one.run in runs]) == {}
    assert all(member.lives for member in crew)


def test_work_that_redis_has_forgotten_is_found_in_the_table(fleet: Fleet, app: App) -> None:
    work = fleet.world.work(pace=0.02)
    psutil.Process(fleet.redis.pid).kill()
    handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(5)])
    for handle in handles:
        handle.wait(PATIENCE)
    fleet.redis.start()
    with Redis.from_url(fleet.redis.url) as redis:
        more = fleet.submit(app, work, *[fleet.world.key() for _ in range(5)])
        redis.flushall()
    for handle in more:
        handle.wait(PATIENCE)
    fleet.world.judge(app, work, [*handles, *more])


def test_a_redis_without_memory_ends_no_worker_and_what_is_due_is_found_in_the_table(fleet: Fleet, app: App) -> None:
    work, crew = fleet.world.work(), living(fleet)
    with Redis.from_url(fleet.redis.url) as redis:
        with fleet.world.braked() as brake:
            slow = fleet.world.work(brake=brake)
            held = fleet.submit(app, slow, *[fleet.world.key() for _ in range(8)])
            within(PATIENCE, lambda: redis.llen(QUEUE) > 0)  # more than they do at a time: hints lie there
            redis.config_set("maxmemory", 1)  # and the policy is that nothing is thrown away
        fleet.submit(app, work, fleet.world.key())
        began = time.monotonic()
        handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(4)])
        for handle in (*held, *handles):
            within(SOON, lambda handle=handle: handle.status in FINISHED)  # type: ignore[misc]
        assert time.monotonic() - began < SOON
        late = fleet.worker(pool="solo")
        fleet.until_ready(late)
        redis.config_set("maxmemory", 0)
        within(PATIENCE, lambda: not _lies(redis))
        handles += fleet.submit(app, work, fleet.world.key())
        handles[-1].wait(PATIENCE)
    fleet.world.judge(app, work, [*held, *handles])
    assert all(member.lives for member in [*crew, late])
    late.kill()


def _lies(redis: Redis) -> bool:
    """Whether a message that nobody needs stays where it is."""
    if not redis.llen(QUEUE):
        redis.lpush(QUEUE, "nothing")
    time.sleep(0.2)
    return bool(redis.llen(QUEUE))


def test_a_database_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(fleet: Fleet, app: App) -> None:
    work, crew = fleet.world.work(pace=0.05), living(fleet)
    handles = fleet.submit(app, work, *[fleet.world.key() for _ in range(6)])
    for away in (0.0, 1.0, 3.0):
        fleet.server.stop("immediate")
        time.sleep(away)  # how long it is away is what this is about
        fleet.server.start()
        handles += fleet.submit(app, work, fleet.world.key())
    for handle in handles:
        handle.wait(PATIENCE)
    fleet.world.judge(app, work, handles)
    assert all(member.lives for member in crew)


def test_a_worker_that_is_told_to_stop_gives_its_work_back_and_exits_well(fleet: Fleet, app: App) -> None:
    with fleet.world.braked() as brake:
        work = fleet.world.work(brake=brake)
        (run,) = fleet.submit(app, work, fleet.world.key())
        leaving = holder_of(fleet, app, run.id)
        leaving.send(signal.SIGTERM, all_of_it=False)
        within(PATIENCE, lambda: "Warm shutdown" in leaving.said() or not leaving.lives)
        leaving.send(signal.SIGTERM, all_of_it=False)
        assert leaving.wait() == 0
    within(SOON, lambda: app.attach(run.id).status in FINISHED)
    fleet.world.judge(app, work, [app.attach(run.id)])


def test_poison_is_taken_out_of_service_and_others_go_on(fleet: Fleet, app: App) -> None:
    doom = fleet.world.root / "doom"
    doom.touch()
    (poison,) = fleet.submit(app, fleet.world.work(doom=doom), fleet.world.key())
    work = fleet.world.work()
    others = fleet.submit(app, work, *[fleet.world.key() for _ in range(4)])
    survivor = fleet.worker()
    within(PATIENCE, lambda: _served(fleet, app, poison.id))
    assert app.attach(poison.id).status is RunStatus.FAILED
    assert "the process that worked on it died 3 times" in why(app.attach(poison.id))
    for handle in others:
        handle.wait(PATIENCE)
    fleet.world.judge(app, work, others)
    doom.unlink()
    fleet.until_ready(survivor)


def _served(fleet: Fleet, app: App, run: RunId) -> bool:
    """Whether a run is over, with somebody who starts a worker where one has died."""
    if sum(member.lives for member in fleet.members) < 2:
        fleet.worker()
    return app.attach(run).status in FINISHED


def test_whatever_happens_to_a_fleet_every_run_comes_to_its_right_end() -> None:
    done = production(5.0, pauses=10)
    assert done["runs"] > 0
    assert done["pauses"] > 0
