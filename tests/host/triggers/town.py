"""Workflows with triggers, and what tests ask of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import codemation as cm
from codemation.core.ports import RunRow
from codemation.core.states import FINISHED
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.triggers.activation import activate
from codemation.host.triggers.arms import KnownTrigger, known_triggers
from codemation.host.triggers.ticking import tick

PATIENCE = 30.0


class Params(cm.Params):
    """What ticks give."""

    at: str = ""


def said(params: Params) -> str:
    return params.at


def ticking(trigger: cm.Trigger, name: str = "flow") -> Workflow[Any, ...]:
    """A workflow that says what it was started with."""
    return cm.workflow(name, params=Params).on(trigger).then(cm.node(said)).build()


def armed(app: App, *workflows: Workflow[Any, ...]) -> tuple[KnownTrigger, ...]:
    """Arm workflows, and have their code at hand."""
    app.upkeep.triggers.know({workflow.id: workflow for workflow in workflows})
    return tuple(one for workflow in workflows for one in activate(app, workflow, "somebody"))


def known(workflow: Workflow[Any, ...]) -> Mapping[str, KnownTrigger]:
    return {one.id: one for one in known_triggers(workflow)}


def fire(app: App) -> int:
    """Start all that is owed, until nothing more is, and let the runs end."""
    fired = 0
    while found := app.upkeep.triggers.firer.fire(app.upkeep.triggers.known):
        fired += found
        settle(app)
    return fired


def go(app: App, grace: float = 30.0) -> None:
    """Deal with the ticks that have come, and start what is owed for them."""
    while tick(app.engine, grace)[1]:
        pass
    fire(app)


def settle(app: App) -> None:
    """Wait until every run is over."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if all(row.status in FINISHED for row in rows(app)):
            return
        pause.wait(0.005)
    raise AssertionError([(row.id, row.status) for row in rows(app)])


def rows(app: App, workflow: str | None = None) -> list[RunRow]:
    """The runs, oldest first."""
    return list(reversed(app.stores.runs.page(workflow=workflow, limit=10_000)))


def started(app: App, workflow: str | None = None) -> list[str]:
    """What each run was started for, oldest first."""
    return sorted((row.origin or {}).get("at") or (row.origin or {}).get("key", "") for row in rows(app, workflow))
