"""The body of a webhook's request: taken as a stream, never larger than it may be, and read as what it says it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from codemation.core.items import Attachment, Item
from codemation.core.ports import Blobs
from codemation.web.guard import too_large
from codemation.web.problems import Refused, problem
from codemation.web.texts import shallow

IN_MEMORY = 1_000_000
"""Bytes of a body up to which it does not lie on the disk."""
PIECE = 64 * 1024
MOST_FIELDS, MOST_FILES = 1000, 100


@dataclass(slots=True)
class Given:
    """What came with a request."""

    value: Any = None
    files: Mapping[str, UploadFile] = field(default_factory=dict)

    def item(self, blobs: Blobs) -> Any:
        """The item that the run is given; files are stored, and stand beside it."""
        if not self.files:
            return self.value
        return Item(self.value, {name: _attached(one, blobs) for name, one in self.files.items()})


@asynccontextmanager
async def received(request: Request, most: int, admit: Callable[[BinaryIO], Awaitable[None]]) -> AsyncIterator[Given]:
    """What came with a request, for as long as the block lasts; `admit` looks at the bytes before anybody reads them.

    Raises:
        Refused: it is too large, not what it says it is, or of a kind that nobody reads here.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        raw = cast("BinaryIO", spool)
        size = await _spooled(request, raw, most)
        raw.seek(0)
        await admit(raw)
        if not size:
            yield Given(value=_checked(_grouped(request.query_params.multi_items())))
            return
        value, form = await _read(request.headers, raw)
        try:
            yield Given(value=value, files=_files(form))
        finally:
            if form is not None:
                await form.close()


async def _spooled(request: Request, raw: BinaryIO, most: int) -> int:
    """The body, broken off as soon as it is too large."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise Refused(too_large(most))
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise Refused(too_large(most))
        raw.write(piece)
    return size


async def _read(headers: Headers, raw: BinaryIO) -> tuple[Any, FormData | None]:
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    raw.seek(0)
    if kind == "application/json" or kind.endswith("+json"):
        return _json(raw.read()), None
    if kind == "application/x-www-form-urlencoded":
        form = await _parsed(FormParser(headers, _stream(raw)))
    elif kind == "multipart/form-data":
        form = await _parsed(MultiPartParser(headers, _stream(raw), max_files=MOST_FILES, max_fields=MOST_FIELDS))
    else:
        way_out = "send JSON, a form, or multipart/form-data"
        raise Refused(problem(415, f"a body of type {kind!r} is not read here", way_out=way_out))
    fields = _grouped([(name, one) for name, one in form.multi_items() if isinstance(one, str)])
    return _checked(fields), form


async def _parsed(parser: FormParser | MultiPartParser) -> FormData:
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        message = getattr(error, "message", "it is not a form")
        raise Refused(problem(422, f"the form cannot be read: {message}", kind="invalid form")) from None


async def _stream(raw: BinaryIO) -> AsyncGenerator[bytes, None]:
    while piece := raw.read(PIECE):
        yield piece


def _json(text: bytes) -> Any:
    try:
        return _checked(json.loads(text))
    except (ValueError, RecursionError):
        raise Refused(problem(422, "the body is not JSON", kind="invalid JSON", way_out="send JSON in UTF-8")) from None


def _checked(value: Any) -> Any:
    try:
        return shallow(value)
    except ValueError as error:
        raise Refused(problem(422, f"the body cannot be stored: {error}", kind="invalid body")) from None


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Values by name; what comes several times is a list."""
    grouped: dict[str, Any] = {}
    for name, value in pairs:
        if name not in grouped:
            grouped[name] = value
        elif isinstance(grouped[name], list):
            grouped[name].append(value)
        else:
            grouped[name] = [grouped[name], value]
    return grouped


def _files(form: FormData | None) -> dict[str, UploadFile]:
    """Files by the name of their field; several of one field are numbered."""
    files: dict[str, UploadFile] = {}
    for name, one in form.multi_items() if form is not None else ():
        if isinstance(one, UploadFile):
            same = sum(known == name or known.startswith(f"{name}-") for known in files)
            files[name if not same else f"{name}-{same + 1}"] = one
    return files


def _attached(upload: UploadFile, blobs: Blobs) -> Attachment:
    upload.file.seek(0)
    kept = blobs.put(upload.file)
    mime = upload.content_type or "application/octet-stream"
    return Attachment(blob=kept.id, size=kept.size, sha256=kept.sha256, mime=mime)
