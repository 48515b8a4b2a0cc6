"""What a node gives (semantics §2, "return of a per-item node"; api §2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from tests.host.runtime.conftest import Run


class Order(BaseModel):
    id: int


class Checked(cm.Ports):
    valid: int = cm.port()
    suspect: list[int] = cm.port()


ORDERS = [Order(id=1), Order(id=2), Order(id=3)]


def test_none_drops_the_item_of_an_optional_result(run: Run) -> None:
    @cm.node
    def odd(order: Order) -> Order | None:
        return order if order.id % 2 else None

    handle = run(cm.workflow("w", input=Order).then(odd).build(), ORDERS)
    assert handle.output == [Order(id=1), Order(id=3)]


def test_lists_and_generators_fan_out_in_order(run: Run) -> None:
    @cm.node
    def listed(order: Order) -> list[int]:
        return [order.id] * order.id

    @cm.node
    def generated(n: int) -> Iterator[int]:
        yield n
        yield -n

    handle = run(cm.workflow("w", input=Order).then(listed).then(generated).build(), ORDERS[:2])
    assert handle["listed"].items == [1, 2, 2]
    assert handle.output == [1, -1, 2, -2, 2, -2]


def test_a_node_that_gives_none_ends_the_line(run: Run) -> None:
    seen: list[int] = []

    @cm.node
    def keep(order: Order) -> None:
        seen.append(order.id)

    handle = run(cm.workflow("w", input=Order).then(keep).build(), ORDERS)
    assert seen == [1, 2, 3]
    assert handle["keep"].items == []
    assert handle["keep"].status == "succeeded"


@pytest.mark.parametrize("batch", [False, True])
def test_a_list_inside_a_list_is_an_error_that_says_so(run: Run, batch: bool) -> None:
    @cm.node
    def each(order: Order) -> list[Any]:
        return [[order.id]]

    @cm.node
    def all_(orders: list[Order]) -> list[Any]:
        return [[1]]

    with pytest.raises(RunFailed, match=r"a list inside a list .* an item is never a list"):
        run(cm.workflow("w", input=Order).then(all_ if batch else each).build(), ORDERS)


def test_ports_route_per_item_and_what_is_left_out_is_given_nothing(run: Run) -> None:
    @cm.node
    def check(order: Order) -> Checked:
        return Checked(valid=order.id) if order.id < 3 else Checked(suspect=[order.id, 0])

    workflow = (
        cm.workflow("w", input=Order)
        .then(check)
        .route(valid=lambda f: f.map(lambda n: n * 10, id="ten"), suspect=lambda f: f.map(lambda n: -n, id="minus"))
        .build()
    )
    handle = run(workflow, ORDERS)
    assert handle["check"]["valid"].items == [1, 2]
    assert handle["check"]["suspect"].items == [3, 0]
    assert handle.output == [10, 20, -3, 0]


def test_ports_of_a_batch_node_hold_one_item_a_list_or_a_table(run: Run) -> None:
    class Parts(cm.Ports):
        table: pl.DataFrame = cm.port()
        items: list[int] = cm.port()
        one: str = cm.port()
        unset: str = cm.port()

    @cm.node
    def parted(orders: list[Order]) -> Parts:
        return Parts(table=pl.DataFrame({"n": [1, 2]}), items=[5], one="x")

    workflow = cm.workflow("w", input=Order).then(parted).route(one=lambda f: f.map(str.upper)).build()
    handle = run(workflow, ORDERS)
    assert handle["parted"]["table"].items == [{"n": 1}, {"n": 2}]
    assert handle["parted"]["items"].items == [5]
    assert handle["parted"]["unset"].items == []
    assert handle.output == ["X"]


def test_where_nothing_is_said_the_value_says_what_it_is(run: Run) -> None:
    @cm.node
    def anything(order: Order) -> Any:
        match order.id:
            case 1:
                return [10, 11]
            case 2:
                return (n for n in (20, 21))
            case 3:
                return None
            case _:
                return {"id": order.id}

    @cm.node
    def some_table(ns: list[Any]) -> Any:
        return pl.DataFrame({"n": [1]})

    handle = run(cm.workflow("w", input=Order).then(anything).then(some_table).build(), [*ORDERS, Order(id=4)])
    assert handle["anything"].items == [10, 11, 20, 21, {"id": 4}]
    assert handle["some_table"].batch.kind == "table"


def test_ports_that_nothing_announced_are_followed_by_the_value_alone(run: Run) -> None:
    @cm.node
    def surprised(order: Order) -> Any:
        return Checked(valid=1)

    handle = run(cm.workflow("w", input=Order).then(surprised).build(), ORDERS[:1])
    assert handle["surprised"].items == []


@pytest.mark.parametrize("annotation", [Any, pl.DataFrame])
def test_the_rows_of_a_table_that_one_item_gives_become_items_in_its_place(run: Run, annotation: Any) -> None:
    """Row: what a per-item node returns, a table."""

    def tabular(order: Order) -> Any:
        return pl.DataFrame({"n": [order.id, -order.id]})

    tabular.__annotations__["return"] = annotation
    handle = run(cm.workflow("w", input=Order).then(cm.node(tabular)).build(), ORDERS[:2])
    first, second = ORDERS[0].id, ORDERS[1].id
    assert handle["tabular"].items == [{"n": first}, {"n": -first}, {"n": second}, {"n": -second}]


def test_a_table_for_one_port_of_an_item_is_refused_with_the_way_out(run: Run) -> None:
    class Sorted(cm.Ports):
        rows: Any = cm.port()

    @cm.node
    def tabular(order: Order) -> Sorted:
        return Sorted(rows=pl.DataFrame({"n": [order.id]}))

    with pytest.raises(RunFailed, match='"tabular" is called once per item and gave a whole table'):
        run(cm.workflow("w", input=Order).then(tabular).build(), ORDERS)


def test_a_batch_node_may_give_nothing(run: Run) -> None:
    @cm.node
    def maybe(orders: list[Order]) -> Order | None:
        return None

    handle = run(cm.workflow("w", input=Order).then(maybe).build(), ORDERS)
    assert handle.output == []
    assert handle["maybe"].status == "succeeded"


def test_what_cannot_be_stored_is_an_error_at_its_node_that_names_the_place_inside(run: Run) -> None:
    @cm.node
    def bad(order: Order) -> dict[str, Any]:
        return {"order": {"lock": object()}}

    with pytest.raises(RunFailed, match=r"bad.*Unstorable.*lock"):
        run(cm.workflow("w", input=Order).then(bad).build(), ORDERS)
