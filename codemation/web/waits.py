"""What runs wait for, and how people and events answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field, StringConstraints

from codemation.core.access import Role
from codemation.core.errors import UnknownWait
from codemation.core.events import NamedEvent
from codemation.core.ids import RunId
from codemation.core.mistakes import listed, meant
from codemation.host.asking import RunWait, decide, open_waits, send
from codemation.host.glimpses import glimpses
from codemation.host.links import link_token
from codemation.web.actors import Asked, By
from codemation.web.models import Given, Model, Moment
from codemation.web.problems import Refused, problem
from codemation.web.routes import Api
from codemation.web.service import Service
from codemation.web.texts import Data, Fields, Name, Uuid

router = Api(tags=["waits"])
WaitId = Annotated[
    Name,
    StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[^/]+.*$"),
    Field(examples=["0198a1f0-5a3c-7d21-9f00-3b1f6e2a4c55/review/1/0"]),
]


class Wait(Model):
    """Something that a run waits for."""

    id: str
    run: str
    workflow: str
    node: str
    item: int | None
    """The position of the item in what reached the node; `null` where it is about all of them."""
    kind: Literal["timer", "approval", "event", "child"]
    title: str
    to: list[str]
    """Who is asked; everybody may decide."""
    event: str
    """What it is woken by, as `name:key`."""
    due_at: Moment | None
    """When its time is over."""
    item_text: str
    """Of a decision: the item in a line, or the first of several; shortened, and without secrets of credentials."""
    form: dict[str, Any] | None
    """JSON schema of what is to be filled in."""


class WaitList(Model):
    """What is waited for, the most pressing first."""

    items: list[Wait]


class WaitQuery(Given):
    """Which waits are listed."""

    kind: Literal["timer", "approval", "event", "child"] | None = None
    """Only waits of this kind."""
    run: Uuid | None = None
    """Only what this run waits for."""
    limit: int = Field(default=100, ge=1, le=1000)
    """At most so many."""


@router.offer("GET", "/waits", Role.VIEWER, fails=[404], operation_id="list_waits", summary="List what is waited for")
def list_waits(service: Asked, query: Annotated[WaitQuery, Query()]) -> WaitList:
    """List decisions, events, times and other runs that runs wait for, the most pressing first."""
    if query.run is None:
        found = open_waits(service.app, query.kind, query.limit)
    else:
        waits = service.app.attach(RunId(query.run)).waits
        found = [one for one in waits if query.kind in (None, one.kind)][: query.limit]
    texts = glimpses(service.app, found)
    return WaitList(items=[_shown(one, text) for one, text in zip(found, texts, strict=True)])


def _shown(wait: RunWait, text: str) -> Wait:
    return Wait(
        id=wait.id,
        run=wait.run,
        workflow=wait.workflow,
        node=wait.node,
        item=wait.item,
        kind=wait.kind,
        title=wait.title,
        to=list(wait.to),
        event=wait.event,
        due_at=wait.due_at,
        item_text=text,
        form=wait.form,
    )


class Decision(Given):
    """What was decided."""

    wait: WaitId
    """What is decided about: the `id` of an approval."""
    approved: bool
    fields: Fields = Field(default_factory=dict, examples=[{"note": "fine"}])
    """What is filled in, as the form wants it."""


class Decided(Model):
    """A decision that stands."""

    wait: str
    run: str
    approved: bool
    by: str


@router.offer(
    "POST", "/decisions", Role.OPERATOR, fails=[404, 409, 410], operation_id="decide", summary="Decide", status_code=201
)
def decide_wait(service: Asked, by: By, given: Decision) -> Decided:
    """Decide what somebody is asked: 409 if somebody has before, 410 if the time is over, 422 if the form does not fit.

    Who has decided is part of what the run goes on with.
    """
    with service.noted(by, "waits.decide", given.wait, approved=str(given.approved).lower()):
        decide(service.app, given.wait, approved=given.approved, who=by.name, fields=given.fields)
    return Decided(wait=given.wait, run=given.wait.partition("/")[0], approved=given.approved, by=by.name)


class LinkWanted(Given):
    """Whom a link is for."""

    wait: WaitId
    who: Name
    """Who may decide with it; is recorded as having decided."""


class Link(Model):
    """Where somebody may decide, once, without a token of the API."""

    url: str


@router.offer(
    "POST",
    "/decisions/links",
    Role.OPERATOR,
    fails=[404],
    operation_id="make_decision_link",
    summary="Make a link to decide with",
    status_code=201,
)
def make_link(service: Asked, by: By, given: LinkWanted) -> Link:
    """Make a link to a page on which its bearer, and nobody else, may decide this, once."""
    run = RunId(given.wait.partition("/")[0])
    if given.wait not in [one.id for one in service.app.attach(run).waits if one.kind == "approval"]:
        raise UnknownWait(f"{given.wait!r} is not open", way_out="list what is waited for: GET /api/v1/waits")
    with service.noted(by, "waits.link", given.wait, who=given.who):
        token = link_token(service.settings.links, given.wait, given.who)
    return Link(url=f"{service.root}/decide/{token}")


class SentEvent(Given):
    """An event."""

    name: Name = Field(examples=["payment.received"])
    key: Name = Field(examples=["order-17"])
    payload: Data = Field(default_factory=dict)
    dedup: Name | None = None
    """The same event sent twice under one of these is taken once."""


class EventTaken(Model):
    """What became of an event."""

    new: bool
    """Whether it was not sent before."""


@router.offer(
    "POST", "/events", Role.OPERATOR, fails=[404], operation_id="send_event", summary="Send an event", status_code=202
)
def send_event(service: Asked, by: By, given: SentEvent) -> EventTaken:
    """Wake every wait that is open for this event and key; it is kept for those that begin to wait later."""
    event = _event(service, given.name)
    with service.noted(by, "events.send", f"{given.name}:{given.key}", dedup=given.dedup):
        new = send(service.app, event, given.key, given.payload, given.dedup)
    return EventTaken(new=new)


def _event(service: Service, name: str) -> NamedEvent[Any]:
    """The event of this name that a workflow waits for."""
    workflows = [found.workflow for found in service.catalog.workflows.values()]
    models = [code.model for workflow in workflows for code in workflow.code.values()]
    known = {one.name: one for one in models if isinstance(one, NamedEvent)}
    if name not in known:
        way_out = meant(name, known, f"they wait for {listed(sorted(known), 'none')}")
        refusal = problem(404, f"no workflow waits for an event {name!r}", kind="unknown event", way_out=way_out)
        raise Refused(refusal)
    return known[name]
