"""What every request passes first: limits, where it comes from, who asks. Pure ASGI, so that streams pass as well."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codemation.core.errors import CodemationError
from codemation.core.sizes import in_bytes
from codemation.host.patience import in_haste
from codemation.web.doors import Doors
from codemation.web.identity import Actor
from codemation.web.problems import Problem, Refused, problem, problem_of, unexpected
from codemation.web.rates import Buckets
from codemation.web.service import Service

_log = logging.getLogger("codemation.web")
LONGEST_QUERY = 8 * 1024
LARGEST_HEADERS = 32 * 1024
STALL = 60.0
"""Seconds for which an answer waits for a client that does not take it."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Guard:
    """Lets through what may pass, and answers the rest itself."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        config = service.settings.config
        self._app = app
        self._service = service
        self._doors = Doors(service)
        self._largest = in_bytes(config.max_request)
        self._timeout = config.request_timeout
        self._buckets = Buckets(config.requests_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, began = _Answer(send), time.perf_counter()
        try:
            with in_haste():
                await self._guarded(scope, receive, answer)
        except ClientDisconnect:
            _log.debug("%s %s: the client has gone", scope["method"], scope["path"])
        except Exception as error:  # noqa: BLE001 - the last line of defence answers, and the log tells
            await answer.refuse(self._problem(error, scope))
        finally:
            self._service.traffic.note(scope, answer.status, answer.size, time.perf_counter() - began)

    def _problem(self, error: Exception, scope: Scope) -> Problem:
        if isinstance(error, CodemationError):
            return problem_of(error)
        if isinstance(error, TimeoutError):
            return problem(503, f"this took longer than {self._timeout:g} s", way_out="ask for less", Retry_After="5")
        _log.error("%s %s could not be answered", scope["method"], scope["path"], exc_info=error)
        return unexpected()

    async def _guarded(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = Headers(scope=scope)
        self._check_size(scope, headers)
        self._doors.check_host(headers)
        scope["codemation.client"] = client = _client(scope)
        if scope["method"] not in _SAFE:
            self._doors.check_origin(headers)
        if self._doors.is_guarded(scope["path"]):
            scope["codemation.actor"] = await self._known(headers, client)
        else:
            self._count(client)
        receiving = receive if scope["path"].startswith("/hooks/") else _Bounded(receive, headers, self._largest)
        async with asyncio.timeout(
            self._timeout
        ) as answer.clock:  # until the answer begins; then each piece has its own
            await self._app(scope, receiving, answer)

    async def _known(self, headers: Headers, client: str) -> Actor:
        """Who asks; counted by token where there is one that counts, for many may come from one address."""
        try:
            actor = await self._doors.actor(headers)
        except Refused:
            self._count(client)
            raise
        self._count(actor.key or client)
        return actor

    def _check_size(self, scope: Scope, headers: Headers) -> None:
        if len(scope["query_string"]) > LONGEST_QUERY:
            raise Refused(problem(414, f"the query is longer than {LONGEST_QUERY:,} bytes"))
        if sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEADERS:
            raise Refused(problem(431, f"the headers are larger than {LARGEST_HEADERS:,} bytes"))

    def _count(self, key: str) -> None:
        if wait := self._buckets.take(key):
            seconds = max(1, round(wait))
            detail = f"more than {self._buckets.rate:g} requests a second"
            raise Refused(problem(429, detail, way_out=f"ask again in {seconds} s", Retry_After=str(seconds)))


def _client(scope: Scope) -> str:
    """Where a request comes from; of an IPv6 address the network, for one machine has as many as it wants."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(address) if address.version == 4 else ":".join(address.exploded.split(":")[:4])


class _Answer:
    """An answer on its way out, with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        """None yet."""
        self.size = 0
        """Bytes of the body that were sent."""
        self.clock: asyncio.Timeout | None = None
        """Runs until the answer begins."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *_missing(message.get("headers", ()))]
            if self.clock is not None and self.clock.when() is not None:
                self.clock.reschedule(None)
        self.size += len(message.get("body", b""))
        async with asyncio.timeout(STALL):
            await self._send(message)

    async def refuse(self, refusal: Problem) -> None:
        """Answer with a problem; where the answer has begun, break it off so that nobody takes it for whole."""
        if self.status:
            _log.warning("an answer was broken off: %s", refusal.detail)
            return  # the server closes the connection of an answer that is not whole
        response = refusal.response()
        await self({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await self({"type": "http.response.body", "body": response.body})


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    added = [*_HEADERS, _POLICY, (b"cache-control", b"no-store")]
    return [(name, value) for name, value in added if name not in there]


class _Bounded:
    """The body of a request, broken off as soon as it is larger than it may be."""

    def __init__(self, receive: Receive, headers: Headers, most: int) -> None:
        self._receive = receive
        self._most = most
        self._read = 0
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise Refused(too_large(most))

    async def __call__(self) -> Any:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise HTTPException(413, too_large(self._most).detail)  # FastAPI lets this one through
        return message


def too_large(most: int) -> Problem:
    """A body that is larger than it may be."""
    return problem(413, f"the body is larger than {most:,} bytes", way_out="send less at a time")
