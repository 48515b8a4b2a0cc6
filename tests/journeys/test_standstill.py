"""Fault 3 on a fleet: workers and holders of duties that stand still, and one whose node lets no other thread move."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.ids import WorkflowId
from codemation.core.launch import Launch
from codemation.core.ports import RunRow
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.triggers.overview import duties
from tests.adapters import mill
from tests.adapters.fleet import PATIENCE, QUICK, Fleet, Worker, eventually, running_fleet
from tests.journeys.standstill import Burn, hog, patient, slow_to_begin, ticked

SECONDS = float(os.environ.get("STANDSTILL_SECONDS", "10"))
"""For which one call lets no other thread move: many times the silence after which a worker is taken for dead."""
FILES = {"standstill.py": "from tests.journeys.standstill import *\n"}
BOUND = 15.0
"""Seconds within which somebody else has taken over."""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet(FILES) as fleet:
        yield fleet


@pytest.fixture
def app(fleet: Fleet) -> Iterator[App]:
    with fleet.open() as app:
        yield app
        assert app.stores.runs.unattended() == ()
        for worker in fleet.workers:
            if worker.process.poll() is None:
                worker.kill()
        app.stores.workers.bury([row.id for row in app.stores.workers.living()])  # some said that they were elsewhere


def asked(app: App, workflow: cm.Workflow[Any, ...], params: mill.Job) -> RunHandle:
    """A run, left to the fleet."""
    return app.submit(Launch(workflow=workflow, params=params))


def pids(worker: Worker) -> set[int]:
    """The processes in which a worker works."""
    return {worker.process.pid, *(child.pid for child in worker.children)}


def send(worker: Worker, number: signal.Signals) -> None:
    """Send all of them a signal."""
    for pid in pids(worker):
        os.kill(pid, number)


def works_on(app: App, worker: Worker, folder: Path) -> None:
    """Wait until a worker has brought a run to its end: it is as good as any."""

    def has() -> bool:
        ledger = folder / f"again {time.monotonic()}"
        asked(app, mill.mill, mill.Job(ledger=ledger)).wait(PATIENCE)
        return not pids(worker).isdisjoint(mill.calls(ledger, "last"))

    eventually(has)


def of(workers: list[Worker], ledger: Path, what: str) -> Worker:
    """The worker that has made the first call of a node."""
    eventually(lambda: bool(mill.calls(ledger, what)))
    pid = mill.calls(ledger, what)[0]
    return next(one for one in workers if pid in pids(one))


@pytest.mark.parametrize(("pool", "apart"), [("prefork", True), ("threads", False)])
def test_who_is_frozen_is_taken_over_and_who_is_only_busy_is_not(
    fleet: Fleet, app: App, tmp_path: Path, pool: str, apart: bool
) -> None:
    burn = Burn(ledger=tmp_path / "burn", seconds=SECONDS)
    work = mill.Job(ledger=tmp_path / "work", gate=tmp_path / "gate")
    work.gate.touch()
    places = ["one", "two", "three"] if apart else ["here"] * 3
    workers = [fleet.worker("-c", "1", pool=pool, CODEMATION_PLACE=place, **QUICK) for place in places]
    for worker in workers:
        worker.ready()
    burning = asked(app, hog, burn)
    busy = of(workers, burn.ledger, "hogging")
    run = asked(app, mill.mill, work)
    frozen = of(workers, work.ledger, "held")
    (other,) = [worker for worker in workers if worker not in (busy, frozen)]
    send(frozen, signal.SIGSTOP)
    eventually(lambda: len(mill.calls(work.ledger, "held")) == 2, within=BOUND)
    assert mill.calls(burn.ledger, "hogged") == [], "what is taken over should be so while the other one is busy"
    work.gate.unlink()
    assert run.result(PATIENCE) == [3]
    revision = app.attach(run.id).revision
    send(frozen, signal.SIGCONT)

    assert burning.result(PATIENCE) == [2]
    assert len(mill.calls(burn.ledger, "hogging")) == 1
    assert mill.calls(burn.ledger, "hogging") == mill.calls(burn.ledger, "hogged")
    works_on(app, frozen, tmp_path)
    assert app.attach(run.id).revision == revision
    first, second = mill.calls(work.ledger, "held")
    assert (first in pids(frozen), second in pids(other)) == (True, True)
    assert mill.calls(work.ledger, "last") == [second]


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_who_was_frozen_before_he_called_a_node_does_not_call_it_once_others_have_done_so(
    fleet: Fleet, app: App, tmp_path: Path, pool: str
) -> None:
    work = mill.Job(ledger=tmp_path / "work", gate=tmp_path / "gate")
    work.gate.touch()
    workers = [fleet.worker("-c", "1", pool=pool, CODEMATION_PLACE=place, **QUICK) for place in ("one", "two")]
    for worker in workers:
        worker.ready()
    run = asked(app, slow_to_begin, work)
    frozen = of(workers, work.ledger, "opening")
    send(frozen, signal.SIGSTOP)
    eventually(lambda: len(mill.calls(work.ledger, "opening")) == 2, within=BOUND)
    work.gate.unlink()
    assert run.result(PATIENCE) == [3]
    send(frozen, signal.SIGCONT)
    works_on(app, frozen, tmp_path)
    (called,) = mill.calls(work.ledger, "equipped")
    assert called not in pids(frozen)


def holders(app: App) -> dict[str, int | None]:
    """The process that holds each duty."""
    return {row.name: row.worker.pid if row.worker is not None and not row.gone else None for row in duties(app)}


def ticks(app: App) -> list[RunRow]:
    """The runs that ticks have started."""
    return list(app.stores.runs.page(workflow=ticked.id, limit=1000))


def test_the_duties_of_a_frozen_worker_are_done_by_another_and_once_when_it_goes_on(
    fleet: Fleet, app: App, tmp_path: Path
) -> None:
    frozen = fleet.worker(CODEMATION_PLACE="elsewhere", **QUICK)
    frozen.ready()
    eventually(lambda: set(holders(app).values()) == {frozen.process.pid})
    other = fleet.worker(CODEMATION_PLACE="here", **QUICK)
    other.ready()
    assert fleet.command("workflows", "activate", ticked.id).returncode == 0
    eventually(lambda: len(ticks(app)) >= 2)
    run = asked(app, patient, mill.Job(ledger=tmp_path / "work"))
    eventually(lambda: app.attach(run.id).status is RunStatus.WAITING)

    frozen.send(signal.SIGSTOP)
    before = len(ticks(app))
    eventually(lambda: set(holders(app).values()) == {other.process.pid}, within=BOUND)
    eventually(lambda: len(ticks(app)) >= before + 3, within=BOUND)
    assert run.result(BOUND) == [2]
    frozen.send(signal.SIGCONT)
    before = len(ticks(app))
    eventually(lambda: len(ticks(app)) >= before + 3, within=BOUND)
    assert set(holders(app).values()) == {other.process.pid}
    works_on(app, frozen, tmp_path)

    app.stores.armory.disarm(WorkflowId(ticked.id), "test")
    eventually(lambda: not any(one.owed for one in app.stores.armory.triggers()))
    eventually(lambda: all(row.status in FINISHED for row in ticks(app)))
    at = sorted(datetime.fromisoformat((row.origin or {})["at"]) for row in ticks(app))
    assert {later - earlier for earlier, later in pairwise(at)} == {timedelta(seconds=1)}
    assert mill.calls(tmp_path / "work", "last") != []
    assert len(mill.calls(tmp_path / "work", "last")) == 1
