"""Fault 11: the database's clock jumps by an hour, forwards and backwards, while runs go on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import psycopg
import pytest

from codemation.host.app import App
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.plant import expected
from tests.journeys.world import PATIENCE, World, repeats, seeded

JUMPS = 10
HOUR = 3600.0


def set_clock(url: str, seconds: float) -> None:
    """Let the database's clock go wrong by so much; every statement reads the time from this one function."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION now_() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            f"$$SELECT clock_timestamp() + {seconds:f} * interval '1 second'$$"
        )


@contextmanager
def jumping(town: World, chance: Random) -> Iterator[None]:
    """Jump a few times and stay ahead; right again at the end.

    A timer that is set while the clock is ahead is due by that clock. Were it put back before, the timer would come an
    hour late.
    """
    with town.project.open() as server:
        try:
            for _ in range(JUMPS):
                set_clock(server.url, chance.choice([-HOUR, 0.0, HOUR]))
                time.sleep(chance.uniform(0.0, 0.15))
            set_clock(server.url, HOUR)
            yield
        finally:
            set_clock(server.url, 0.0)


@pytest.mark.parametrize("batch", range(5))
def test_however_the_clock_jumps_nothing_healthy_is_taken_over_and_timers_fire_once(
    town: World, app: App, batch: int
) -> None:
    chance = seeded(f"clocks {batch}")
    keys = [town.key() for _ in range(4)]
    work = town.work(pace=0.05)
    drivers = [town.start(work, *keys[:2]), town.start(work, *keys[2:])]
    with jumping(town, chance):
        for driver in drivers:
            driver.wait()
            assert len(driver.told("ended")) == 2, driver.said()
    handles = [begun(app, work, key) for key in keys]
    for handle in handles:  # what was recorded when cannot be told by such a clock, so the other oracles judge
        handle.wait(PATIENCE)
        assert handle.output == expected(work.size)
    assert app.stores.runs.unattended() == ()
    runs = {handle.id for handle in handles}
    done = [one for one in effects(town.ledger) if one.run in runs]
    assert repeats(done) == {}, "somebody was taken for dead"
    workers = {one.run: {other.pid for other in done if other.run == one.run} for one in done}
    assert {len(pids) for pids in workers.values()} == {1}
    tries = Counter((one.run, one.attempt) for one in done if one.node == "send")
    assert set(tries.values()) == {1}, "a timer fired twice"
    assert {attempt for _, attempt in tries} == {1, 2}
