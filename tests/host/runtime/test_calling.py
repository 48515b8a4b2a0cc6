"""How a function is called: in this thread, on the loop, or with a limit in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from codemation.core.errors import NodeError
from codemation.host.runtime.calling import CallTimeout, Loop, awaited, called, outcome

STATE: contextvars.ContextVar[str] = contextvars.ContextVar("state", default="none")


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("limit", [None, 20.0])
def test_a_generator_runs_inside_of_the_call(limit: float | None) -> None:
    def counted(n: int) -> Iterator[int]:
        yield from range(n)

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("late")

    assert called("n", limit, counted, 3) == [0, 1, 2]
    assert called("n", limit, lambda: iter([1])) == [1]
    assert called("n", limit, lambda value: value, [1]) == [1]
    with pytest.raises(ValueError, match="late"):
        called("n", limit, broken)


@pytest.mark.parametrize("limit", [None, 20.0])
def test_the_callers_context_goes_with_the_call(loop: Loop, limit: float | None) -> None:
    async def look() -> str:
        return STATE.get()

    token = STATE.set("here")
    try:
        assert called("n", limit, STATE.get) == "here"
        assert outcome(loop.run(awaited("n", limit, look))) == "here"
    finally:
        STATE.reset(token)


def test_a_generator_that_takes_too_long_is_given_up_and_what_it_gives_later_is_thrown_away() -> None:
    over, done = threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        over.wait(20)
        done.set()

    with pytest.raises(CallTimeout, match='one call of "slow" took longer than its timeout of 20 ms'):
        called("slow", 0.02, slow)
    over.set()
    assert done.wait(20)


@pytest.mark.parametrize("limit", [None, 20.0])
def test_exit_is_an_error_of_the_node(loop: Loop, limit: float | None) -> None:
    def leave() -> None:
        raise SystemExit("bye")

    async def aleave() -> None:
        raise SystemExit("bye")

    with pytest.raises(NodeError, match=r"called sys.exit\('bye'\)"):
        called("n", limit, leave)
    with pytest.raises(NodeError, match=r"called sys.exit\('bye'\)"):
        outcome(loop.run(awaited("n", limit, aleave)))


def test_an_asynchronous_stream_is_read_to_its_end_within_the_limit(loop: Loop) -> None:
    async def counted() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def endless() -> AsyncIterator[int]:
        while True:
            yield 1
            await asyncio.sleep(0.001)

    assert outcome(loop.run(awaited("n", None, counted))) == [1, 2]
    with pytest.raises(CallTimeout):
        outcome(loop.run(awaited("n", 0.02, endless)))


@pytest.mark.parametrize("limit", [None, 20.0])
def test_a_timeout_of_its_own_stays_what_it_is(loop: Loop, limit: float | None) -> None:
    async def broken() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as caught:
        outcome(loop.run(awaited("n", limit, broken)))
    assert not isinstance(caught.value, CallTimeout)


def test_waiting_for_a_future_ends_with_whatever_it_ends_with() -> None:
    late: Future[int] = Future()
    threading.Timer(0.12, late.set_result, [7]).start()
    assert outcome(late) == 7
    broken: Future[int] = Future()
    broken.set_exception(KeyError("k"))
    with pytest.raises(KeyError):
        outcome(broken)


def test_closing_the_loop_cancels_what_runs_on_it_and_the_next_call_gets_a_new_one() -> None:
    loop = Loop()
    begun, ended = threading.Event(), threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def short() -> int:
        return 1

    future: Future[Any] = loop.run(long())
    assert begun.wait(20)
    loop.close()
    assert ended.is_set()
    assert future.cancelled()
    assert outcome(loop.run(short())) == 1
    loop.close()
    loop.close()
