"""2. Order intake: webhook, approval, error branch, sub-workflow."""

# pyright: strict

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


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


class Decision(BaseModel):
    note: str = ""


class Crm(cm.Credential):
    url: str
    token: cm.Secret


BOOKED = Deeds("intake")
"""What the workflow has done to the world."""


@cm.node(retry=cm.Retry(5), timeout="10s", concurrency=8, rate="20/s")
async def price(order: Order, crm: Crm) -> Priced:
    if order.country == "??":
        raise ValueError(f"{crm.url} knows no such country")
    return Priced(order=order, price=order.total * 2)


@cm.node
def quarantine(failed: cm.Failure[Order]) -> None:
    BOOKED.append(f"quarantined {failed.item.id}")


@cm.node
async def book(priced: Priced) -> None:
    BOOKED.append(f"booked {priced.order.id} for {priced.price}")


@cm.node
def decided(decision: cm.Decided[Order, Decision]) -> Order:
    return decision.item


@cm.node
def tell_customer(decision: cm.Decided[Order, Decision]) -> None:
    BOOKED.append(f"told {decision.item.id}")


def is_big(order: Order) -> bool:
    return order.total > 10_000


def lane(line: Line) -> Literal["stock", "supplier"]:
    return "stock" if line.qty < 10 else "supplier"


@cm.node
def from_stock(line: Line) -> Line:
    return line


@cm.node
def from_supplier(line: Line) -> Line:
    return line


fulfil = (
    cm.workflow("orders.fulfil", input=Order)
    .split(lambda order: order.lines)
    .switch(lane, {"stock": from_stock, "supplier": from_supplier})
    .build()
)

intake = (
    cm.workflow("orders.intake", input=Order, concurrency=cm.Concurrency(4))
    .on(cm.webhook("/orders", auth=cm.hmac("orders-webhook")))
    .branch(
        is_big,
        yes=lambda big: big.approve(
            Decision,
            title="Large order",
            to=["sales"],
            expires="48h",
            rejected=lambda no: no.then(tell_customer).end(),
        ).then(decided),
    )
    .also(lambda orders: orders.subworkflow(fulfil, per="item"))
    .then(price, on_error=quarantine)
    .then(book)
    .build()
)
