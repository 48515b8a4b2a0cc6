"""Empty batches, dead paths and joins (semantics §3, "empty batch" and "readiness")."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel

import codemation as cm
from tests.host.runtime.conftest import Run


class Order(BaseModel):
    id: int


ORDERS = [Order(id=1), Order(id=2)]


def test_what_stands_on_an_empty_filter_is_skipped_to_the_end(run: Run) -> None:
    calls: list[object] = []

    @cm.node
    def each(order: Order) -> Order:
        calls.append(order)
        return order

    @cm.node
    def all_(orders: list[Order]) -> int:
        calls.append(orders)
        return len(orders)

    handle = run(cm.workflow("w", input=Order).filter(lambda order: order.id > 9).then(each).then(all_).build(), ORDERS)
    assert calls == []
    assert [handle[name].status for name in ("filter", "each", "all_")] == ["succeeded", "skipped", "skipped"]
    assert handle.output == []
    assert handle["each"].attempts == 0


def test_continue_when_empty_lets_the_next_nodes_run_with_nothing(run: Run) -> None:
    calls: list[int] = []

    @cm.node(continue_when_empty=True)
    def none(order: Order) -> Order | None:
        return None

    @cm.node
    def each(order: Order) -> Order:
        calls.append(order.id)
        return order

    @cm.node
    def count(orders: list[Order]) -> int:
        return len(orders)

    start = cm.workflow("w", input=Order).then(none)
    handle = run(start.then(each).build(), ORDERS)
    assert (handle["each"].status, calls) == ("succeeded", [])
    assert run(start.then(count).build(), ORDERS).output == 0


def test_run_on_empty_calls_once_in_spite_of_nothing(run: Run) -> None:
    @cm.node(run_on_empty=True)
    def each(order: Order | None) -> str:
        return f"got {order}"

    @cm.node(run_on_empty=True)
    def table(orders: pl.DataFrame) -> int:
        return orders.height

    empty = cm.workflow("w", input=Order).filter(lambda order: False)
    assert run(empty.then(each).build(), ORDERS).output == ["got None"]
    assert run(empty.then(table).build(), ORDERS).output == 0
    assert run(cm.workflow("w", input=Order).then(each).build(), []).output == ["got None"]


def test_what_stands_in_for_nothing_takes_no_item_its_place(run: Run) -> None:
    @cm.node(run_on_empty=True)
    def default(order: Order | None) -> list[Order]:
        return [Order(id=100), Order(id=101)]

    workflow = (
        cm.workflow("w", input=Order)
        .branch(lambda order: order.id > 9, yes=default)
        .merge(by="origin", prefer=["yes"])
        .build()
    )
    assert {order.id for order in run(workflow, ORDERS).output} == {1, 2, 100, 101}


def test_an_empty_input_skips_everything_and_the_run_succeeds(run: Run) -> None:
    @cm.node
    def each(order: Order) -> Order:
        return order

    handle = run(cm.workflow("w", input=Order).then(each).build(), [])
    assert (handle.status, handle["each"].status) == ("succeeded", "skipped")


def test_a_join_on_a_skipped_branch_runs_once_with_what_came(run: Run) -> None:
    calls: list[list[int]] = []

    @cm.node
    def big(order: Order) -> Order:
        return Order(id=order.id + 100)

    @cm.node
    def joined(orders: list[Order]) -> int:
        calls.append([order.id for order in orders])
        return len(orders)

    workflow = cm.workflow("w", input=Order).branch(lambda order: order.id > 9, yes=big).then(joined).build()
    handle = run(workflow, ORDERS)
    assert calls == [[1, 2]]
    assert (handle["big"].status, handle.output) == ("skipped", 2)


def test_a_node_with_one_empty_input_of_two_runs(run: Run) -> None:
    @cm.node
    def both(left: list[Order], right: list[Order]) -> str:
        return f"{len(left)} {len(right)}"

    @cm.workflow("w", input=Order)
    def wide(start: cm.Flow[Order]) -> cm.Flow[str]:
        return start.then(both, right=start.filter(lambda order: False))

    assert run(wide, ORDERS).output == "2 0"


def test_two_branches_that_are_both_skipped_skip_what_they_meet_in(run: Run) -> None:
    workflow = (
        cm.workflow("w", input=Order)
        .filter(lambda order: False)
        .parallel(a=lambda f: f.map(lambda order: order, id="a"), b=lambda f: f.map(lambda order: order, id="b"))
        .aggregate(len)
        .build()
    )
    handle = run(workflow, ORDERS)
    assert [handle[name].status for name in ("a", "b", "len")] == ["skipped"] * 3
