"""Fault 1: a client is killed in the middle of a node, before its commit, and between the commit and its answer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from codemation.host.app import App
from tests.journeys.ledger import effects
from tests.journeys.wire import Cut, wire
from tests.journeys.world import PATIENCE, Driver, World, repeats, seeded, within

MOMENTS = 10
QUESTIONS = 60
"""About as many as a quiet run asks; later moments find a run that has ended, which is a moment too."""
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
    with town.project.open() as server, wire(town.project.home.folder / "socket" / ".s.PGSQL.5432", cut) as between:
        drivers.append(town.start(town.work(), key, url=between.url(server.url)))
        drivers[0].wait()
        assert drivers[0].was_killed == (between.asked >= number), drivers[0].said()
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
