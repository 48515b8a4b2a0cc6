"""Nodes that take their process with them, or ask for more than it may have: they are begun again, but not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codemation.core.errors import RunFailed
from codemation.host.app import App
from tests.adapters import mill
from tests.adapters.fleet import PATIENCE, QUICK, Fleet, Worker, eventually, running_fleet
from tests.adapters.test_workers import FILES, Case, closed

WAYS = ["exit", "overflow", "limit"]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet(FILES) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def worker(fleet: Fleet) -> Worker:
    """One for all tests: it survives its children."""
    worker = fleet.worker("-c", "2", pool="prefork", **QUICK)
    worker.ready(2)
    return worker


@pytest.fixture
def app(fleet: Fleet, worker: Worker) -> Iterator[App]:
    with fleet.open() as app:
        yield app
        assert app.stores.runs.unattended() == ()
        assert worker.process.poll() is None


@pytest.mark.parametrize("how", WAYS)
def test_a_node_that_takes_its_process_with_it_is_begun_again_and_the_start_counts(
    app: App, tmp_path: Path, how: str
) -> None:
    gate = closed(tmp_path)
    case = Case(app, tmp_path, mill.deadly, how=how)
    case.reached("falling", 2)
    (row,) = app.stores.runs.tickets(case.run.id)
    assert (row.state, row.lost) == ("running", 1)
    gate.unlink()
    assert case.gives() == 3
    assert len(case.calls("first")) == 1
    assert len(set(case.calls("falling"))) == 2


@pytest.mark.parametrize("how", ["overflow", "limit"])
def test_a_node_that_takes_its_process_with_it_each_time_is_given_up_and_others_go_on(
    app: App, tmp_path: Path, how: str
) -> None:
    case = Case(app, tmp_path, mill.deadly, how=how, times=99)
    (tmp_path / "next").mkdir()
    other = Case(app, tmp_path / "next")
    assert other.gives() == 3
    with pytest.raises(RunFailed, match="the process that worked on it died 3 times"):
        case.run.wait(PATIENCE)
    assert len(case.calls("falling")) == 3
    assert len(case.calls("first")) == 1


def test_a_node_for_which_there_is_no_memory_fails_and_its_process_goes_on(
    fleet: Fleet, app: App, worker: Worker, tmp_path: Path
) -> None:
    eventually(lambda: len(worker.children) == 2)  # Celery replaces one that has died up to five seconds late
    before = {child.pid for child in worker.children}
    case = Case(app, tmp_path, mill.hungry)
    with pytest.raises(RunFailed, match="MemoryError"):
        case.run.wait(PATIENCE)
    (tmp_path / "next").mkdir()
    assert Case(app, tmp_path / "next").gives() == 3
    assert {child.pid for child in worker.children} == before


def test_processes_are_replaced_that_hold_too_much_memory_and_each_does_something_before(
    fleet: Fleet, tmp_path: Path
) -> None:
    for each in fleet.workers:
        each.kill()
    one = fleet.worker("-c", "1", "--max-memory", "1MB", pool="prefork", **QUICK)
    one.ready()
    with fleet.open() as app:
        case = Case(app, tmp_path)
        assert case.gives() == 3
    assert len({*case.calls("first"), *case.calls("held"), *case.calls("last")}) == 3
    assert "MB of memory" in one.said
