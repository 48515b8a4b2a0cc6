"""Per-item work told ending by ending: in order, in threads, on the loop, and broken off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from codemation.core.definition import NodeKind, NodePlan, OnError, Policy, RetryPlan
from codemation.core.errors import ContractError
from codemation.core.ids import NodeId
from codemation.core.items import Item
from codemation.core.progress import Finished
from codemation.core.retry import Retry
from codemation.core.signature import NodeCode, Parameter, Result, Shape, Signature
from codemation.host.runtime.allowance import Allowance
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.items import ItemWork, Postponed, checked
from codemation.host.runtime.trouble import Interrupted, ItemFailed

INT = Result(shape=Shape.ONE, item_type=int)
DATA = Parameter(name="n", shape=Shape.ONE, annotation=int, item_type=int)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


class Making:
    """Makes a piece of work whose items are their own positions."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.stop: Callable[[], bool] = lambda: False
        self.retry = RetryPlan()
        self.on_error: OnError = "fail"
        self.attempt = 1

    def work(self, function: Callable[..., Any], count: int = 4, concurrency: int = 1) -> ItemWork:
        policy = Policy(concurrency=concurrency, retry=self.retry, on_error=self.on_error)
        asynchronous = asyncio.iscoroutinefunction(function)
        signature = Signature(data=DATA, arguments=(), injections=(), result=INT, asynchronous=asynchronous)
        node = NodePlan(id=NodeId("n"), kind=NodeKind.THEN, inputs=(), policy=policy)
        return ItemWork(
            node=node,
            code=NodeCode(function=function, signature=signature, retry=Retry(attempts=self.retry.attempts)),
            items=[Item(at, origins=(at,)) for at in range(count)],
            own=count,
            todo=range(count),
            ask=lambda position, item: ((item.value,), {}, None),
            attempt=self.attempt,
            seed="s",
            stop=self.stop,
            allowance=Allowance(node, lambda: 0.0),
            loop=self.loop,
            rows=lambda table: [],
        )


@pytest.fixture
def making(loop: Loop) -> Making:
    return Making(loop)


def same(n: int) -> int:
    return n


async def asame(n: int) -> int:
    await asyncio.sleep(0)
    return n


@pytest.mark.parametrize(("function", "concurrency"), [(same, 1), (same, 3), (asame, 1), (asame, 3), (same, 99)])
def test_every_item_ends_once(making: Making, function: Callable[..., Any], concurrency: int) -> None:
    endings = list(making.work(function, concurrency=concurrency).endings())
    assert all(isinstance(ending, Finished) for ending in endings)
    assert sorted(ending.position for ending in endings) == [0, 1, 2, 3]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_so_many_calls_are_under_way_at_a_time_and_no_more(making: Making, asynchronous: bool) -> None:
    guard, meet = threading.Lock(), threading.Barrier(3)
    now: list[int] = [0]
    most: list[int] = [0]

    def count(by: int) -> None:
        with guard:
            now[0] += by
            most[0] = max(most[0], now[0])

    def work(n: int) -> int:
        count(1)
        meet.wait(20)
        count(-1)
        return n

    async def awork(n: int) -> int:
        count(1)
        for _ in range(5):
            await asyncio.sleep(0)
        count(-1)
        return n

    assert len(list(making.work(awork if asynchronous else work, count=9, concurrency=3).endings())) == 9
    assert most == [3]


@pytest.mark.parametrize(("asynchronous", "concurrency"), [(False, 1), (False, 2), (True, 2)])
def test_a_failure_ends_the_work_and_no_further_call_begins(
    making: Making, asynchronous: bool, concurrency: int
) -> None:
    begun: list[int] = []

    def work(n: int) -> int:
        begun.append(n)
        if n == 1:
            raise ValueError("one")
        return n

    async def awork(n: int) -> int:
        await asyncio.sleep(0)
        return work(n)

    endings = making.work(awork if asynchronous else work, count=50, concurrency=concurrency).endings()
    with pytest.raises(ItemFailed, match="one") as caught:
        list(endings)
    assert (caught.value.position, caught.value.attempts) == (1, 1)
    assert len(begun) < 50 or concurrency > 1


@pytest.mark.parametrize(("asynchronous", "concurrency"), [(False, 1), (False, 2), (True, 2)])
def test_a_stop_interrupts_the_work_and_keeps_what_was_told(
    making: Making, asynchronous: bool, concurrency: int
) -> None:
    stopped = threading.Event()
    making.stop = stopped.is_set

    def work(n: int) -> int:
        if n == 2:
            stopped.set()
        return n

    async def awork(n: int) -> int:
        if n == 2:
            stopped.set()
            await asyncio.sleep(60)
        return n

    told: list[int] = []

    def listen() -> None:
        told.extend(
            ending.position
            for ending in making.work(awork if asynchronous else work, count=50, concurrency=concurrency).endings()
        )

    with pytest.raises(Interrupted):
        listen()
    assert {0, 1} >= set(told) - {2, 3}


def test_work_that_nobody_listens_to_any_more_begins_no_further_call(making: Making) -> None:
    begun: list[int] = []
    going = threading.Semaphore(2)

    def work(n: int) -> int:
        begun.append(n)
        assert going.acquire(timeout=20)
        return n

    endings = making.work(work, count=50, concurrency=2).endings()
    next(endings)
    going.release(2)
    endings.close()
    assert len(begun) <= 5


def test_a_pause_between_two_tries_ends_with_the_run(making: Making) -> None:
    making.retry = RetryPlan(attempts=2, backoff="fixed", delay=4.0, jitter=False)
    stopped = threading.Event()
    making.stop = stopped.is_set

    def work(n: int) -> int:
        stopped.set()
        raise ValueError("no")

    with pytest.raises(Interrupted):
        list(making.work(work, count=1).endings())
    stopped.clear()
    with pytest.raises(Interrupted):
        list(making.work(work, count=2, concurrency=2).endings())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_long_delay_postpones_the_item_and_the_attempt_counts(making: Making, asynchronous: bool) -> None:
    making.retry = RetryPlan(attempts=2, backoff="fixed", delay=60.0, jitter=False)

    def work(n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n

    async def awork(n: int) -> int:
        return work(n)

    function = awork if asynchronous else work
    endings = list(making.work(function).endings())
    postponed = [ending for ending in endings if isinstance(ending, Postponed)]
    assert [(one.position, one.delay) for one in postponed] == [(1, 60.0), (3, 60.0)]
    making.attempt, making.on_error = 2, "port"
    failures = [ending for ending in making.work(function).endings() if isinstance(ending, Finished) and ending.failed]
    assert [one.emitted[0][1].value.attempts for one in failures] == [2, 2]


def test_items_are_checked_before_the_first_call(making: Making) -> None:
    def refuse(value: object, position: int) -> object:
        if position == 2:
            raise ContractError("does not fit")
        return value

    with pytest.raises(ItemFailed, match="does not fit") as caught:
        checked(making.work(same), refuse)
    assert caught.value.position == 2


def test_an_error_beneath_the_call_reaches_whoever_listens(making: Making) -> None:
    def broken(position: int, item: Item[Any]) -> Any:
        raise Interrupted

    for concurrency in (1, 2):
        with pytest.raises(Interrupted):
            list(replace(making.work(same, concurrency=concurrency), ask=broken).endings())
