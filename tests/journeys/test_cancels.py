"""Fault 18: a run is cancelled in every state, from here and elsewhere; it has one end, and nothing more starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from codemation.core.errors import RunCancelled
from codemation.core.facts import Ended, decode_delta
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from tests.journeys.ledger import effects
from tests.journeys.plant import patient, plant
from tests.journeys.world import Driver, World, seeded, within

BOUND = 15.0
"""Seconds within which a run has its end after a cancel, once its nodes have noticed."""


def ends(app: App, run: RunId) -> list[RunStatus]:
    """Every end that the journal of a run tells of."""
    _, entries = app.stores.journal.load(run)
    return [fact.status for entry in entries for fact in decode_delta(entry.delta) if isinstance(fact, Ended)]


def has_begun(driver: Driver) -> bool:
    """Whether the run of a driver is durable."""
    return bool(driver.told("begun"))


def is_over(app: App, run: RunId) -> bool:
    """Whether a run has its end."""
    return app.attach(run).status in FINISHED


def judged(app: App, run: RunId) -> None:
    """It is cancelled, once, and nothing of it is left."""
    within(BOUND, partial(is_over, app, run))
    assert app.attach(run).status is RunStatus.CANCELLED
    assert ends(app, run) == [RunStatus.CANCELLED]
    assert app.stores.runs.tickets(run) == ()
    assert app.stores.runs.unattended() == ()


def of(town: World, run: RunId) -> int:
    """How much a run has done so far."""
    return sum(one.run == run for one in effects(town.ledger))


def run_of(driver: Driver) -> RunId:
    """The run that a driver works on."""
    return RunId(driver.told("begun")[0]["run"])


def test_a_run_that_nobody_has_begun_to_work_on_is_cancelled_at_once(town: World, app: App) -> None:
    handle = app.launch(Launch(workflow=plant, params=town.work()))
    handle.cancel()
    judged(app, handle.id)
    with pytest.raises(RunCancelled):
        handle.wait()
    assert of(town, handle.id) == 0


@pytest.mark.parametrize(
    ("begun_calls", "deaf"),
    [(1, False), (2, False), (6, False), (2, True)],
    ids=["gather", "press", "weigh and count", "deaf press"],
)
def test_a_run_is_cancelled_while_another_process_works_on_it(
    town: World, app: App, begun_calls: int, deaf: bool
) -> None:
    before = len(effects(town.ledger))
    with town.braked() as brake:
        driver = town.start(town.work(brake=brake, deaf=deaf, lift=begun_calls - 1), town.key())
        town.until_effects(before + begun_calls)
        run = run_of(driver)
        app.cancel(run, who="the test", reason="enough")
        if deaf:
            assert app.attach(run).status not in FINISHED
    judged(app, run)
    assert app.attach(run).reason == "enough"
    driver.wait()
    assert driver.told("refused")[0]["refused"] == "RunCancelled"
    nodes = {one.node for one in effects(town.ledger) if one.run == run}
    assert not nodes & {"combine", "send"}


def test_a_run_that_waits_for_a_retry_is_cancelled_at_once(town: World, app: App) -> None:
    handle = app.launch(Launch(workflow=patient, params=town.work())).serve()
    within(BOUND, lambda: app.attach(handle.id).status is RunStatus.WAITING)
    handle.cancel()
    judged(app, handle.id)


def test_a_run_whose_process_was_killed_is_cancelled_at_once(town: World, app: App) -> None:
    before = len(effects(town.ledger))
    with town.braked() as brake:
        driver = town.start(town.work(brake=brake), town.key())
        town.until_effects(before + 1)
        driver.kill()
        app.cancel(run_of(driver))
        judged(app, run_of(driver))


def test_a_cancel_by_somebody_who_is_killed_is_finished_by_who_works_on_the_run(town: World, app: App) -> None:
    before = len(effects(town.ledger))
    with town.braked() as brake:
        driver = town.start(town.work(brake=brake), town.key())
        town.until_effects(before + 1)
        app.engine.cancel(run_of(driver), reason="and away")
        driver.wait()
    judged(app, run_of(driver))


def test_a_cancel_of_what_is_over_changes_nothing(town: World, app: App) -> None:
    (handle,) = town.finish(app, town.work(), town.key())
    revision = handle.revision
    handle.cancel()
    assert (handle.status, app.attach(handle.id).revision) == (RunStatus.SUCCEEDED, revision)


def test_a_cancelled_run_goes_on_when_somebody_resumes_it(town: World, app: App) -> None:
    key, before = town.key(), len(effects(town.ledger))
    with town.braked() as brake:
        work = town.work(brake=brake, lift=1)
        driver = town.start(work, key)
        town.until_effects(before + 3)
        app.cancel(run_of(driver))
        driver.wait()
    judged(app, run_of(driver))
    app.resume(run_of(driver), plant).wait()
    town.finish(app, work, key)
    assert sum(one.node == "gather" for one in effects(town.ledger)[before:]) == 1


def cancel_here(app: App, _town: World, run: RunId) -> None:
    app.cancel(run)


def cancel_twice_at_once(app: App, town: World, run: RunId) -> None:
    with town.open() as other, ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(one.cancel, run) for one in (app, other)]:
            each.result()


WAYS: list[Callable[[App, World, RunId], None]] = [cancel_here, cancel_twice_at_once]


@pytest.mark.parametrize("batch", range(2))
def test_whenever_a_run_is_cancelled_it_has_one_end_and_nothing_starts_after(town: World, app: App, batch: int) -> None:
    chance = seeded(f"cancels {batch}")
    for _ in range(6):
        driver = town.start(town.work(pace=0.03), town.key())
        within(BOUND, partial(has_begun, driver))
        run = run_of(driver)
        time.sleep(chance.uniform(0.0, 0.3))
        chance.choice(WAYS)(app, town, run)
        within(BOUND, partial(is_over, app, run))
        done = of(town, run)
        driver.wait()
        assert of(town, run) == done
        assert ends(app, run) in ([RunStatus.CANCELLED], [RunStatus.SUCCEEDED])
        assert app.stores.runs.tickets(run) == ()
    assert app.stores.runs.unattended() == ()
