"""Fault 1: a client is killed in the middle of a node, before its commit, and between the commit and its answer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from codemation.host.app import App
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.wire import Cut, wire
from tests.journeys.world import PATIENCE, Driver, World, repeats, seeded, within

MOMENTS = 10
QUESTIONS = 50
"""About as many as a quiet run asks; later moments find a run that has ended, which is a moment too."""
LOGIN = 8
"""Questions before the app is open; without an answer to these it says that there is no database, and ends."""
EFFECTS = 9
"""What a quiet run does before its retry."""


def killed_in_a_node(town: World, chance: Random) -> str:
    key, before = town.key(), len(effects(town.ledger))
    driver = town.start(town.work(pace=0.02), key)
    town.until_effects(before + chance.randint(1, EFFECTS))
    driver.kill()
    return key


def killed_at_a_question(town: World, chance: Random, when: str) -> str:
    key, drivers = town.key(), list[Driver]()

    def strike() -> None:
        within(PATIENCE, lambda: bool(drivers))
        drivers[0].kill()

    number = chance.randint(1, QUESTIONS)
    cut = Cut(number=number, when="asked" if when == "asked" else "answered", strike=strike)
    with town.project.open() as server, wire(town.socket, cut) as between:
        drivers.append(town.start(town.work(), key, url=between.url(server.url)))
        drivers[0].wait()
        assert between.asked >= number or not drivers[0].was_killed, drivers[0].said()
    return key


KINDS: dict[str, Callable[[World, Random], str]] = {
    "in a node": killed_in_a_node,
    "asked": lambda town, chance: killed_at_a_question(town, chance, "asked"),
    "answered": lambda town, chance: killed_at_a_question(town, chance, "answered"),
}


@pytest.mark.parametrize("batch", range(5))
def test_wherever_a_client_is_killed_its_run_goes_on_with_what_is_left(town: World, app: App, batch: int) -> None:
    chance = seeded(f"killed clients {batch}")
    for _ in range(MOMENTS):
        kind = chance.choice(list(KINDS))
        key = KINDS[kind](town, chance)
        (handle,) = town.finish(app, town.work(pace=0.02 if kind == "in a node" else 0.0), key)
        again = repeats([one for one in effects(town.ledger) if one.run == handle.id])
        assert len({key.rpartition("/")[0] for key in again}) <= 2, f"more than was under way was done again: {again}"
        print(kind, handle.id, again, flush=True)  # noqa: T201 - shown when the test fails


@pytest.mark.parametrize("batch", range(2))
def test_wherever_an_answer_is_lost_nothing_counts_twice_and_the_client_goes_on(
    town: World, app: App, batch: int
) -> None:
    chance = seeded(f"lost answers {batch}")
    for _ in range(MOMENTS):
        numbers = chance.sample(range(LOGIN, QUESTIONS), chance.randint(1, 4))
        cuts = [Cut(number=number, when=chance.choice(["asked", "answered"])) for number in numbers]
        print(cuts, flush=True)  # noqa: T201 - shown when the test fails
        key = town.key()
        with town.project.open() as server, wire(town.socket, *cuts) as between:
            driver = town.start(town.work(), key, url=between.url(server.url))
            driver.wait()
        assert driver.told("ended"), driver.said()
        (handle,) = town.finish(app, town.work(), key)
        again = repeats([one for one in effects(town.ledger) if one.run == handle.id])
        assert not again, f"done again although nobody died: {again}"


def test_what_a_dead_process_held_is_free_at_once_where_it_died(town: World, app: App) -> None:
    key, before, work = town.key(), len(effects(town.ledger)), town.work(pace=30.0)
    driver = town.start(work, key)
    town.until_effects(before + 1)
    driver.kill()
    handle = begun(app, work, key)
    assert [row.worker for row in app.stores.runs.tickets(handle.id)] == [app.engine.worker]
    handle.cancel()


def test_finished_items_of_a_killed_node_are_not_worked_on_again(town: World, app: App) -> None:
    key, work = town.key(), town.work(size=200, pace=0.05)
    before = len(town.effects_of("press"))
    driver = town.start(work, key)
    town.until_effects(before + 100, "press")  # items are recorded once a second, which is every 40 of them
    driver.kill()
    (handle,) = town.finish(app, work, key)
    again = [key for key in repeats(effects(town.ledger)) if handle.id in key and "/press/" in key]
    assert 0 < len(again) < 80, f"{len(again)} of a good 100 items were worked on again"
