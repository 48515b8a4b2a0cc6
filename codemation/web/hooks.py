"""Webhooks: a request that starts a run, if it may."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, BinaryIO

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from codemation.core.ids import RunId
from codemation.core.states import FINISHED, RunStatus
from codemation.host.overview import json_of
from codemation.host.runtime.replying import replied
from codemation.web.actors import Asked
from codemation.web.bodies import Given, received
from codemation.web.hook_auth import admit
from codemation.web.listeners import Listener, found
from codemation.web.problems import Problem, Refused, problem
from codemation.web.service import Service
from codemation.web.streams import LOOK, listening

router = APIRouter()
LONGEST_KEY = 200
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("/hooks/{path:path}", methods=METHODS, include_in_schema=False)
async def hook(service: Asked, request: Request, path: str) -> Response:
    """Start the run that a request asks for, and answer as the trigger says."""
    service.check_open()
    listener = await service.call(found, service, f"/{path}", request.method)
    key = _key(request)

    async def admitted(body: BinaryIO | None) -> None:
        await service.call(admit, service, listener, request.headers, body)

    await admitted(None)
    async with received(request, listener.max_size, admitted) as given:
        run = await service.call(_started, service, listener, given, key)
    if listener.respond == "now":
        return _accepted(service, run)
    return await _answered(service, listener, run)


def _key(request: Request) -> str | None:
    """What makes two requests one."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        detail = f"Idempotency-Key has 1 to {LONGEST_KEY} printable letters"
        raise Refused(problem(422, detail, kind="invalid request"))
    return key


def _started(service: Service, listener: Listener, given: Given, key: str | None) -> RunId:
    item = given.item(service.app.stores.blobs)
    return listener.start(service, item, key)


def _accepted(service: Service, run: RunId, status: int = 202) -> Response:
    url = f"{service.root}/api/v1/runs/{run}"
    return JSONResponse({"run": run, "url": url}, status, {"Location": url})


async def _answered(service: Service, listener: Listener, run: RunId) -> Response:
    """What the run gives, if it does so soon enough."""
    async with listening(service, run) as bell:
        loop = asyncio.get_running_loop()
        until = loop.time() + service.settings.config.hook_patience
        while True:
            answer = await service.call(_reply if listener.respond == "node" else _result, service, run)
            left = until - loop.time()
            if answer is not None:
                return answer
            if left <= 0 or service.draining.is_set():
                return _accepted(service, run)
            await bell.wait(min(left, LOOK))


def _result(service: Service, run: RunId) -> Response | None:
    """The answer that a run gives, if it does by now."""
    handle = service.app.attach(run)
    status, headers = handle.status, {"Codemation-Run": run}
    if status is RunStatus.SUCCEEDED:
        values = {name: [json_of(one) for one in _items(value)] for name, value in handle.outputs.items()}
        only = next(iter(values.values())) if len(values) == 1 else values
        return JSONResponse({"run": run, "status": status.value, "output": only}, 200, headers)
    if status in FINISHED:
        return _failed(run, status).response()
    return None


def _reply(service: Service, run: RunId) -> Response | None:
    """The answer that a node has given, if one has by now; a run that ends without one answers nothing."""
    ended = service.app.attach(run).status  # read first: whatever was answered before the end is read after this
    given = replied(service.app.engine, run)
    headers = {"Codemation-Run": run}
    if given is not None:
        return JSONResponse(json_of(given[0]), 200, headers)
    if ended is RunStatus.SUCCEEDED:
        return Response(status_code=204, headers=headers)
    return _failed(run, ended).response() if ended in FINISHED else None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _failed(run: RunId, status: RunStatus) -> Problem:
    return Problem(
        status=HTTPStatus.BAD_GATEWAY,
        type="urn:codemation:problem:run-failed",
        title="Run failed",
        detail=f"run {run} {'failed' if status is RunStatus.FAILED else 'was cancelled'}",
        way_out="whoever looks after it sees why",
        headers={"Codemation-Run": run},
    )
