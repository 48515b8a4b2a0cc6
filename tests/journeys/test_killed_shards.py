"""A process is killed while its shards are under way: those that have ended are not begun again, by whoever goes on."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from codemation.core.ids import RunId
from codemation.host.app import App
from tests.host.postgres.embedded.world import eventually
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.wire import Cut, wire
from tests.journeys.world import PATIENCE, Driver, World, repeats, seeded

MOMENTS = 4
SIZE = 16
LOGIN, QUESTIONS = 8, 80
"""Questions before the app is open, and about as many as a run asks that works in shards."""


def pressed(town: World) -> Counter[str]:
    """How often each piece was begun to be pressed."""
    return Counter(one.key for one in town.effects_of("press"))


def recorded(app: App, run: RunId) -> set[int]:
    """The pieces whose pressing is recorded while it is still under way in shards."""
    rows = [row for row in app.stores.runs.tickets(run) if row.shards is not None]
    chunks = [chunk for row in rows for chunk in app.stores.tickets.progress(row.id, row.activation)]
    return {number for chunk in chunks for number in chunk.items}


def reached(town: World, goal: int, driver: Driver) -> bool:
    """Whether so much has been done, or there was less to do, for most of it had been done before."""
    return len(effects(town.ledger)) >= goal or not driver.lives


@pytest.mark.parametrize("batch", range(2))
def test_wherever_a_process_is_killed_only_what_its_shards_have_not_recorded_is_done_again(
    town: World, app: App, batch: int
) -> None:
    chance = seeded(f"killed shards {batch}")
    for _ in range(MOMENTS):
        key, work = town.key(), town.work(size=SIZE, pace=0.02, sharded=True)
        for _ in range(chance.randint(1, 2)):
            goal = len(effects(town.ledger)) + chance.randint(1, SIZE)
            driver = town.start(work, key)
            eventually(partial(reached, town, goal, driver), within=PATIENCE)
            driver.kill()
        app.caretaker.recover()
        run = RunId(driver.told("begun")[0]["run"]) if driver.told("begun") else begun(app, work, key).id
        known, times = recorded(app, run), pressed(town)
        town.finish(app, work, key)
        after = pressed(town)
        keys = [f"{run}/press/1/{number}" for number in sorted(known)]
        again = [key for key in keys if after[key] > times[key]]
        assert not again, f"recorded, and done again: {again}"


def test_wherever_an_answer_is_lost_no_shard_counts_twice_and_nothing_is_done_again(town: World, app: App) -> None:
    chance = seeded("lost answers of shards")
    for _ in range(MOMENTS):
        numbers = chance.sample(range(LOGIN, QUESTIONS), chance.randint(2, 5))
        cuts = [Cut(number=number, when=chance.choice(["asked", "answered"])) for number in numbers]
        print(cuts, flush=True)  # noqa: T201 - shown when the test fails
        key, work = town.key(), town.work(size=SIZE, sharded=True)
        with town.project.open() as server, wire(town.socket, *cuts) as between:
            driver = town.start(work, key, url=between.url(server.url))
            driver.wait()
        assert driver.told("ended"), driver.said()
        (handle,) = town.finish(app, work, key)
        again = repeats([one for one in effects(town.ledger) if one.run == handle.id])
        assert not again, f"done again although nobody died: {again}"
