"""Several processes on one database: they share the work, nobody does anything twice, and poison stops by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from codemation.core.errors import RunError, RunFailed
from codemation.core.ids import RunId
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.journeys.driver import begun
from tests.journeys.ledger import effects
from tests.journeys.plant import Work, plant
from tests.journeys.world import Driver, World, repeats, within

BOUND = 15.0
"""Seconds within which a process that goes on with a run has found what there is to do."""


def orphaned(town: World, work: Work) -> tuple[str, RunId]:
    """A run whose process was killed in its first node."""
    key, before = town.key(), len(effects(town.ledger))
    driver = town.start(work, key)
    town.until_effects(before + 1)
    driver.kill()
    return key, RunId(driver.told("begun")[0]["run"])


def anybody_refused(drivers: list[Driver]) -> bool:
    """Whether one of them has been told that it cannot go on."""
    return any(driver.told("refused") for driver in drivers)


def test_of_two_processes_that_resume_a_run_at_once_one_works_and_the_other_says_who_does(
    town: World, app: App
) -> None:
    for _ in range(2):
        with town.braked() as brake:
            work = town.work(brake=brake)
            key, run = orphaned(town, work)
            drivers = [town.start(work, key), town.start(work, key)]
            within(BOUND, partial(anybody_refused, drivers))
            (refused,) = [driver for driver in drivers if driver.told("refused")]
            (worker,) = [driver for driver in drivers if driver is not refused]
            refusal = refused.told("refused")[0]
            assert refusal["refused"] == "RunError"
            assert f"run {run} is being worked on by process {worker.pid}" in refusal["message"]
            assert f"codemation runs show {run}" in refusal["way_out"]
            with pytest.raises(RunError, match=f"process {worker.pid}"):
                app.resume(run, plant)
        worker.wait()
        assert worker.told("ended"), worker.said()
        town.finish(app, work, key)
        pids = {one.pid for one in effects(town.ledger) if one.run == run}
        assert len(pids) == 2, "one that was killed and one that has gone on"


def test_of_two_apps_that_resume_a_run_in_the_same_moment_one_works(town: World, app: App) -> None:
    with town.open() as other, ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            key, run = orphaned(town, town.work(pace=0.05))
            line = threading.Barrier(2)

            def resume(one: App, run: RunId = run, line: threading.Barrier = line) -> RunHandle | RunError:
                line.wait(BOUND)
                try:
                    return one.resume(run, plant)
                except RunError as error:
                    return error

            answers = list(pool.map(resume, (app, other)))
            handles = [answer for answer in answers if isinstance(answer, RunHandle)]
            assert len(handles) == 1, answers
            assert any("is being worked on by process" in str(answer) for answer in answers), answers
            handles[0].wait()
            town.finish(app, town.work(pace=0.05), key)


def test_two_apps_on_one_database_run_twenty_workflows_each_at_once(town: World, app: App) -> None:
    work = town.work()
    keys = [town.key() for _ in range(40)]
    drivers = [town.start(work, *keys[:20]), town.start(work, *keys[20:])]
    for driver in drivers:
        driver.wait()
        assert len(driver.told("ended")) == 20, driver.said()
    handles = town.finish(app, work, *keys)
    runs = {handle.id for handle in handles}
    assert len(runs) == 40
    assert repeats([one for one in effects(town.ledger) if one.run in runs]) == {}


def test_two_processes_that_start_the_same_runs_at_once_start_each_of_them_once(town: World, app: App) -> None:
    work = town.work()
    keys = [town.key() for _ in range(5)]
    drivers = [town.start(work, key) for key in keys for _ in range(2)]
    for driver in drivers:
        driver.wait()
        assert driver.told("ended") or driver.told("refused")[0]["refused"] == "RunError", driver.said()
    handles = town.finish(app, work, *keys)
    assert len({handle.id for handle in handles}) == 5
    assert repeats([one for one in effects(town.ledger) if one.run in {handle.id for handle in handles}]) == {}


def test_a_node_that_kills_its_process_each_time_is_taken_out_of_service(town: World, app: App) -> None:
    doom = town.root / "doom"
    doom.touch()
    key, work = town.key(), town.work(doom=doom)
    other, quiet = town.key(), town.work()
    for _ in range(3):
        driver = town.start(work, key)
        driver.wait()
        assert driver.was_killed, driver.said()
    town.finish(app, quiet, other)  # nobody else is held up by it
    handle = begun(app, work, key)
    with pytest.raises(RunFailed, match="the process that worked on it died 3 times") as failed:
        handle.wait(BOUND)
    assert f"codemation runs resume {handle.id}" in failed.value.way_out
    assert app.attach(handle.id).status is RunStatus.FAILED
    assert len([one for one in effects(town.ledger) if one.run == handle.id and one.node == "send"]) == 3
    doom.unlink()
    app.resume(handle.id, plant).wait()
    town.judge(app, work, [app.attach(handle.id)])
    done = [one for one in effects(town.ledger) if one.run == handle.id]
    assert sum(one.node == "gather" for one in done) == 1
