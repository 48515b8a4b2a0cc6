"""Acceptance 18 on a fleet: two webs and three workers, one of which is killed; each trigger fires once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from codemation.core.ids import WorkflowId
from codemation.core.ports import RunRow
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.triggers.overview import duties
from tests.adapters.fleet import QUICK, Fleet, Worker, eventually, running_fleet

CLOCK = """
from collections.abc import Iterator

import codemation as cm


class Params(cm.Params):
    at: str = ""


@cm.node
def strike(params: Params) -> str:
    return params.at


@cm.poll(every="1s", key=lambda number: number)
def numbers(state: dict) -> Iterator[int]:
    for number in range(state.get("n", 0), state.get("n", 0) + 3):
        yield number
    state["n"] = state.get("n", 0) + 2


@cm.node
def take(item: int) -> int:
    return item


by_tick = {"params": lambda tick: {"at": tick.isoformat()}}
ticked = cm.workflow("ticked", params=Params).on(cm.every("1s", **by_tick)).then(strike).build()
polled = cm.workflow("polled", input=int).on(numbers).map(take).build()
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet({"clock.py": CLOCK}) as fleet:
        yield fleet


@contextmanager
def webs(fleet: Fleet, many: int) -> Iterator[None]:
    command = [str(Path(sys.executable).with_name("codemation")), "serve", "web", "--port", "0"]
    with (fleet.folder / "web.log").open("wb") as said:
        processes = [
            subprocess.Popen(command, cwd=fleet.folder, env=fleet.environment, stdout=said, stderr=said)
            for _ in range(many)
        ]
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def runs(app: App, workflow: str) -> list[RunRow]:
    return list(app.stores.runs.page(workflow=workflow, limit=10_000))


def holder(app: App, workers: list[Worker]) -> Worker | None:
    """The worker that counts the ticks."""
    row = next(one for one in duties(app) if one.name == "schedule")
    pid = row.worker.pid if row.worker is not None and not row.gone else None
    return next((one for one in workers if pid in {one.process.pid, *(child.pid for child in one.children)}), None)


def test_two_webs_and_three_workers_fire_each_trigger_once_though_the_holder_is_killed(fleet: Fleet) -> None:
    with webs(fleet, 2), fleet.open() as app:
        workers = [fleet.worker(**QUICK) for _ in range(3)]
        for name in ("ticked", "polled"):
            assert fleet.command("workflows", "activate", name).returncode == 0
        for worker in workers:
            worker.ready()
        eventually(lambda: len(runs(app, "ticked")) >= 4 and len(runs(app, "polled")) >= 4)
        eventually(lambda: holder(app, workers) is not None)
        killed = holder(app, workers)
        assert killed is not None
        killed.kill()
        before = len(runs(app, "ticked"))
        eventually(lambda: len(runs(app, "ticked")) >= before + 4)
        for name in ("ticked", "polled"):
            app.stores.armory.disarm(WorkflowId(name), "test")
        eventually(lambda: not any(one.owed for one in app.stores.armory.triggers()))
        eventually(lambda: all(row.status in FINISHED for name in ("ticked", "polled") for row in runs(app, name)))
        ticks = [datetime.fromisoformat((row.origin or {})["at"]) for row in runs(app, "ticked")]
        assert {later - earlier for earlier, later in pairwise(sorted(ticks))} == {timedelta(seconds=1)}
        items = Counter((row.origin or {})["key"] for row in runs(app, "polled"))
        assert set(items.values()) == {1}
        assert set(items) == {str(number) for number in range(len(items))}
        assert {row.status for name in ("ticked", "polled") for row in runs(app, name)} == {RunStatus.SUCCEEDED}
        for worker in workers:
            if worker is not killed:
                worker.kill()
