"""A node has so much time for all of its tries, and gives no more than a run may hold."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import codemation as cm
from codemation.core.errors import InputError, RunFailed
from codemation.host.app import App
from codemation.host.runtime.allowance import Allowance, TotalTimeout
from tests.host.runtime.conftest import Run


@cm.node
def numbers() -> list[int]:
    return [1, 2, 3]


def failing(**options: Any) -> cm.FunctionNode[Any, Any, ..., Any]:
    @cm.node(**options)
    def flaky(number: int) -> int:
        raise ValueError("not today")

    return flaky


def built(*nodes: Any, **options: Any) -> cm.Workflow[Any, ...]:
    flow: Any = cm.workflow("limited", **options)
    for one in nodes:
        flow = flow.then(one)
    workflow: cm.Workflow[Any, ...] = flow.build()
    return workflow


def test_tries_end_when_the_next_one_would_begin_after_the_total_timeout(run: Run) -> None:
    flaky = failing(retry=cm.Retry(50, backoff="fixed", delay="200ms", jitter=False), total_timeout="500ms")
    began = time.monotonic()
    with pytest.raises(RunFailed, match=r"total_timeout of 500 ms; the last try: ValueError: not today"):
        run(built(numbers, flaky))
    assert time.monotonic() - began < 10.0


def test_a_long_delay_that_ends_after_the_total_timeout_is_not_waited_for(run: Run) -> None:
    flaky = failing(retry=cm.Retry(3, "fixed", "1h", "2h"), total_timeout="30m")
    with pytest.raises(RunFailed, match="total_timeout of 30m 00s"):
        run(built(numbers, flaky))


@pytest.mark.parametrize("whole", [False, True])
def test_a_call_is_ended_by_the_total_timeout_and_the_reason_says_which(run: Run, whole: bool) -> None:
    over = threading.Event()

    @cm.node(total_timeout="200ms", timeout="1h", retry=cm.Retry(3, backoff="none"))
    def slow(number: int) -> int:
        over.wait(30.0)
        return number

    @cm.node(total_timeout="200ms")
    async def slow_all(values: list[int]) -> int:
        await asyncio.sleep(30.0)
        return 1

    with pytest.raises(RunFailed, match=r'"slow(_all)?" was not done within its total_timeout of 200 ms$|200 ms'):
        run(built(numbers, slow_all if whole else slow))
    over.set()


def test_the_timeout_of_one_call_is_named_as_such_and_tried_again_within_the_total(run: Run) -> None:
    tries: list[int] = []

    @cm.node(timeout="100ms", total_timeout="1h", retry=cm.Retry(3, backoff="none"))
    async def slow_at_first(value: int) -> int:
        tries.append(value)
        if len(tries) == 1:
            await asyncio.sleep(30.0)
        return value

    assert run(built(numbers, slow_at_first)).output == [1, 2, 3]
    assert len(tries) == 4


def test_items_that_are_out_of_time_go_to_the_error_port(run: Run) -> None:
    flaky = failing(retry=cm.Retry(9, "fixed", "1h", "2h"), total_timeout="1s", on_error="port")
    handle = run(built(numbers, flaky))
    assert {failure.type for failure in handle["flaky"]["error"].items} == {"TotalTimeout"}


def test_no_call_begins_when_no_time_is_left(run: Run) -> None:
    definition = built(numbers, failing(total_timeout="5s")).definition
    allowance = Allowance(definition.plan.nodes[definition.nodes[-1].id], lambda: 6.0)
    with pytest.raises(TotalTimeout):
        allowance.limit()
    error, delay = allowance.judged(TotalTimeout(definition.nodes[-1]), 1.0)
    assert (type(error), delay) == (TotalTimeout, None)


def test_an_output_with_more_items_than_the_run_may_hold_fails_its_node(run: Run) -> None:
    with pytest.raises(RunFailed, match=r'LimitExceeded: "numbers" gave 3 items, and the limit is 2'):
        run(built(numbers, limits=cm.Limits(items=2)))


def test_an_output_that_is_too_large_fails_its_node_whatever_becomes_of_its_errors(run: Run) -> None:
    @cm.node(on_error="drop")
    def large(values: list[int]) -> str:
        return "x" * 5000

    with pytest.raises(RunFailed, match=r'"large" gave 5.02 kB, and the limit is 4 kB'):
        run(built(numbers, large, limits=cm.Limits(payload="4kB")))


def test_a_run_is_refused_more_items_than_it_may_hold(run: Run, app: App) -> None:
    @cm.node
    def same(value: int) -> int:
        return value

    workflow = cm.workflow("limited", input=int, limits=cm.Limits(items=2)).then(same).build()
    with pytest.raises(InputError, match="the run was given 3 items, and the limit is 2"):
        run(workflow, [1, 2, 3])
    assert app.stores.runs.page(limit=10) == ()


def test_a_run_may_ask_nodes_to_work_only_so_often(run: Run) -> None:
    with pytest.raises(RunFailed, match=r'it may ask nodes to work 1 times, and "again" would be the next'):
        run(built(numbers, numbers.options(id="again"), limits=cm.Limits(activations=1)))


def test_a_run_that_is_not_over_in_time_fails_and_the_reason_says_so(run: Run, app: App) -> None:
    flaky = failing(retry=cm.Retry(3, "fixed", "1h", "2h"))
    with pytest.raises(
        RunFailed, match=r"not over within the timeout of its workflow; \"flaky\" had not ended"
    ) as failed:
        run(built(numbers, flaky, timeout="200ms"))
    handle: Any = failed.value.run
    assert app.stores.runs.tickets(handle.id) == ()
    assert app.stores.runs.unattended() == ()


def test_nodes_notice_that_the_time_of_their_run_is_over_and_a_deaf_coroutine_is_cancelled(run: Run) -> None:
    noticed, cancelled = threading.Event(), threading.Event()

    @cm.node
    def patient(values: list[int], ctx: cm.Context) -> int:
        while not ctx.cancelled:
            time.sleep(0.02)
        noticed.set()
        return 1

    @cm.node
    async def deaf(values: list[int]) -> int:
        try:
            await asyncio.sleep(3600.0)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return 1

    for node in (patient, deaf):
        with pytest.raises(RunFailed, match="timeout of its workflow"):
            run(built(numbers, node, timeout="100ms"))
    assert noticed.is_set()
    assert cancelled.wait(30)


def test_a_run_that_was_out_of_time_has_all_of_it_again_when_it_is_resumed(run: Run, app: App) -> None:
    quick = threading.Event()

    @cm.node(retry=cm.Retry(3, "fixed", "1h", "2h"))
    def slow_at_first(values: list[int]) -> int:
        if not quick.is_set():
            raise ValueError("not yet")
        return 1

    workflow = built(numbers, slow_at_first, timeout="300ms")
    with pytest.raises(RunFailed) as failed:
        run(workflow)
    handle: Any = failed.value.run
    quick.set()
    assert app.resume(handle.id, workflow).result() == 1


def test_a_run_that_is_over_in_time_leaves_nothing_behind(run: Run, app: App) -> None:
    handle = run(built(numbers, timeout="1h"))
    assert app.stores.runs.tickets(handle.id) == ()
