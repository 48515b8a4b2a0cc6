"""Runs: start them, look at them, stop them, let them go on or begin anew."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import AwareDatetime, Field

from codemation.core.access import Role
from codemation.core.errors import InputError
from codemation.core.ids import RunId
from codemation.core.launch import Launch
from codemation.core.params import validated
from codemation.core.ports import Within
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.overview import run_view
from codemation.host.replays import Wish, replay, resume_from
from codemation.web.actors import Asked, By
from codemation.web.models import Given, Model, Page
from codemation.web.routes import Api
from codemation.web.run_models import RunDetail, RunSummary, detail
from codemation.web.service import Service
from codemation.web.texts import Data, Fields, Name, Text, Uuid
from codemation.web.workflows import WorkflowPath

router = Api(tags=["runs"])
RunPath = Annotated[Uuid, Path(description="The id of a run.")]
URGENT = 1_000_000


class StartRun(Given):
    """What a run is started with."""

    params: Fields = Field(default_factory=dict, examples=[{"month": 2}])
    """Params by name; those that are left out have their defaults."""
    items: Data = Field(default=None, examples=[[{"sku": "A1", "amount": 2}]])
    """A list of items, or one item; nothing for workflows that make their own."""
    key: Name | None = None
    """Starting twice under one key gives the same run."""
    priority: int | None = Field(default=None, ge=-URGENT, le=URGENT)
    """Higher is more urgent; `null` for the workflow's own."""
    pins: Fields | None = None
    """What nodes give without being executed, by `node` or `node@port`."""


class RunStarted(Model):
    """A run that was started."""

    id: str
    workflow: str
    url: str
    """Where it is shown."""
    new: bool
    """Whether this request has started it; not so when its key was used before."""


class ResumeRun(Given):
    """How a run goes on."""

    with_changes: bool = False
    """Go on with the code as it is now, although it has changed."""
    from_: list[Name] = Field(default_factory=list, alias="from", max_length=100)
    """Begin again at these nodes, and do all that stands on them again."""


class ReplayRun(Given):
    """Which part of a run is done again, as a new run."""

    from_: list[Name] = Field(default_factory=list, alias="from", max_length=100)
    """Begin at these nodes; what does not stand on them is taken over."""
    to: list[Name] = Field(default_factory=list, max_length=100)
    """Run nothing that these nodes do not need."""
    params: Fields | None = None
    """Params that have other values."""
    pins: Fields | None = None
    """What nodes give without being executed, by `node` or `node@port`."""


class CancelRun(Given):
    """Why a run is to stop."""

    reason: Text = ""


@router.offer(
    "POST",
    "/workflows/{workflow}/runs",
    Role.OPERATOR,
    fails=[404, 409, 410],
    operation_id="start_run",
    summary="Start a run",
    status_code=201,
)
def start_run(service: Asked, by: By, workflow: WorkflowPath, given: StartRun, response: Response) -> RunStarted:
    """Start a run; it is worked on by whoever does that here, and this returns at once.

    The same key again gives the run that was started then, with status 200.
    """
    service.check_open()
    found = service.workflow(workflow)
    launch = Launch(
        workflow=found,
        items=given.items,
        params=_params(found, given.params),
        key=given.key,
        priority=given.priority,
        pins=given.pins or None,
        who=by.said,
    )
    with service.noted(by, "runs.start", found.id, key=given.key) as note:
        run, new = service.start(launch)
        note.target = run
    if not new:
        response.status_code = 200
    return started(service, run, found.id, new=new)


def started(service: Service, run: RunId, workflow: str, *, new: bool) -> RunStarted:
    """What is said of a run that was started."""
    return RunStarted(id=run, workflow=workflow, url=f"{service.root}/api/v1/runs/{run}", new=new)


def _params(workflow: Workflow[Any, ...], values: dict[str, Any]) -> Any:
    if workflow.params is not None:
        return validated(workflow.params, values)
    if values:
        raise InputError(f'"{workflow.id}" has no params', way_out="leave params out")
    return None


class RunPage(Page[RunSummary]):
    """Some of the runs, the youngest first."""

    left_out: int
    """How many runs between these work for others and are not shown; no more than 10,000 are counted."""


class RunQuery(Given):
    """Which runs are listed."""

    workflow: Name | None = None
    """Only runs of this workflow, by its whole id."""
    status: list[RunStatus] = Field(default_factory=list, max_length=6)
    """Only runs that stand so; may be repeated."""
    since: AwareDatetime | None = Field(default=None, examples=["2026-01-31T06:00:00Z"])
    """Only runs that were started then or later."""
    until: AwareDatetime | None = None
    """Only runs that were started before."""
    id: str = Field(default="", pattern="^[0-9a-f-]{0,36}$")
    """How the id begins or ends."""
    children: bool = False
    """Also runs that work for others."""
    before: Uuid | None = None
    """Only runs that are older than this one."""
    limit: int = Field(default=50, ge=1, le=200)
    """At most so many."""


@router.offer("GET", "/runs", Role.VIEWER, operation_id="list_runs", summary="List runs")
def list_runs(service: Asked, query: Annotated[RunQuery, Query()]) -> RunPage:
    """List runs, youngest first; `next` of the answer is `before` of the next request."""
    within = Within(since=query.since, until=query.until, like=query.id, children=query.children)
    before = RunId(query.before) if query.before else None
    stores, workflow, statuses = service.app.stores.runs, query.workflow, query.status
    rows = stores.page(workflow=workflow, statuses=statuses, within=within, before=before, limit=query.limit)
    last = rows[-1].id if len(rows) == query.limit else None
    hide = not query.children
    left_out = stores.hidden(workflow=workflow, statuses=statuses, within=within, between=(before, last)) if hide else 0
    return RunPage(items=[RunSummary.of(row) for row in rows], next=last, left_out=left_out)


@router.offer("GET", "/runs/{run}", Role.VIEWER, fails=[404], operation_id="show_run", summary="Show a run")
def show_run(service: Asked, run: RunPath) -> RunDetail:
    """Show a run: where its nodes stand, what it waits for, what went wrong. What came out is read apart from it."""
    return shown(service.app, RunId(run))


def shown(app: App, run: RunId) -> RunDetail:
    """A run as it is shown."""
    handle = app.attach(run)
    outputs = [f"{one.node}/{one.port}" for sources in handle.definition.outputs.values() for one in sources]
    return detail(handle.row, run_view(handle), handle.source, outputs)


@router.offer(
    "POST",
    "/runs/{run}/cancel",
    Role.OPERATOR,
    fails=[404, 409],
    operation_id="cancel_run",
    summary="Cancel a run",
    status_code=202,
)
def cancel_run(service: Asked, by: By, run: RunPath, given: CancelRun | None = None) -> RunSummary:
    """Ask a run and its children to stop: nothing of them is claimed from now on, and they end a little later.

    A run that is over stays as it is.
    """
    app, reason = service.app, given.reason if given else ""
    with service.noted(by, "runs.cancel", run, reason=reason):
        app.attach(RunId(run))
        app.family.stop(RunId(run), who=by.name, reason=reason)
        service.aside(app.cancel, RunId(run), who=by.name, reason=reason)
    return RunSummary.of(app.attach(RunId(run)).row)


@router.offer(
    "POST",
    "/runs/{run}/resume",
    Role.OPERATOR,
    fails=[404, 409, 410],
    operation_id="resume_run",
    summary="Resume a run",
    status_code=202,
)
def resume_run(service: Asked, by: By, run: RunPath, given: ResumeRun | None = None) -> RunSummary:
    """Let a run go on that has failed, was cancelled, or was left; what has succeeded is not repeated."""
    service.check_open()
    app, wish = service.app, given or ResumeRun()
    handle = app.attach(RunId(run))
    code = service.workflow(handle.definition.workflow)
    with service.noted(by, "runs.resume", run, **{"from": wish.from_} if wish.from_ else {}):
        if wish.from_:
            handle = resume_from(app, handle, code, wish.from_)
        else:
            handle = app.resume(RunId(run), code, with_changes=wish.with_changes, who=by.name)
        handle.serve()
    return RunSummary.of(app.attach(RunId(run)).row)


@router.offer(
    "POST",
    "/runs/{run}/replay",
    Role.OPERATOR,
    fails=[404, 409, 410],
    operation_id="replay_run",
    summary="Replay a run",
    status_code=201,
)
def replay_run(service: Asked, by: By, run: RunPath, given: ReplayRun | None = None) -> RunStarted:
    """Do a run again, or a part of it, as a new run with the same params and input, linked to this one."""
    service.check_open()
    app, wish = service.app, given or ReplayRun()
    source = app.attach(RunId(run))
    code = service.workflow(source.definition.workflow)
    asked = Wish(from_=list(wish.from_), to=list(wish.to), pins=wish.pins or None, params=wish.params, who=by.said)
    with service.noted(
        by, "runs.replay", run, **wish.model_dump(by_alias=True, exclude_defaults=True, exclude={"pins"})
    ):
        begun = replay(app, source, code, asked).serve()
    return started(service, begun.id, code.id, new=True)
