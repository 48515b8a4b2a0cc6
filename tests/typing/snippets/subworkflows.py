"""What another workflow gives is typed, for the batch and for each item."""

# pyright: strict

import codemation as cm
from pydantic import BaseModel
from typing_extensions import TypeVar, assert_type

T = TypeVar("T")


def item(flow: cm.Flow[T]) -> T: ...


class Order(BaseModel):
    id: str


class Line(BaseModel):
    sku: str


class Params(cm.Params):
    depot: str


@cm.node
def lines(order: Order) -> list[Line]: ...


@cm.node
def told(failure: cm.Failure[Order]) -> Line: ...


@cm.node
def packed(line: Line) -> int: ...


fulfil = cm.workflow("orders.fulfil", input=Order, params=Params).then(lines).build()
orders = cm.workflow("orders", input=Order)

assert_type(item(orders.subworkflow(fulfil, depot="Lyon")), Line)
assert_type(item(orders.subworkflow(fulfil, per="item", depot=cm.expr(lambda order: order.id))), Line)
assert_type(item(orders.subworkflow(fulfil, depot="Lyon", on_error=told).then(packed)), int)
