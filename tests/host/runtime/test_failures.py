"""What becomes of items and batches that fail (semantics §5: retry, errors, timeouts; §3: input contract)."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.facts import Retrying, decode_delta
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.host.runtime.conftest import Run


class Order(BaseModel):
    id: int


ORDERS = [Order(id=n) for n in range(4)]
SOON = cm.Retry(3, backoff="none", delay="1ms")


def journalled_retries(app: App, handle: RunHandle) -> list[tuple[int, float]]:
    """Attempt and delay of every retry that is recorded."""
    _, entries = app.stores.journal.load(handle.id)
    facts = [fact for entry in entries for fact in decode_delta(entry.delta)]
    return [(fact.attempt, fact.delay) for fact in facts if isinstance(fact, Retrying)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_batch_is_tried_again_and_every_try_is_recorded(app: App, run: Run, asynchronous: bool) -> None:
    tries: list[int] = []

    def work(attempt: int) -> int:
        tries.append(attempt)
        if attempt < 3:
            raise ConnectionError(f"try {attempt}")
        return 7

    @cm.node(retry=SOON)
    def flaky(orders: list[Order], ctx: cm.Context) -> int:
        return work(ctx.attempt)

    @cm.node(retry=SOON)
    async def aflaky(orders: list[Order], ctx: cm.Context) -> int:
        return work(ctx.attempt)

    node = aflaky if asynchronous else flaky
    handle = run(cm.workflow("w", input=Order).then(node).build(), ORDERS)
    assert (handle.output, tries, handle[node].attempts) == (7, [1, 2, 3], 3)
    assert journalled_retries(app, handle) == [(2, 0.0), (3, 0.0)]


def test_the_delays_of_a_batch_are_those_of_its_policy(app: App, run: Run) -> None:
    @cm.node(retry=cm.Retry(4, backoff="exponential", delay="10ms", max_delay="25ms", jitter=False))
    def flaky(orders: list[Order], ctx: cm.Context) -> int:
        if ctx.attempt < 4:
            raise ConnectionError("no")
        return 1

    handle = run(cm.workflow("w", input=Order).then(flaky).build(), ORDERS)
    assert journalled_retries(app, handle) == [(2, 0.01), (3, 0.02), (4, 0.025)]


def test_after_the_last_try_the_failure_says_item_and_error(run: Run) -> None:
    calls: Counter[int] = Counter()

    @cm.node(retry=SOON)
    def bad(order: Order) -> Order:
        calls[order.id] += 1
        if order.id == 2:
            raise ValueError("bad two")
        return order

    with pytest.raises(RunFailed, match='failed at "bad", item 2: ValueError: bad two') as caught:
        run(cm.workflow("w", input=Order).then(bad).build(), ORDERS)
    assert calls == {0: 1, 1: 1, 2: 3}
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_items_are_tried_again_one_by_one(run: Run, asynchronous: bool) -> None:
    calls: Counter[int] = Counter()

    def work(order: Order, attempt: int) -> int:
        calls[order.id] += 1
        assert attempt == calls[order.id]
        if order.id % 2 and attempt < 3:
            raise ConnectionError("no")
        return order.id

    @cm.node(retry=SOON)
    def flaky(order: Order, ctx: cm.Context) -> int:
        return work(order, ctx.attempt)

    @cm.node(retry=SOON)
    async def aflaky(order: Order, ctx: cm.Context) -> int:
        return work(order, ctx.attempt)

    handle = run(cm.workflow("w", input=Order).then(aflaky if asynchronous else flaky).build(), ORDERS)
    assert handle.output == [0, 1, 2, 3]
    assert calls == {0: 1, 1: 3, 2: 1, 3: 3}


def test_long_delays_wait_as_a_ticket_with_the_finished_items_recorded(app: App, launch: Run) -> None:
    calls: Counter[int] = Counter()

    @cm.node(retry=cm.Retry(3, backoff="fixed", delay="1h", jitter=False))
    def flaky(order: Order) -> int:
        calls[order.id] += 1
        if order.id == 1 and calls[1] < 2:
            raise ConnectionError("no")
        return order.id

    handle = launch(cm.workflow("w", input=Order).then(flaky).build(), ORDERS)
    app.scheduler.drive(handle.watched, until=lambda: handle.snapshot.status == "waiting")  # type: ignore[arg-type]
    (ticket,) = app.stores.runs.tickets(handle.id)
    assert (ticket.state, handle["flaky"].status, handle["flaky"].attempts) == ("waiting", "waiting", 1)
    (chunk,) = app.stores.tickets.progress(ticket.id, ticket.activation)
    assert chunk.items == (0, 2, 3)
    assert calls == {0: 1, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize("batch", [False, True])
def test_give_up_on_ends_the_tries_at_once(run: Run, batch: bool) -> None:
    calls: list[int] = []
    retry = cm.Retry(5, delay="1ms", on=(OSError,), give_up_on=(PermissionError,))

    @cm.node(retry=retry)
    def each(order: Order) -> Order:
        calls.append(1)
        raise PermissionError("never")

    @cm.node(retry=retry)
    def all_(orders: list[Order]) -> int:
        calls.append(1)
        raise ValueError("not among those that are tried again")

    with pytest.raises(RunFailed):
        run(cm.workflow("w", input=Order).then(all_ if batch else each).build(), ORDERS)
    assert calls == [1]


@cm.node
def collect(items: list[int]) -> list[int]:
    return items


@cm.node
def odd_fails(order: Order) -> int:
    if order.id % 2:
        raise ValueError(f"odd {order.id}")
    return order.id


def test_on_error_drop_goes_on_without_the_items_that_failed(run: Run) -> None:
    handle = run(cm.workflow("w", input=Order).then(odd_fails, on_error="drop").build(), ORDERS)
    assert handle.output == [0, 2]
    assert handle["odd_fails"].record is not None
    assert (handle["odd_fails"].record.items, handle["odd_fails"].record.failures) == (4, 2)


def test_on_error_port_sends_what_failed_to_the_error_port(run: Run) -> None:
    handle = run(cm.workflow("w", input=Order).then(odd_fails, on_error="port").build(), ORDERS)
    assert handle.output == [0, 2]
    failures = handle["odd_fails"].failures
    assert [(one.item, one.type, one.error, one.node) for one in failures] == [
        (Order(id=1), "ValueError", "odd 1", "odd_fails"),
        (Order(id=3), "ValueError", "odd 3", "odd_fails"),
    ]
    assert "test_failures.py" in failures[0].traceback


def test_on_error_with_a_branch_joins_again_in_order(run: Run) -> None:
    @cm.node
    def repair(failed: cm.Failure[Order]) -> int:
        return -failed.item.id

    handle = run(cm.workflow("w", input=Order).then(odd_fails, on_error=repair).then(collect).build(), ORDERS)
    assert handle.output == [0, -1, 2, -3]


@pytest.mark.parametrize(("on_error", "kept"), [("drop", []), ("port", [ORDERS])])
def test_a_batch_that_fails_is_dropped_or_goes_to_the_port_as_one_failure(
    run: Run, on_error: Any, kept: list[Any]
) -> None:
    @cm.node
    def bad(orders: list[Order]) -> int:
        raise ValueError("no")

    @cm.node
    def bad_source() -> int:
        raise ValueError("no")

    handle = run(cm.workflow("w", input=Order).then(bad, on_error=on_error).build(), ORDERS)
    assert handle.output == []
    assert [failure.item for failure in handle["bad"].failures] == kept
    handle = run(cm.workflow("w").then(bad_source, on_error=on_error).build())
    assert [failure.item for failure in handle["bad_source"].failures] == [None] * len(kept)


def test_a_batch_that_fails_is_dropped_only_after_its_last_try(run: Run) -> None:
    tries: list[int] = []

    @cm.node(retry=SOON)
    def bad(orders: list[Order], ctx: cm.Context) -> int:
        tries.append(ctx.attempt)
        raise ValueError("no")

    run(cm.workflow("w", input=Order).then(bad, on_error="drop").build(), ORDERS)
    assert tries == [1, 2, 3]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_that_takes_too_long_is_given_up(run: Run, batch: bool, asynchronous: bool) -> None:
    over = threading.Event()

    @cm.node(timeout="50ms")
    def each(order: Order) -> int:
        over.wait(20)
        return 1

    @cm.node(timeout="50ms")
    async def aeach(order: Order) -> int:
        await asyncio.sleep(20)
        return 1

    @cm.node(timeout="50ms")
    def all_(orders: list[Order]) -> int:
        over.wait(20)
        return 1

    @cm.node(timeout="50ms")
    async def aall(orders: list[Order]) -> int:
        await asyncio.sleep(20)
        return 1

    node: Any = {(False, False): each, (False, True): aeach, (True, False): all_, (True, True): aall}[
        batch, asynchronous
    ]
    with pytest.raises(RunFailed, match=f'CallTimeout: one call of "{node.id}" took longer than its timeout of 50 ms'):
        run(cm.workflow("w", input=Order).then(node).build(), ORDERS[:1])
    over.set()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_timeout_of_the_nodes_own_is_no_timeout_of_its_call(run: Run, asynchronous: bool) -> None:
    @cm.node(timeout="30s")
    def each(order: Order) -> int:
        raise TimeoutError("the server did not answer")

    @cm.node(timeout="30s")
    async def aeach(order: Order) -> int:
        raise TimeoutError("the server did not answer")

    with pytest.raises(RunFailed, match=": TimeoutError: the server did not answer"):
        run(cm.workflow("w", input=Order).then(aeach if asynchronous else each).build(), ORDERS[:1])


@cm.node
def untyped() -> list[dict[str, Any]]:
    return [{"id": 1}, {"id": {"deep": "x"}}, {}]


@pytest.mark.parametrize("batch", [False, True])
def test_what_does_not_fit_names_node_item_and_path_and_nothing_is_executed(run: Run, batch: bool) -> None:
    calls: list[object] = []

    @cm.node(retry=SOON)
    def each(order: Order) -> int:
        calls.append(order)
        return 1

    @cm.node(retry=SOON)
    def all_(orders: list[Order]) -> int:
        calls.append(orders)
        return 1

    node = all_ if batch else each
    name = "orders" if batch else "order"
    with pytest.raises(RunFailed, match=rf'item 1 of "{name}" does not fit Order of "{node.id}": id: Input should'):
        run(cm.workflow("w").then(untyped).then(node).build())
    assert calls == []


@pytest.mark.parametrize(("on_error", "left"), [("drop", 0), ("port", 2)])
def test_an_item_that_does_not_fit_is_a_failure_like_any_other_where_failures_are_let_go(
    run: Run, on_error: Any, left: int
) -> None:
    @cm.node
    def each(order: Order) -> int:
        return order.id

    handle = run(cm.workflow("w").then(untyped).then(each, on_error=on_error).build())
    assert handle.output == [1]
    assert len(handle["each"].failures) == left


def test_parse_reads_untyped_records_and_sends_the_others_where_it_is_told(run: Run) -> None:
    rejected: list[str] = []

    @cm.node
    def reject(failures: list[cm.Failure[dict[str, Any]]]) -> None:
        rejected.extend(str(failure.item) for failure in failures)

    handle = run(cm.workflow("w").then(untyped).parse(Order, on_error=reject).build())
    assert handle.output == [Order(id=1)]
    assert rejected == ["{'id': {'deep': 'x'}}", "{}"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_node_that_calls_exit_fails_and_the_process_goes_on(run: Run, asynchronous: bool) -> None:
    @cm.node(timeout="20s")
    def leave(order: Order) -> int:
        raise SystemExit(3)

    @cm.node
    async def aleave(orders: list[Order]) -> int:
        raise SystemExit(3)

    workflow = cm.workflow("w", input=Order).then(aleave if asynchronous else leave).build()
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"called sys.exit\(3\)"):
            run(workflow, ORDERS)


def test_an_exception_whose_message_cannot_be_read_is_a_failure_like_any_other(run: Run) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    @cm.node
    def each(order: Order) -> int:
        raise Mute

    workflow = cm.workflow("w", input=Order)
    with pytest.raises(RunFailed, match=r"Mute \(its message cannot be read: RuntimeError\)"):
        run(workflow.then(each).build(), ORDERS)
    handle = run(workflow.then(each, on_error="port").build(), ORDERS[:1])
    assert [failure.type for failure in handle["each"].failures] == ["Mute"]


def test_what_did_not_fail_goes_on_and_a_resume_repeats_only_what_failed(app: App, launch: Run) -> None:
    calls: Counter[str] = Counter()
    broken = {"yes": True}

    @cm.node
    def good(order: Order) -> int:
        calls["good"] += 1
        return order.id

    @cm.node
    def bad(order: Order) -> int:
        calls[f"bad {order.id}"] += 1
        if order.id == 2 and broken["yes"]:
            raise ValueError("no")
        return order.id

    @cm.node
    def both(ns: list[int]) -> int:
        return sum(ns)

    workflow = cm.workflow("w", input=Order).parallel(a=good, b=bad).then(both).build()
    handle = launch(workflow, ORDERS)
    with pytest.raises(RunFailed):
        handle.result()
    assert [handle[name].status for name in ("good", "bad", "both")] == ["succeeded", "failed", "pending"]
    broken.clear()
    broken["yes"] = False
    assert app.resume(handle.id, workflow).result() == 12
    assert calls == {"good": 4, "bad 0": 1, "bad 1": 1, "bad 2": 2, "bad 3": 1}
