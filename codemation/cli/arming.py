"""The triggers of workflows that are being written: armed for as long as `codemation dev` goes on, and no longer.

What somebody else has armed or disarmed stays as it is. In a database that other processes work in as well, nothing is
armed and nothing is started for a trigger: there the triggers are theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codemation.core.ids import WorkflowId
from codemation.core.ports import ArmedWorkflow
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.catalog import Catalog
from codemation.host.runtime.liveness import Observer, place
from codemation.host.triggers.activation import BY_DEV, NotReady, activate, deactivate

SILENT = 60.0
"""Seconds without a word after which a process is taken to be gone."""


class DevTriggers:
    """Arms the triggers of the workflows that are at hand, and disarms them in the end."""

    def __init__(self, say: Callable[[str], None], *, wanted: bool) -> None:
        self._say = say
        self._wanted = wanted
        self._theirs: bool | None = None
        self._armed: set[WorkflowId] = set()
        self._told: dict[WorkflowId, str] = {}

    def take_up(self, app: App, catalog: Catalog, where: str = "") -> None:
        """Have the workflows of a catalogue at hand, with their triggers as they are written now."""
        if self._theirs is None:
            self._theirs = has_others(app)
            if self._theirs:
                self._say("triggers are left alone: other processes work in this database, and they are theirs")
        workflows = {name: found.workflow for name, found in catalog.workflows.items()}
        for workflow in workflows.values():
            app.know(workflow)
        if self._theirs:
            return
        self._disarm(app, [one for one in sorted(self._armed) if not _triggers(workflows.get(one))])
        app.upkeep.triggers.load(workflows, where, developing=self._wanted)
        if not self._wanted:
            return
        rows = {row.workflow: row for row in app.stores.armory.workflows()}
        for id_, workflow in sorted(workflows.items()):
            if workflow.triggers:
                self._arm(app, workflow, rows.get(WorkflowId(id_)))

    def end(self, app: App) -> None:
        """Disarm what was armed here."""
        self._disarm(app, sorted(self._armed))

    def _arm(self, app: App, workflow: Workflow[Any, ...], row: ArmedWorkflow | None) -> None:
        id_ = WorkflowId(workflow.id)
        if row is not None and row.by != BY_DEV:
            self._tell(id_, f"stay {'armed' if row.active else 'disarmed'}, as {row.by} has said")
            return
        if row is None or not row.active or row.digest != workflow.digest:
            try:
                activate(app, workflow, BY_DEV)
            except NotReady as error:
                self._tell(id_, error.message)
                return
        self._armed.add(id_)
        self._tell(id_, f"armed: {'; '.join(one.said for one in workflow.definition.triggers)}")

    def _disarm(self, app: App, workflows: list[WorkflowId]) -> None:
        rows = {row.workflow: row for row in app.stores.armory.workflows()} if workflows else {}
        for id_ in workflows:
            self._armed.discard(id_)
            self._told.pop(id_, None)
            row = rows.get(id_)
            if row is not None and row.by == BY_DEV and deactivate(app, id_, BY_DEV):
                self._say(f"triggers of {id_} disarmed")

    def _tell(self, workflow: WorkflowId, said: str) -> None:
        """Tell how it stands with the triggers of a workflow, unless that was told and nothing has changed."""
        if self._told.get(workflow) != said:
            self._told[workflow] = said
            self._say(f"triggers of {workflow} {said}")


def _triggers(workflow: Workflow[Any, ...] | None) -> bool:
    return workflow is not None and bool(workflow.triggers)


def has_others(app: App) -> bool:
    """Whether other processes work in a database that is not the app's own."""
    if app.settings.config.database_url is None:
        return False
    rows = [row for row in app.stores.workers.living() if row.id != app.engine.worker and row.silent < SILENT]
    dead = Observer(app.settings.config.place or place()).dead(rows)
    return any(row.id not in dead for row in rows)
