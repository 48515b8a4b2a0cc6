"""How a function is called: in this thread, on the loop for `async def`, or in a thread of its own with a limit."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any
from weakref import WeakSet

from codemation.core.durations import readable
from codemation.core.errors import NodeError
from codemation.core.signature import Parameter
from codemation.host.runtime.trouble import Interrupted

_STEP = 0.05
"""Seconds between looks at whether the caller was interrupted, while it waits for the loop or another thread."""
GRACE = 5.0
"""Seconds that a coroutine has for noticing that its run was stopped, before it is cancelled."""
_LONGEST_END = 2.0
"""Seconds that coroutines get to end when the loop does."""


class CallTimeout(NodeError, TimeoutError):
    """A call took longer than the `timeout` of its node."""

    def __init__(self, node: str, limit: float) -> None:
        super().__init__(
            f'one call of "{node}" took longer than its timeout of {readable(limit)}',
            way_out="give the node a longer timeout=, or make it work in smaller pieces",
        )


class Loop:
    """The process's own event loop, in a thread of its own, for nodes written with `async def`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start a coroutine on the loop; the caller's context goes with it."""
        with self._guard:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=self._serve, args=(loop,), name="codemation-loop", daemon=True)
                thread.start()
                self._loop, self._thread = loop, thread
        context = contextvars.copy_context()
        return context.run(asyncio.run_coroutine_threadsafe, coroutine, self._loop)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def close(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        with self._guard:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(_LONGEST_END)


def outcome(future: Future[Any], stop: Callable[[], bool] = lambda: False) -> Any:
    """Wait for a future in short steps, so that Ctrl-C reaches a main thread that waits here.

    Raises:
        Interrupted: its run was stopped, and what it waits for has not ended by itself in time.
    """
    patience: float | None = None
    while True:
        try:
            return future.result(timeout=_STEP)
        except TimeoutError:
            if future.done():
                return future.result()
            if patience is None and stop():
                patience = time.monotonic() + GRACE
            if patience is not None and time.monotonic() > patience:
                future.cancel()
                raise Interrupted from None
        except BaseException:
            future.cancel()
            raise


async def awaited(node: str, limit: float | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Await one call of an `async def` node; an asynchronous stream is read to its end.

    Raises:
        CallTimeout: it took longer than `limit` seconds.
        NodeError: it called `sys.exit()`.
    """
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            made = function(*args, **kwargs)
            return await (_all(made) if isinstance(made, AsyncIterator) else made)
    except TimeoutError as error:
        if limit is None or not scope.expired():  # the node's own
            raise
        raise CallTimeout(node, limit) from error
    except SystemExit as error:
        raise _ended(node, error) from error


async def _all(stream: AsyncIterator[Any]) -> list[Any]:
    return [value async for value in stream]


def called(node: str, limit: float | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a plain function; a stream that it gives is read to its end, within the limit.

    A thread cannot be killed: past its limit a call is left to itself, and whatever it gives later is thrown away.

    Raises:
        CallTimeout: it took longer than `limit` seconds.
        NodeError: it called `sys.exit()`.
    """
    if limit is None:
        try:
            value = function(*args, **kwargs)
            return value if type(value) in WHOLE else _exhausted(value)
        except SystemExit as error:
            raise _ended(node, error) from error
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put((True, _exhausted(function(*args, **kwargs))))
        except BaseException as error:  # noqa: BLE001  # carried over to the thread that waits
            answer.put((False, error))

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name=f"codemation-{node}", daemon=True)
    thread.start()
    try:
        succeeded, value = answer.get(timeout=limit)
    except queue.Empty:
        _left.add(thread)
        raise CallTimeout(node, limit) from None
    if succeeded:
        return value
    if isinstance(value, SystemExit):
        raise _ended(node, value) from value
    raise value


def left_behind() -> int:
    """How many calls were left to themselves, and have not come to an end."""
    return sum(thread.is_alive() for thread in list(_left))


_left: WeakSet[threading.Thread] = WeakSet()


def _ended(node: str, error: SystemExit) -> NodeError:
    """A node that calls `sys.exit()` ends itself, never the process that works on other runs as well."""
    return NodeError(f'"{node}" called sys.exit({error.code!r})', way_out="return, or raise an error of your own")


WHOLE = frozenset({dict, list, tuple, str, bytes, int, float, bool, type(None)})
"""Classes of most of what nodes give: neither iterators nor tables, and asking for these takes longer than looking."""


def _exhausted(value: Any) -> Any:
    """A generator runs here, inside the call, so that its errors and its time belong to the call."""
    return list(value) if isinstance(value, Iterator) else value


def handed(parameter: Parameter, value: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How a function is given its data: by name, since what is injected may stand before it, where it has a name."""
    return ((value,), {}) if parameter.positional else ((), {parameter.name: value})
