"""Streams of server-sent events: one look after the other, for as long as somebody listens.

Nothing is made before the one before it was taken: who is slow is told less often, and is never waited for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from fastapi.responses import StreamingResponse

from codemation.core.errors import CodemationError
from codemation.core.ids import RunId
from codemation.web.problems import Refused, problem, problem_of
from codemation.web.service import Service

MOST = 500
"""Streams at a time."""
LOOK = 1.0
"""Seconds between two looks at a run without any news of it."""
BEAT = 15.0
"""Seconds of silence after which a comment says that the stream lives."""


class Bell:
    """Rings when the bus has news: of one run, or of any."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Called in a thread of the bus."""
        self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> bool:
        """Until it rings, at most so many seconds; says whether it has rung."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        rung = self._rung.is_set()
        self._rung.clear()
        return rung


@asynccontextmanager
async def listening(service: Service, run: RunId | None = None) -> AsyncIterator[Bell]:
    """A bell, from before anything is read."""
    bell = Bell()
    subscription = await service.call(service.app.bus.subscribe, run, bell.ring)
    try:
        yield bell
    finally:
        await service.call(subscription.close)


def event(name: str, data: str, id_: int | None = None) -> bytes:
    """One event as it is sent; JSON has no line breaks of its own."""
    head = "" if id_ is None else f"id: {id_}\n"
    return f"{head}event: {name}\ndata: {data}\n\n".encode()


Look = Callable[[], Awaitable[list[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is told, and when."""

    run: RunId | None
    """Whose news are waited for; `None` for those of all."""
    look: Look
    pause: float
    """Seconds between two looks without any news."""
    over: Callable[[], bool] = lambda: False

    async def told(self, service: Service) -> AsyncGenerator[bytes, None]:
        """What each look gives, until it is over or the server stops; with a beat where there is nothing to tell."""
        async with listening(service, self.run) as bell:
            yield b"retry: 2000\n\n"
            spoken = time.monotonic()
            while not service.draining.is_set():
                pieces = await self._looked()
                if pieces or time.monotonic() - spoken > BEAT:
                    spoken = time.monotonic()
                    yield b"".join(pieces) or b": beat\n\n"
                if self.over():
                    return
                await self._rest(service, bell)

    async def _looked(self) -> list[bytes]:
        try:
            return await self.look()
        except CodemationError as error:  # the database is away: whoever listens is told, and looks again
            return [event("trouble", json.dumps(problem_of(error).to_json()))]

    async def _rest(self, service: Service, bell: Bell) -> None:
        """Until there is news, it is time for a look without any, or the server stops."""
        until = time.monotonic() + self.pause
        while (left := until - time.monotonic()) > 0 and not service.draining.is_set():
            if await bell.wait(min(left, LOOK)):
                return


class Streams:
    """How many there are, in this process."""

    def __init__(self) -> None:
        self._open = 0

    def response(self, service: Service, stream: Stream) -> StreamingResponse:
        """The answer that goes on for as long as somebody listens.

        Raises:
            Refused: as many do as may.
        """
        if self._open >= MOST:
            raise Refused(problem(503, f"{MOST} streams are open", way_out="ask again later", Retry_After="10"))
        return StreamingResponse(self._counted(service, stream), media_type="text/event-stream")

    async def _counted(self, service: Service, stream: Stream) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async with aclosing(stream.told(service)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._open -= 1
