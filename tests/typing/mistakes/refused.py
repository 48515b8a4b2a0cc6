"""What type checkers must refuse; the comment behind a line says what pyright's message has, then what mypy's has."""

# pyright: strict

import codemation as cm
from pydantic import BaseModel


class Params(cm.Params):
    month: int = 1


class Order(BaseModel):
    id: str


class Flight(BaseModel):
    carrier: str


class Payment(BaseModel):
    amount: float


class Checked(cm.Ports):
    valid: Order = cm.port()
    rejected: Order = cm.port()


@cm.node
def by_flight(flight: Flight) -> Flight: ...


@cm.node
async def fetch(order: Order) -> Flight: ...


@cm.node
def archive(order: Order) -> None: ...


@cm.node
def plain(order: Order) -> Order: ...


def is_big(flight: Flight) -> bool: ...


def another(flight: Flight) -> str | None: ...


def is_done(order: Order) -> bool: ...


paid = cm.event("payment.received", Payment)
flow = cm.workflow("orders.static", params=Params, input=Order)
built = flow.then(plain).build()

flow.then(by_flight)
flow.branch(is_big, yes=archive)
flow.then(fetch, on_error="prot")
cm.node(retries=3)
flow.merge(by="key")
flow.map(lambda order: order.idd)
flow.aggregate(lambda orders: orders[0].idd)
built.run(moth=2)
Checked(vald=Order(id="1"))
flow.then(is_big)
flow.parse("Order")
flow.join(flow, how="left")
cm.workflow("orders.typed", parms=Params)
built.run()[plain].item.idd
flow.tap(by_flight)
flow.then(plain).on(cm.every("1h"))
cm.cron("0 6 * * *", overlap="skp")
cm.node(writes="sales.orders")
flow.loop(fetch, next=another, max=3)
flow.loop(plain, until=is_done)
flow.loop(plain, until=is_big, max=3)
flow.wait(5)
flow.wait_for_event(paid, key=is_big)
flow.wait_for_event(paid, key=lambda order: order.idd)
flow.wait_for_event(paid, key=lambda order: order.id).then(plain)
flow.approve(Payment).then(plain)
flow.approve(Payment, on_expiry="aprove")
flow.approve(Payment, per="order")
paid.send("a", Order(id="1"))
