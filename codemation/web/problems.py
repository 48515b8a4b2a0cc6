"""What goes wrong as `application/problem+json` (RFC 9457): what, why, and the way out; never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from codemation.core.credentials import MissingCredential
from codemation.core.errors import (
    AlreadyDecided,
    AmbiguousStart,
    CodemationError,
    DecisionExpired,
    HostError,
    InputError,
    InvalidDecision,
    InvalidLink,
    NodeError,
    PayloadLost,
    RunError,
    SchemaMismatch,
    SourcePruned,
    StoreUnavailable,
    UnknownRun,
    UnknownWait,
)
from codemation.core.workflow import UnknownNode
from codemation.host.catalog import UnknownWorkflow
from codemation.host.nodes import UnknownPort
from codemation.host.triggers.activation import NotReady

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2
"""Seconds after which it may be worth asking again when the database is away."""
SHOWN = 20
"""Things that do not fit which are told of one by one."""

_STATUSES: Mapping[type[CodemationError], int] = {
    UnknownRun: 404,
    UnknownWorkflow: 404,
    UnknownNode: 404,
    UnknownPort: 404,
    UnknownWait: 404,
    InvalidLink: 403,
    AlreadyDecided: 409,
    DecisionExpired: 410,
    InvalidDecision: 422,
    AmbiguousStart: 422,
    SourcePruned: 410,
    PayloadLost: 410,
    MissingCredential: 409,
    NotReady: 409,
    InputError: 422,
    NodeError: 422,
    RunError: 409,
    StoreUnavailable: 503,
    SchemaMismatch: 503,
}
"""The status of an error is that of the first class of its own line that is named here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request was not carried out."""

    status: int
    type: str
    """Names the kind of problem: `urn:codemation:problem:unknown-run`."""
    title: str
    detail: str
    way_out: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    """What does not fit, place by place."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The members of the answer."""
        said = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}
        return {
            **said,
            **({"way_out": self.way_out} if self.way_out else {}),
            **({"errors": list(self.errors)} if self.errors else {}),
        }

    def response(self) -> Response:
        """The answer itself; text that UTF-8 cannot spell comes escaped."""
        body = json.dumps(self.to_json()).encode()
        return Response(body, self.status, dict(self.headers), MEDIA_TYPE)


class Refused(CodemationError):
    """A request that the web refuses by itself, with a problem that is known already."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, way_out=problem.way_out)
        self.problem = problem


def problem(status: int, detail: str, *, way_out: str = "", kind: str = "", **headers: str) -> Problem:
    """A problem of the web's own; without a kind it is called like its status."""
    phrase = HTTPStatus(status).phrase
    return Problem(
        status=status,
        type=_urn(kind or phrase),
        title=phrase if not kind else kind[:1].upper() + kind[1:],
        detail=detail,
        way_out=way_out,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def problem_of(error: CodemationError) -> Problem:
    """An error of ours as a problem."""
    if isinstance(error, Refused):
        return error.problem
    status = next((_STATUSES[one] for one in type(error).__mro__ if one in _STATUSES), 500)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return Problem(
        status=status,
        type=_urn(words),
        title=words[:1].upper() + words[1:],
        detail=error.message,
        way_out=error.way_out,
        headers={"Retry-After": str(RETRY_AFTER)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {},
    )


def is_trouble(error: CodemationError) -> bool:
    """Whether it is the host's to mend, and belongs into the log."""
    return isinstance(error, HostError) and problem_of(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR


def unexpected() -> Problem:
    """What is answered when codemation itself has a fault; what it was stands in the log alone."""
    return problem(500, "codemation could not answer this", way_out="its log says why; report what you find there")


def unfit(error: RequestValidationError) -> Problem:
    """A request that does not fit what is documented; values are not repeated, for they may be secrets."""
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return problem(422, "the body is not JSON", kind="invalid JSON", way_out="send JSON in UTF-8")
    found = error.errors()
    errors = [{"where": _place(one["loc"]), "what": str(one["msg"])} for one in found[:SHOWN]]
    first = errors[0] if errors else {"where": "request", "what": "it does not fit"}
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return Problem(
        status=422,
        type=_urn("invalid request"),
        title="Invalid request",
        detail=f"{first['where']}: {first['what']}{more}",
        way_out="see the OpenAPI document for what it may be",
        errors=errors,
    )


def of_status(error: HTTPException) -> Problem:
    """What Starlette and FastAPI refuse by themselves."""
    headers = {name.replace("-", "_"): value for name, value in (error.headers or {}).items()}
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail and error.detail != phrase else _DETAILS.get(error.status_code, phrase)
    return problem(error.status_code, detail, **headers)


_DETAILS = {404: "there is nothing at this address", 405: "nothing at this address takes this method"}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers that a route declares beside its own."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


SCHEMA: Mapping[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "Why a request was not carried out (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong here."},
        "way_out": {"type": "string", "description": "What to do about it."},
        "errors": {
            "type": "array",
            "description": "What does not fit, place by place.",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
    },
    "examples": [
        {
            "type": "urn:codemation:problem:unknown-run",
            "title": "Unknown run",
            "status": 404,
            "detail": "no run 0198a1f0-0000-7000-8000-000000000000",
            "way_out": "codemation runs list",
        }
    ],
}


def _urn(words: str) -> str:
    return "urn:codemation:problem:" + re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _place(loc: Iterable[object]) -> str:
    return ".".join(map(str, loc)) or "request"
