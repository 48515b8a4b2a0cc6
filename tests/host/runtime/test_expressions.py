"""Arguments that are computed: for each item, or for the batch, just before the call (semantics §1, api §2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.expression import ExpressionError
from tests.host.runtime.conftest import Run


class Params(cm.Params):
    factor: int = 3


class Order(BaseModel):
    id: int
    qty: int = 1


ORDERS = [Order(id=1, qty=2), Order(id=2, qty=4)]


@cm.node
def label(order: Order, text: str, size: int = 0) -> str:
    return f"{order.id}: {text} {size}"


@cm.node
def wrapped(order: cm.Item[Order], text: str) -> str:
    return f"{order.value.id}: {text}"


@cm.node
async def label_later(order: Order, text: str) -> str:
    return f"{order.id}: {text}"


@cm.node
def of_all(orders: list[Order], most: int) -> str:
    return f"{len(orders)} of at most {most}"


@cm.node
def of_stream(orders: Iterator[Order], count: int) -> str:
    return f"{len(list(orders))} of {count}"


@cm.node
def of_table(orders: pl.DataFrame, total: int) -> int:
    return total


def begun() -> Any:
    return cm.workflow("w", input=Order, params=Params)


def tripled(order: Order, params: Params) -> int:
    return order.qty * params.factor


def keyed(order: cm.Item[Order]) -> str:
    return order.key


def total_of(orders: list[cm.Item[Order]]) -> int:
    return sum(order.value.qty for order in orders)


def sum_of(table: pl.DataFrame) -> int:
    return int(table["qty"].sum())


def test_an_argument_is_computed_from_each_item(run: Run) -> None:
    built = begun().then(label, text=cm.expr(lambda order: f"n{order.qty}"), size=cm.expr(tripled)).build()
    assert run(built, ORDERS).output == ["1: n2 6", "2: n4 12"]
    assert run(built, ORDERS, factor=10).output == ["1: n2 20", "2: n4 40"]


@pytest.mark.parametrize("node", [wrapped, label_later])
def test_the_expression_takes_the_item_as_it_says_whatever_the_node_takes(run: Run, node: Any) -> None:
    assert run(begun().then(node, text=cm.expr(keyed)).build(), ORDERS).output == ["1: start:0", "2: start:1"]
    built = begun().then(node, text=cm.expr(lambda order: str(order.qty))).build()
    assert run(built, ORDERS).output == ["1: 2", "2: 4"]


def test_an_argument_of_a_node_for_all_items_is_computed_from_all_of_them(run: Run) -> None:
    assert run(begun().then(of_all, most=cm.expr(total_of)).build(), ORDERS).output == "2 of at most 6"
    assert run(begun().then(of_all, most=cm.expr(len)).build(), ORDERS).output == "2 of at most 2"
    assert run(begun().then(of_stream, count=cm.expr(len)).build(), ORDERS).output == "2 of 2"
    assert run(begun().then(of_table, total=cm.expr(sum_of)).build(), ORDERS).output == 6
    assert run(begun().then(of_table, total=cm.expr(len)).build(), ORDERS).output == 2


def test_filters_and_taps_compute_arguments_too(run: Run) -> None:
    kept = begun().filter(lambda order, least: order.qty >= least, least=cm.expr(lambda order: order.id * 2))
    built = kept.tap(label, text=cm.expr(lambda order: "x")).build()
    assert [order.id for order in run(built, ORDERS).output] == [1, 2]
    assert run(built, [Order(id=5)]).output == []


def test_an_expression_that_fails_is_the_failure_of_its_item_and_names_the_argument(run: Run) -> None:
    def text(order: Order) -> str:
        return {1: "one"}[order.id]

    failing = label.options(on_error="port", retry=cm.Retry(5, backoff="fixed", delay="1s"))
    done = run(begun().then(failing, text=cm.expr(text)).build(), ORDERS)
    assert done["label"].items == ["1: one 0"]
    (failure,) = done["label"]["error"].items
    assert failure.item == ORDERS[1]
    assert (failure.type, failure.attempts) == ("ExpressionError", 1)
    assert failure.error == 'text= of "label" cannot be computed: KeyError: 2'
    assert "in text" in failure.traceback


def test_a_value_that_does_not_fit_is_said_of_its_argument(run: Run) -> None:
    built = begun().then(label, text="t", size=cm.expr(lambda order: ["many"])).build()
    with pytest.raises(RunFailed, match=r'size= of "label" cannot be computed: the value does not fit int'):
        run(built, ORDERS)


def test_a_value_is_read_as_what_the_argument_wants(run: Run) -> None:
    assert run(begun().then(label, text="t", size=cm.expr(lambda order: "7")).build(), ORDERS[:1]).output == ["1: t 7"]


def test_an_item_that_does_not_fit_the_expression_is_said_of_the_expression(run: Run) -> None:
    @cm.node
    def anything(value: Any, text: str) -> str:
        return text

    def by_id(order: Order) -> str:
        return f"n{order.id}"

    built = cm.workflow("w", input=dict[str, Any]).then(anything, text=cm.expr(by_id)).build()
    assert run(built, [{"id": 1}]).output == ["n1"]
    with pytest.raises(RunFailed, match=r'"order"\[\'id\'\] does not fit Order'):
        run(built, [{"id": "x"}])


def test_the_failure_of_an_expression_of_all_items_is_the_failure_of_the_batch(run: Run) -> None:
    built = begun().then(of_all, most=cm.expr(lambda orders: orders[5].qty), on_error="port").build()
    (failure,) = run(built, ORDERS)["of_all"]["error"].items
    assert failure.item == ORDERS
    assert failure.error == 'most= of "of_all" cannot be computed: IndexError: list index out of range'


def test_the_code_of_an_expression_is_part_of_its_node() -> None:
    one, other = (begun().then(of_all, most=cm.expr(count)).build() for count in (total_of, len))
    same = begun().then(of_all, most=cm.expr(total_of)).build()
    assert one.digest == same.digest
    assert one.definition.code_digest != other.definition.code_digest
    assert one.nodes["of_all"].config == {"most": {"$expr": "total_of"}}


def test_an_expression_shows_as_it_was_written() -> None:
    assert repr(cm.expr(lambda order: order.qty)) == "cm.expr(lambda order: order.qty)"
    assert repr(cm.expr(total_of)) == "cm.expr(total_of)"
    assert repr(cm.expr(eval("lambda order: 1"))) == "cm.expr(<lambda>)"  # noqa: S307 - it has no source to show


def test_a_node_called_by_hand_takes_a_plain_value() -> None:
    assert label(ORDERS[0], text="t") == "1: t 0"
    assert issubclass(ExpressionError, cm.CodemationError)
