"""What nodes have given: page by page as JSON, whole as a file, and the files beside items."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.responses import Response

from codemation.core.access import Role
from codemation.core.ids import RunId
from codemation.core.payload import decode_items
from codemation.host.naming import known_node
from codemation.host.overview import json_of
from codemation.host.results import ResultHandle
from codemation.host.tables import ArrowTables
from codemation.web.actors import Asked
from codemation.web.files import FORMATS, Format, disposition, safe_type, written
from codemation.web.models import Given, Model
from codemation.web.problems import Refused, problem
from codemation.web.routes import Api
from codemation.web.runs import RunPath
from codemation.web.service import Service
from codemation.web.texts import Name

router = Api(prefix="/runs/{run}/nodes/{node}/outputs/{port}", tags=["outputs"])
NodePath = Annotated[Name, Path(description="The id of a node.", examples=["load"])]
PortPath = Annotated[Name, Path(description="An output port of it.", examples=["main"])]
LARGEST_PAGE = 1_000_000
"""Bytes of JSON that a page holds."""
LARGEST_TURNED = 64_000_000
"""Bytes up to which what a port held is read page by page; what is larger is downloaded as a whole."""
PIECE = 256 * 1024
"""Bytes that are sent at a time."""


class Column(Model):
    """A column of a table."""

    name: str
    type: str
    """As Arrow calls it."""


class FileSummary(Model):
    """A file beside an item."""

    item: int
    """The position of the item."""
    name: str
    size: int
    sha256: str
    mime: str


class OutputPage(Model):
    """Some of what a port held."""

    kind: Literal["items", "table"]
    count: int
    """Of all items or rows."""
    size: int
    """Bytes as they are stored."""
    columns: list[Column] | None
    """Of a table."""
    items: list[Any]
    left_out: list[int]
    """Positions of those that are too large to be shown here; `null` stands in their place."""
    files: list[FileSummary]
    """The files beside the items of this page."""
    next: int | None
    """The `offset` of the next page; `null` at the end."""


def _held(service: Asked, run: RunPath, node: NodePath, port: PortPath) -> ResultHandle:
    """A port of a node of a run."""
    handle = service.app.attach(RunId(run))
    return handle[known_node(handle, node)][port]


Held = Annotated[ResultHandle, Depends(_held)]


class OutputQuery(Given):
    """Which items are shown."""

    offset: int = Field(default=0, ge=0, le=2**31)
    """The position of the first."""
    limit: int = Field(default=100, ge=1, le=1000)
    """At most so many; fewer if they are large."""


@router.offer(
    "GET", "", Role.VIEWER, fails=[404, 409, 410], operation_id="show_output", summary="Show what a node gave"
)
def show_output(held: Held, query: Annotated[OutputQuery, Query()]) -> OutputPage:
    """Show what a port of a node held, item by item; the rows of a table as objects."""
    batch = held.batch
    if batch.size > LARGEST_TURNED:
        detail = f"{batch.size:,} bytes are more than what is turned page by page"
        raise Refused(problem(409, detail, kind="too large to be shown", way_out="download it"))
    start, stop = query.offset, min(batch.count, query.offset + query.limit)
    values, files = _read(held, start, stop)
    shown, left_out = _bounded(values, start)
    end = start + len(shown)
    return OutputPage(
        kind=batch.kind,
        count=batch.count,
        size=batch.size,
        columns=[Column(name=name, type=type_) for name, type_ in held.schema] if batch.kind == "table" else None,
        items=shown,
        left_out=left_out,
        files=[one for one in files if one.item < end],
        next=end if end < batch.count else None,
    )


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in FORMATS.values()},
    }
}


class DownloadQuery(Given):
    """As what a file is written."""

    format: Format = "jsonl"
    """JSON lines, CSV or Parquet."""


@router.offer(
    "GET",
    "/download",
    Role.VIEWER,
    fails=[404, 409, 410],
    operation_id="download_output",
    summary="Download what a node gave",
    response_class=StreamingResponse,
    responses=_FILES,
)
async def download_output(service: Asked, held: Held, query: Annotated[DownloadQuery, Query()]) -> Response:
    """Download what a port of a node held as JSON lines, CSV or Parquet."""
    file = await service.labour(written, held, query.format)
    name = f"{held.node}-{held.port}.{query.format}"
    return StreamingResponse(_pieces(service, file), 200, disposition(name), FORMATS[query.format])


@router.offer(
    "GET",
    "/items/{item}/files/{name}",
    Role.VIEWER,
    fails=[404, 409, 410],
    operation_id="download_file",
    summary="Download a file beside an item",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file; as what it may be shown without danger, else as `application/octet-stream`.",
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def download_file(
    service: Asked,
    held: Held,
    item: Annotated[int, Path(ge=0, le=2**31, description="The position of the item.")],
    name: Annotated[Name, Path(description="What the file is called there.")],
) -> Response:
    """Download a file that a node has put beside one of its items."""
    file, mime, size = await service.call(_attached, service, held, item, name)
    headers = {**disposition(name), "Content-Length": str(size), "Content-Security-Policy": "sandbox"}
    return StreamingResponse(_pieces(service, file), 200, headers, safe_type(mime))


def _read(held: ResultHandle, start: int, stop: int) -> tuple[list[Any], list[FileSummary]]:
    """Items, and the files beside them."""
    if start >= stop:
        return [], []
    data = held.stored
    if held.batch.kind == "table":
        return ArrowTables().rows(data, start, stop), []
    stored = decode_items(data)
    files = [
        FileSummary(item=at, name=name, size=one.size, sha256=one.sha256, mime=one.mime)
        for at, beside in sorted(stored.attachments.items())
        if start <= at < stop
        for name, one in beside.items()
    ]
    return list(stored.values[start:stop]), files


def _bounded(values: list[Any], start: int) -> tuple[list[Any], list[int]]:
    """As many as a page holds, as JSON has them, and the positions of those that none does."""
    shown: list[Any] = []
    left_out: list[int] = []
    room = LARGEST_PAGE
    for at, value in enumerate(values, start):
        plain = json_of(value)
        size = len(json.dumps(plain))
        if size > LARGEST_PAGE:
            plain, size = None, 4
            left_out.append(at)
        if size > room:
            break
        room -= size
        shown.append(plain)
    return shown, left_out


def _attached(service: Service, held: ResultHandle, item: int, name: str) -> tuple[BinaryIO, str, int]:
    """A file beside an item, its type and its size."""
    stored = decode_items(held.stored) if held.batch.kind == "items" and held.batch.size else None
    found = stored.attachments.get(item, {}).get(name) if stored is not None else None
    if found is None:
        raise Refused(problem(404, f"there is no file {name!r} beside item {item}", kind="unknown file"))
    return service.app.stores.blobs.open(found.blob), found.mime, found.size


async def _pieces(service: Service, file: BinaryIO) -> AsyncIterator[bytes]:
    """The file bit by bit; between two of them nothing is held but the file."""
    try:
        while piece := await service.call(file.read, PIECE):
            yield piece
    finally:
        file.close()
