"""The ASGI app: every route, put together."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from codemation import __version__
from codemation.core.errors import CodemationError
from codemation.web import (
    access,
    decisions,
    firing,
    fleet,
    health,
    hooks,
    lines,
    live,
    outputs,
    problems,
    reference,
    runs,
    triggers,
    waits,
    workflows,
)
from codemation.web.guard import Guard
from codemation.web.service import Service

_log = logging.getLogger("codemation.web")
DOCUMENT = "/api/v1/openapi.json"
PAGE = "/api/v1/docs"


def application(service: Service) -> FastAPI:
    """The app that answers requests to one service, which whoever serves it opens and closes."""
    app = FastAPI(
        title="codemation",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    for part in (workflows, runs, live, outputs, lines, waits, triggers, firing, fleet, access):
        app.include_router(part.router, prefix="/api/v1")
    for page in (decisions, hooks, health):
        app.include_router(page.router)
    _show_reference(app, service)
    _answer_problems(app)
    app.add_middleware(Guard, service=service)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


DESCRIPTION = """\
Workflows, their runs, and what the runs have given.

Requests carry a token, `Authorization: Bearer …`, whose role says what they may do: a `viewer` sees everything, an
`operator` also starts, cancels, resumes and decides, an `editor` also changes what starts runs by itself, an `admin`
also sees who did what. Whatever is not carried out is answered as `application/problem+json`, with the way out.
"""


def _answer_problems(app: FastAPI) -> None:
    """Answer whatever goes wrong as a problem."""

    @app.exception_handler(CodemationError)
    def _ours(_: Request, error: CodemationError) -> Response:
        if problems.is_trouble(error):
            _log.warning("%s", error)
        return problems.problem_of(error).response()

    @app.exception_handler(RequestValidationError)
    def _unfit(_: Request, error: RequestValidationError) -> Response:
        return problems.unfit(error).response()

    @app.exception_handler(HTTPException)
    def _refused(_: Request, error: HTTPException) -> Response:
        return problems.of_status(error).response()


def _show_reference(app: FastAPI, service: Service) -> None:
    """Show people what can be asked."""

    @app.get(PAGE, include_in_schema=False)
    def _page() -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
        html = reference.page(app.openapi(), service.root)
        return Response(html, 200, {"Content-Security-Policy": policy}, "text/html; charset=utf-8")


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the routes, with what FastAPI cannot know of them."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = dict(problems.SCHEMA)
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `codemation tokens create`."}
    }
    app.openapi_schema = document
    return document
