"""The workflows of the app: what there is to be started."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from fastapi.responses import Response

from codemation.core.access import Role
from codemation.core.inputs import adapter
from codemation.core.workflow import Workflow
from codemation.web.actors import Asked
from codemation.web.models import Model
from codemation.web.routes import Api
from codemation.web.texts import Name

router = Api(prefix="/workflows", tags=["workflows"])
WorkflowPath = Annotated[Name, Path(description="The id of a workflow.", examples=["flights.delays"])]


class WorkflowSummary(Model):
    """A workflow in a list."""

    id: str
    title: str
    nodes: int
    """How many nodes it has."""
    digest: str
    """Of its definition: the same as long as nothing of it changes."""
    triggers: list[str]
    """What starts it by itself, in words."""


class BrokenFile(Model):
    """A file of the workflow folder that cannot be used."""

    file: str
    message: str


class WorkflowList(Model):
    """The workflows of the app."""

    items: list[WorkflowSummary]
    problems: list[BrokenFile]
    """Files that could not be read; workflows in them are missing here."""


class WorkflowDetail(WorkflowSummary):
    """One workflow."""

    params_schema: dict[str, Any] | None
    """JSON schema of its params."""
    input_schema: dict[str, Any] | None
    """JSON schema of each item that it is given."""
    definition: dict[str, Any]
    """Nodes, edges and policies as they are stored."""


@router.offer("GET", "", Role.VIEWER, operation_id="list_workflows", summary="List the workflows")
def list_workflows(service: Asked) -> WorkflowList:
    """List the workflows of the app, and the files that could not be read."""
    catalog = service.catalog
    found = sorted(catalog.workflows.items())
    return WorkflowList(
        items=[WorkflowSummary(**_summary(one.workflow)) for _, one in found],
        problems=[BrokenFile(file=str(one.file), message=one.message) for one in catalog.problems],
    )


@router.offer("GET", "/{workflow}", Role.VIEWER, fails=[404], operation_id="show_workflow", summary="Show a workflow")
def show_workflow(service: Asked, workflow: WorkflowPath) -> WorkflowDetail:
    """Show what a workflow takes and does."""
    found = service.workflow(workflow)
    definition = found.definition.to_json()
    return WorkflowDetail(
        **_summary(found),
        params_schema=found.definition.params_schema,
        input_schema=None if found.input is None else adapter(found.input).json_schema(),
        definition=definition,
    )


@router.offer(
    "GET",
    "/{workflow}/graph.svg",
    Role.VIEWER,
    fails=[404],
    operation_id="draw_workflow",
    summary="Draw a workflow",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}, "description": "The graph."}},
)
def draw_workflow(service: Asked, workflow: WorkflowPath) -> Response:
    """Draw the graph of a workflow as SVG."""
    return Response(service.workflow(workflow).svg(), media_type="image/svg+xml")


def _summary(workflow: Workflow[Any, ...]) -> dict[str, Any]:
    definition = workflow.definition
    return {
        "id": workflow.id,
        "title": definition.title,
        "nodes": len(workflow.nodes),
        "digest": workflow.digest,
        "triggers": [one.said for one in definition.triggers],
    }
