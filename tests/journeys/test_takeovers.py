"""Workers that are replaced under their own name, and workers that are killed while they take over from another one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from codemation.core.states import FINISHED
from codemation.host.app import App
from tests.host.postgres.cable import Cable
from tests.journeys.fleet import Fleet, Member, temporary_fleet
from tests.journeys.ledger import effects
from tests.journeys.plant import flow_of
from tests.journeys.struck_workers import BURIED, TAKEN
from tests.journeys.world import PATIENCE, repeats, within

SOON = 20.0
"""Seconds within which somebody else has taken over, twice in a row; the machine may be busy."""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with temporary_fleet() as fleet:
        yield fleet


@pytest.fixture
def app(fleet: Fleet) -> Iterator[App]:
    with fleet.open() as app:
        yield app
        for member in fleet.members:
            member.kill()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_rolling_restart_under_one_name_strands_nothing(fleet: Fleet, app: App, pool: str) -> None:
    work = fleet.world.work(pace=0.05)
    handles = []
    old = fleet.worker("--name", "ann", pool=pool)
    fleet.until_ready(old)
    for how in (signal.SIGTERM, signal.SIGKILL):
        handles += fleet.submit(app, work, *[fleet.world.key() for _ in range(4)])
        within(PATIENCE, partial(begun, fleet, handles[-4].id))
        new = fleet.worker("--name", "ann", pool=pool)
        old.send(signal.SIGTERM, all_of_it=False)
        if how is signal.SIGKILL:  # a supervisor that has no patience with it
            within(PATIENCE, lambda old=old: "told to stop" in old.said())  # type: ignore[misc]
            old.send(signal.SIGKILL)
        fleet.until_ready(new)
        assert old.wait() in {0, -signal.SIGKILL if how is signal.SIGKILL else 0}  # it may have been quicker
        old = new
    for handle in handles:
        handle.wait(PATIENCE)
    fleet.world.judge(app, work, handles)
    within(PATIENCE, lambda: {row.pid for row in app.stores.workers.living() if row.name == "ann"} <= pids(old))


def begun(fleet: Fleet, run: str) -> bool:
    """Whether anybody has begun with a run."""
    return any(one.run == run for one in effects(fleet.world.ledger))


def pids(member: Member) -> set[int]:
    """The processes of a member."""
    return {one.pid for one in member.family()}


@pytest.mark.parametrize("blow", [BURIED, TAKEN, None], ids=["buried", "taken", "begun"])
def test_who_is_killed_while_he_takes_over_is_taken_over_from_as_well(fleet: Fleet, blow: bytes | None) -> None:
    """Only the second worker sees the death of the first one; the third one comes when the second one is dead."""
    with ExitStack() as stack, fleet.world.braked() as brake, Cable(fleet.server.socket) as cable:
        work = fleet.world.work(brake=brake)
        with fleet.open() as app:
            (run,) = fleet.submit(app, work, fleet.world.key())
        first = fleet.worker(pool="solo")
        stack.callback(first.kill)
        within(PATIENCE, lambda: worked(fleet, run.id, first))
        url = cable.url(fleet.variables["CODEMATION_DATABASE_URL"])
        second = fleet.worker(pool="solo", CODEMATION_DATABASE_URL=url)
        stack.callback(second.kill)
        fleet.until_ready(second)
        if blow is not None:
            cable.strike(blow, lambda: second.send(signal.SIGKILL))
        first.kill()
        if blow is None:
            within(PATIENCE, lambda: worked(fleet, run.id, second))
            second.kill()
        assert second.wait() == -signal.SIGKILL
        assert worked(fleet, run.id, second) is (blow is None)
        third = fleet.worker(pool="solo")
        stack.callback(third.kill)
        within(SOON, lambda: worked(fleet, run.id, third))
        brake.unlink()
        with fleet.open() as app:
            app.know(flow_of(work))
            within(SOON, lambda: app.attach(run.id).status in FINISHED)
            fleet.world.judge(app, work, [app.attach(run.id)])
        done = [one for one in effects(fleet.world.ledger) if one.run == run.id]
        assert sum(repeats(done).values()) == (2 if blow is None else 1)


def worked(fleet: Fleet, run: str, member: Member) -> bool:
    """Whether a member has begun with a node of a run."""
    return any(one.run == run and one.pid == member.process.pid for one in effects(fleet.world.ledger))
