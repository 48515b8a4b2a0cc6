"""How a node is called: the annotation of its first parameter says so (semantics §3, api §2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.workflow import Workflow
from codemation.host.app import App
from tests.host.runtime.conftest import Run


class Order(BaseModel):
    id: int
    qty: int = 1


@dataclass
class Point:
    x: int


ORDERS = [Order(id=1, qty=2), Order(id=2, qty=4)]


def flow_of(node: Any, kind: Any = Order) -> Workflow[Any, ...]:
    return cm.workflow("w", input=kind).then(node).build()


@cm.node
def by_model(order: Order) -> int:
    return order.qty


@cm.node
def by_item(order: cm.Item[Order]) -> str:
    return f"{order.key} {order.value.id} {order.origins}"


@cm.node
def by_list(orders: list[Order]) -> int:
    return sum(order.qty for order in orders)


@cm.node
def by_sequence(orders: Sequence[Order]) -> int:
    return len(orders)


@cm.node
def by_wrapped_list(orders: list[cm.Item[Order]]) -> str:
    return ",".join(order.key for order in orders)


@cm.node
def by_stream(orders: Iterator[Order]) -> int:
    return next(orders).id


@cm.node
def by_polars(orders: pl.DataFrame) -> int:
    return int(orders["qty"].sum())


@cm.node
def by_pandas(orders: pd.DataFrame) -> int:
    return int(orders["qty"].sum())


@cm.node
def by_arrow(orders: pa.Table) -> int:
    return orders.num_rows


@cm.node
def by_dict(order: dict[str, Any]) -> int:
    return int(order["id"])


@cm.node
def by_anything(order: Any) -> str:
    return type(order).__name__


@cm.node
def by_nothing_said(order, factor: int = 1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - the point of it
    return order.id * factor


@cm.node
async def by_coroutine(order: Order) -> int:
    return order.id


@cm.node
async def by_coroutine_of_all(orders: list[Order]) -> int:
    return len(orders)


@pytest.mark.parametrize(
    ("node", "given"),
    [
        (by_model, [2, 4]),
        (by_item, ["start:0 1 (0,)", "start:1 2 (1,)"]),
        (by_list, [6]),
        (by_sequence, [2]),
        (by_wrapped_list, ["start:0,start:1"]),
        (by_stream, [1]),
        (by_polars, [6]),
        (by_pandas, [6]),
        (by_arrow, [2]),
        (by_dict, [1, 2]),
        (by_anything, ["Order", "Order"]),
        (by_nothing_said, [1, 2]),
        (by_coroutine, [1, 2]),
        (by_coroutine_of_all, [2]),
    ],
    ids=lambda case: getattr(case, "id", "gives"),
)
def test_the_first_parameter_says_how_a_node_is_called(run: Run, node: Any, given: list[Any]) -> None:
    assert run(flow_of(node), ORDERS)[node].items == given


def test_a_scalar_and_a_dataclass_are_taken_one_by_one(run: Run) -> None:
    @cm.node
    def double(n: int) -> int:
        return 2 * n

    @cm.node
    def place(point: Point) -> int:
        return point.x

    assert run(flow_of(double, int), [1, 2]).output == [2, 4]
    assert run(flow_of(place, Point), [Point(3)]).output == [3]


def test_a_source_is_called_once_and_a_workflow_without_input_begins_with_one_empty_item(run: Run) -> None:
    calls: list[int] = []

    @cm.node
    def source() -> list[int]:
        calls.append(1)
        return [1, 2, 3]

    @cm.node
    def second_source(*, n: int = 5) -> int:
        return n

    handle = run(cm.workflow("w").then(source).then(second_source, n=7).build())
    assert calls == [1]
    assert handle["source"].items == [1, 2, 3]
    assert handle["start"].items == [{}]
    assert handle.output == 7


def test_what_is_a_table_in_one_node_are_items_in_the_next_and_the_other_way_round(run: Run) -> None:
    @cm.node
    def table() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2], "qty": [3, 4]})

    @cm.node
    def each(order: Order) -> Order:
        return Order(id=order.id, qty=order.qty + 1)

    @cm.node
    def again(orders: pd.DataFrame) -> pd.DataFrame:
        return orders[orders.qty > 4]

    handle = run(cm.workflow("w").then(table).then(each).then(again).build())
    assert handle["each"].items == [Order(id=1, qty=4), Order(id=2, qty=5)]
    assert isinstance(handle.output, pd.DataFrame)
    assert handle["again"].items == [{"id": 2, "qty": 5}]


def test_a_flow_as_an_argument_is_a_whole_batch_broadcast_to_each_item(run: Run) -> None:
    @cm.node
    def rates() -> list[int]:
        return [10, 20]

    @cm.node
    def rate_table() -> pl.DataFrame:
        return pl.DataFrame({"rate": [1, 2, 3]})

    @cm.node
    def one() -> int:
        return 100

    @cm.node
    def priced(order: Order, rates: list[int], table: pl.DataFrame, base: int, factor: int = 1) -> int:
        return order.qty * factor + sum(rates) + table.height + base

    @cm.workflow("w", input=Order)
    def wide(start: cm.Flow[Order]) -> cm.Flow[int]:
        return start.then(
            priced, rates=start.then(rates), table=start.then(rate_table), base=start.then(one), factor=1000
        )

    assert run(wide, ORDERS).output == [2133, 4133]


@pytest.mark.parametrize("given", [[], [1, 2]])
def test_an_argument_that_takes_one_item_fails_the_node_when_another_number_came(run: Run, given: list[int]) -> None:
    @cm.node
    def some() -> list[int]:
        return given

    @cm.node
    def works(order: Order, one: int) -> int:
        return one

    @cm.workflow("w", input=Order)
    def wide(start: cm.Flow[Order]) -> cm.Flow[int]:
        return start.then(works, one=start.then(some))

    with pytest.raises(RunFailed, match=rf'"one" of "works" takes exactly one item, and {len(given)} came'):
        run(wide, ORDERS)


class Settings(cm.Params):
    factor: int = 2
    name: str = "n"


class MoreSettings(Settings):
    extra: int = 0


def test_params_and_context_are_injected_by_type_wherever_they_stand(run: Run) -> None:
    @cm.node
    def works(ctx: cm.Context, order: Order, settings: Settings, *, more: MoreSettings) -> str:
        return f"{ctx.node_id} {order.qty * settings.factor} {more.extra} {ctx.params.name}"

    workflow = cm.workflow("w", params=MoreSettings, input=Order).then(works).build()
    assert run(workflow, ORDERS[0], factor=3, extra=9).output == ["works 6 9 n"]


def test_a_reference_to_a_param_is_taken_from_the_run(run: Run) -> None:
    @cm.node
    def works(order: Order, by: int) -> int:
        return order.qty * by

    workflow = (
        cm.workflow("w", params=Settings, input=Order)
        .then(works, by=Settings.factor)
        .filter(lambda n, least: n > least, least=Settings.factor)
        .build()
    )
    handle = run(workflow, ORDERS, factor=1)
    assert handle["works"].items == [2, 4]
    assert handle["filter"].items == [2, 4]
    assert run(workflow, ORDERS, factor=4).output == [8, 16]


def test_an_asynchronous_stream_is_read_to_its_end(run: Run) -> None:
    @cm.node
    async def counted(order: Order) -> AsyncIterator[int]:
        for n in range(order.qty):
            yield n

    @cm.node
    async def all_counted(ns: list[int]) -> AsyncIterator[int]:
        for n in ns:
            yield -n

    handle = run(cm.workflow("w", input=Order).then(counted).then(all_counted).build(), ORDERS)
    assert handle.output == [0, -1, 0, -1, -2, -3]


def test_a_node_stays_a_plain_function(app: App) -> None:
    assert by_model(Order(id=1, qty=7)) == 7
