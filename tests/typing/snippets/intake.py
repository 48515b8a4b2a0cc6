"""Error branches, conditions, cases and fan-out: the order intake."""

# pyright: strict

from decimal import Decimal
from typing import Literal, TypeVar

import codemation as cm
from pydantic import BaseModel
from typing_extensions import assert_type


T = TypeVar("T")


def item(flow: cm.Flow[T]) -> T: ...


class Line(BaseModel):
    sku: str
    qty: int


class Order(BaseModel):
    id: str
    country: str
    total: Decimal
    lines: list[Line]


class Priced(BaseModel):
    order: Order
    price: Decimal


@cm.node(retry=cm.Retry(5), timeout="10s", concurrency=8)
async def price(order: Order, factor: float = 1.0) -> Priced: ...


@cm.node
def quarantine(failed: cm.Failure[Order]) -> None: ...


@cm.node
async def book(priced: Priced) -> None: ...


@cm.node
def approved(order: Order) -> Order: ...


def is_big(order: Order) -> bool:
    return order.total > 10_000


def lane(line: Line) -> Literal["stock", "supplier"]: ...


@cm.node
def from_stock(line: Line) -> Line: ...


@cm.node
def from_supplier(line: Line) -> Line: ...


fulfil = (
    cm.workflow("orders.fulfil", input=Order)
    .split(lambda order: order.lines)
    .switch(lane, {"stock": from_stock, "supplier": from_supplier})
    .build()
)

intake = (
    cm.workflow("orders.intake", input=Order)
    .branch(is_big, yes=lambda big: big.then(approved))
    .also(lambda orders: orders.split(lambda order: order.lines).then(from_stock))
    .then(price, on_error=quarantine, factor=1.2)
    .then(book)
    .build()
)

start = cm.workflow("orders.typed", input=Order)
countries = start.map(lambda order: order.country)
longest = start.aggregate(lambda orders: max(orders, key=lambda order: order.total))
known = start.then(price).map(lambda priced: priced.order.lines[0])
assert_type(item(countries), str)
assert_type(item(longest), Order)
assert_type(item(known), Line)


@cm.node
def book_all(orders: list[Order]) -> Priced: ...


@cm.node
def ship(item: cm.Item[Order]) -> Line: ...


def costly(flow: cm.Flow[Order]) -> cm.Flow[Priced]:
    return flow.then(price)


assert_type(item(start.branch(is_big, yes=book_all, no=ship)), Priced | Line)
sorted_out = start.branch(is_big, yes=approved, no=costly)
assert_type(item(sorted_out), Order | Priced)
either = start.branch(is_big, yes=approved, no=lambda small: small.then(price))
assert_type(item(either), Order | Priced)
assert_type(item(start.tap(book_all).then(ship)), Line)


# A decorated function is still called as the function that it is.
@cm.node
def found(order: Order) -> Order | None: ...


@cm.node
def listed(order: Order) -> list[Line]: ...


def called(order: Order, line: Line) -> None:
    assert_type(from_stock(line), Line)
    assert_type(found(order), Order | None)
    assert_type(listed(order), list[Line])
    assert_type(item(start.then(found)), Order)
    assert_type(item(start.then(listed)), Line)


async def awaited(order: Order) -> None:
    assert_type(await price(order, factor=2.0), Priced)
