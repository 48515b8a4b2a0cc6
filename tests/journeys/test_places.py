"""Processes that have a place, a slot, or something to start are killed: others go on, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from codemation.core.states import RunStatus
from tests.host.postgres.embedded.world import REPOSITORY, eventually
from tests.journeys.line import LINES, alert, notes
from tests.journeys.world import PATIENCE, World


def started(world: World, name: str, item: int) -> subprocess.Popen[bytes]:
    """A process that runs a workflow."""
    command = [sys.executable, "-m", "tests.journeys.line", os.fspath(world.root), name, str(item)]
    return subprocess.Popen(command, cwd=REPOSITORY)


def killed_at_work(world: World, name: str, item: int) -> None:
    """A process is killed while it works on an item."""
    (world.root / f"hold {item}").touch()
    process = started(world, name, item)
    eventually(lambda: f"begun {item}" in notes(world.root), within=PATIENCE)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_behind_one_whose_process_was_killed_goes_on_with_both(world: World) -> None:
    killed_at_work(world, "one", 1)
    with world.open() as app:
        second = app.launch(LINES["one"].launch([2], {"folder": world.root}))
        assert second.status is RunStatus.QUEUED
        (world.root / "hold 1").unlink()
        assert second.result(PATIENCE) == [2]
        rows = app.stores.runs.page(workflow="line.one")
        assert [row.status for row in rows] == [RunStatus.SUCCEEDED] * 2
        assert app.stores.turnstiles.at("line.one") == ()
    assert notes(world.root) == ["begun 1", "begun 1", "ended 1", "begun 2", "ended 2"]


def test_a_slot_of_a_killed_process_is_free_for_others(world: World) -> None:
    killed_at_work(world, "pooled", 1)
    with world.open() as app:
        assert app.stores.pools.all() == {"gpu": (1, 1)}
        assert app.launch(LINES["pooled"].launch([2], {"folder": world.root})).result(PATIENCE) == [2]
        assert app.stores.pools.all() == {"gpu": (0, 1)}
    assert notes(world.root) == ["begun 1", "begun 2", "ended 2"]


def test_what_follows_a_failure_is_started_once_though_the_process_was_killed_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = started(world, "followed", 1)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    monkeypatch.setenv("LINE", os.fspath(world.root))
    with world.open() as app:
        (failed,) = app.stores.runs.page(workflow="line.followed")
        assert failed.status is RunStatus.FAILED
        for _ in range(2):
            app.know(LINES["followed"])
            app.work()
            app.lookout.followers.after(failed.id)
        (row,) = app.stores.runs.page(workflow=alert.id)
        assert row.status is RunStatus.SUCCEEDED
    assert notes(world.root) == [f"told {failed.id}"]
