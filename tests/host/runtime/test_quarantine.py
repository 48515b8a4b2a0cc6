"""Poison: an activation that kills whoever works on it is put in quarantine, seen by people, and can be resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.ports import Lane
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.memory import memory_stores
from tests.host.runtime.conftest import opened
from tests.host.runtime.test_caretaking import dead_worker
from tests.testing.clock import Clock


@cm.node
def gentle() -> int:
    return 1


@cm.node
def deadly(number: int) -> int:
    return number + 1


def die_over(app: App, workflow: Workflow[int, ...], run: RunId) -> None:
    """Let a process claim the only ticket of a run, and die."""
    (ticket,) = app.stores.runs.tickets(run)
    worker = dead_worker(app.stores)
    assert app.stores.tickets.claim(worker, [Lane(queue="default", digest=workflow.digest)], ticket.id) is not None


def test_what_has_killed_three_processes_is_tried_no_more_and_can_be_resumed(tmp_path: Path) -> None:
    clock = Clock()
    workflow: Workflow[int, ...] = cm.workflow("w").then(gentle).then(deadly).build()
    with opened(memory_stores(clock), tmp_path) as app:
        handle = app.launch(Launch(workflow=workflow))
        assert handle.watched is not None
        app.scheduler.pause(handle.watched)
        for _ in range(3):
            assert app.attach(handle.id).status == "running"
            clock.later(3600.0)
            app.stores.tickets.fire()
            die_over(app, workflow, handle.id)
            assert app.caretaker.recover() == 1
        assert app.caretaker.fold()
        failed = app.attach(handle.id)
        assert failed.status == "failed"
        with pytest.raises(RunFailed, match="Lost: the process that worked on it died 3 times"):
            failed.result()
        clock.later(3600.0)
        app.stores.tickets.fire()
        assert app.stores.runs.tickets(handle.id) == (), "nobody is given it again"
        assert app.resume(handle.id, workflow).result() == [2]
