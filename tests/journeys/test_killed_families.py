"""A client is killed while runs let other runs work: between a wait and the start of its child, and anywhere else."""

from __future__ import annotations

from random import Random

import pytest

from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.journeys.company import judge_children
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.plant import expected
from tests.journeys.wire import Cut, wire
from tests.journeys.world import PATIENCE, Driver, World, seeded, within

MOMENTS = 6
QUESTIONS = 130
"""About as many as a quiet run with its children asks."""


def killed_at_a_question(town: World, chance: Random, when: str) -> str:
    """The key of a run whose client was killed when it had asked something, or was about to be answered."""
    key, drivers = town.key(), list[Driver]()

    def strike() -> None:
        within(PATIENCE, lambda: bool(drivers))
        drivers[0].kill()

    number = chance.randint(10, QUESTIONS)
    cut = Cut(number=number, when="asked" if when == "asked" else "answered", strike=strike)
    with town.project.open() as server, wire(town.socket, cut) as between:
        drivers.append(town.start(town.work(nested=True), key, url=between.url(server.url)))
        drivers[0].wait()
    return key


def judge(town: World, app: App, handle: RunHandle) -> None:
    """The right answer, a child for each piece and none beside them, each told of once, and nobody is stuck."""
    size = town.work().size
    assert handle.output == expected(size)
    judge_children(handle, size, effects(town.ledger))
    assert app.stores.children.wanted() == app.stores.children.unwanted() == ()
    assert app.stores.runs.unattended() == ()


@pytest.mark.parametrize("batch", range(3))
def test_wherever_a_client_is_killed_no_child_is_lost_or_started_twice(town: World, app: App, batch: int) -> None:
    chance = seeded(f"killed families {batch}")
    for _ in range(MOMENTS):
        when = chance.choice(["asked", "answered"])
        key = killed_at_a_question(town, chance, when)
        handle = begun(app, town.work(nested=True), key)
        print(when, handle.id, len(handle.children), flush=True)  # noqa: T201 - shown when the test fails
        handle.wait(PATIENCE)
        judge(town, app, handle)


def test_a_client_that_is_killed_in_a_node_of_a_child_leaves_both_runs_to_the_next(town: World, app: App) -> None:
    key, before = town.key(), len(town.effects_of("press"))
    driver = town.start(town.work(nested=True, pace=0.3), key)
    town.until_effects(before + 2, "press")
    driver.kill()
    handle = begun(app, town.work(nested=True, pace=0.3), key)
    assert handle.status == "waiting"
    handle.wait(PATIENCE)
    judge(town, app, handle)


def test_a_cancel_from_another_process_stops_the_children_too(town: World, app: App) -> None:
    before = len(town.effects_of("press"))
    driver = town.start(town.work(nested=True, pace=1.0), town.key())
    town.until_effects(before + 1, "press")
    handle = app.attach(driver.told("begun")[0]["run"])
    children = handle.children
    handle.cancel()
    assert [app.attach(run.id).status for run in (handle, *children)] == ["cancelled"] * (len(children) + 1)
    driver.wait()
    assert app.stores.runs.unattended() == ()
