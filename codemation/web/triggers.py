"""What starts runs by itself: which triggers are armed, how they fare, and who arms them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from codemation.core.access import Role
from codemation.core.errors import RunError
from codemation.core.ids import WorkflowId
from codemation.core.ports import ArmedTrigger
from codemation.host.triggers.activation import activate, deactivate
from codemation.host.triggers.arms import known_triggers
from codemation.web.actors import Asked, By
from codemation.web.models import Given, Model, Moment
from codemation.web.routes import Api
from codemation.web.texts import Name
from codemation.web.workflows import WorkflowPath

router = Api(tags=["triggers"])


class TriggerState(Model):
    """A trigger that is or was armed."""

    id: str
    workflow: str
    kind: str
    said: str
    """What it does, in words."""
    active: bool
    next_at: Moment | None
    """When its next tick is, or its source is asked next."""
    last_at: Moment | None
    """When it last started a run."""
    last_run: str | None
    owed: int
    """Runs that are to be started."""
    error: str
    """What went wrong last; empty when nothing did, or all has gone well since."""
    error_at: Moment | None

    @classmethod
    def of(cls, trigger: ArmedTrigger) -> TriggerState:
        """A trigger as it is listed."""
        return cls(**{name: getattr(trigger, name) for name in cls.model_fields})


class TriggerList(Model):
    """Triggers by workflow; those that are not armed come last."""

    items: list[TriggerState]


class TriggerQuery(Given):
    """Which triggers are listed."""

    workflow: Name | None = None
    """Only of this workflow."""
    kind: Name | None = None
    """Only of this kind: `cron`, `webhook`."""
    active: bool | None = None
    """Only those that are armed, or that are not."""


class Activation(Model):
    """Which triggers of a workflow are armed."""

    workflow: str
    active: bool
    triggers: list[str]
    """Their ids."""


@router.offer("GET", "/triggers", Role.VIEWER, operation_id="list_triggers", summary="List the triggers")
def list_triggers(service: Asked, query: Annotated[TriggerQuery, Query()]) -> TriggerList:
    """List the triggers that somebody has ever armed, schedules with their next times among them."""
    workflow = None if query.workflow is None else WorkflowId(query.workflow)
    found = service.app.stores.armory.triggers(workflow)
    return TriggerList(
        items=[
            TriggerState.of(one)
            for one in found
            if query.kind in (None, one.kind) and query.active in (None, one.active)
        ]
    )


@router.offer(
    "POST",
    "/workflows/{workflow}/activate",
    Role.EDITOR,
    fails=[404, 409],
    operation_id="activate_workflow",
    summary="Arm the triggers of a workflow",
)
def activate_workflow(service: Asked, by: By, workflow: WorkflowPath) -> Activation:
    """Arm the triggers of a workflow, if nothing would keep them from starting its runs; else all of that is said."""
    found = service.workflow(workflow)
    with service.noted(by, "triggers.activate", found.id):
        armed = activate(service.app, found, by.name)
    return Activation(workflow=found.id, active=True, triggers=[one.id for one in armed])


@router.offer(
    "POST",
    "/workflows/{workflow}/deactivate",
    Role.EDITOR,
    fails=[404, 409],
    operation_id="deactivate_workflow",
    summary="Disarm the triggers of a workflow",
)
def deactivate_workflow(service: Asked, by: By, workflow: WorkflowPath) -> Activation:
    """Disarm the triggers of a workflow; runs that are owed already are started still."""
    found = service.workflow(workflow)
    with service.noted(by, "triggers.deactivate", found.id):
        if not deactivate(service.app, found.id, by.name):
            raise RunError(f'"{found.id}" is not active', way_out="GET /api/v1/triggers lists what is")
    return Activation(workflow=found.id, active=False, triggers=[one.id for one in known_triggers(found)])
