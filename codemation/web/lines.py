"""What nodes have printed and logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.responses import Response

from codemation.core.access import Role
from codemation.core.ids import NodeId, RunId, node_of
from codemation.core.ports import LogLine
from codemation.host.naming import known_node
from codemation.web.actors import Asked
from codemation.web.files import disposition
from codemation.web.models import Given, Model, Moment
from codemation.web.routes import Api
from codemation.web.runs import RunPath
from codemation.web.service import Service
from codemation.web.texts import Name

router = Api(prefix="/runs/{run}/logs", tags=["logs"])
AT_ONCE = 2_000
"""Lines that a download reads at a time."""


class Line(Model):
    """Something that a node printed or logged."""

    number: int
    """Rises with the time at which it was kept."""
    at: Moment
    node: str
    attempt: int
    level: str
    text: str


class LogPage(Model):
    """Some of what was said."""

    items: list[Line]
    next: int | None
    """What to give as `after` for what was said since; `null` where nothing was said yet."""


class LogQuery(Given):
    """What is read."""

    node: Name | None = None
    """Only what this node has said."""
    after: int | None = Field(default=None, ge=0, le=2**62)
    """Only lines with a higher number, the first of them; without it the last of all."""
    limit: int = Field(default=500, ge=1, le=5000)
    """At most so many."""


@router.offer("GET", "", Role.VIEWER, fails=[404], operation_id="read_logs", summary="Read the log of a run")
def read_logs(service: Asked, run: RunPath, query: Annotated[LogQuery, Query()]) -> LogPage:
    """Read what the nodes of a run have printed and logged. Whoever goes on from `next` misses nothing."""
    node = _node(service, run, query.node)
    found = service.app.stores.logs.read(RunId(run), node, query.limit, after=query.after)
    lines = [
        Line(
            number=one.number,
            at=one.at,
            node=node_of(one.activation),
            attempt=one.attempt,
            level=one.level,
            text=one.text,
        )
        for one in found
    ]
    return LogPage(items=lines, next=found[-1].number if found else query.after)


class LogDownload(Given):
    """What is downloaded."""

    node: Name | None = None
    """Only what this node has said."""


@router.offer(
    "GET",
    "/download",
    Role.VIEWER,
    fails=[404],
    operation_id="download_logs",
    summary="Download the log of a run",
    response_class=StreamingResponse,
    responses={200: {"description": "The lines.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def download_logs(service: Asked, run: RunPath, query: Annotated[LogDownload, Query()]) -> Response:
    """Download what the nodes of a run have printed and logged, as text."""
    node = await service.call(_node, service, run, query.node)
    media = "text/plain; charset=utf-8"
    return StreamingResponse(_text(service, RunId(run), node), 200, disposition(f"{run}.log"), media)


def _node(service: Service, run: str, wanted: str | None) -> NodeId | None:
    """The node that is meant, in a run that is there."""
    handle = service.app.attach(RunId(run))
    return None if wanted is None else known_node(handle, wanted)


async def _text(service: Service, run: RunId, node: NodeId | None) -> AsyncIterator[bytes]:
    after = 0
    read = service.app.stores.logs.read
    while found := await service.call(read, run, node, AT_ONCE, after=after):
        yield "".join(map(_written, found)).encode("utf-8", "backslashreplace")
        after = found[-1].number


def _written(line: LogLine) -> str:
    return f"{line.at.isoformat(timespec='milliseconds')} {node_of(line.activation)} {line.level} {line.text}\n"
