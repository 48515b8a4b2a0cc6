"""The workflows that the tests of the web ask for."""

from __future__ import annotations

GOODS = '''
"""Workflows of a small shop."""

import time
from pathlib import Path

from pydantic import BaseModel

import codemation as cm


class Params(cm.Params):
    count: int = 4
    """How many orders to make up."""
    broken: int = -1
    """Number of the order that cannot be priced; -1 for none."""
    hold: str = ""
    """A file that is waited for before anything is priced."""


class Order(BaseModel):
    id: str
    total: float


class Line(BaseModel):
    sku: str
    amount: int


class Verdict(BaseModel):
    note: str
    rating: int = 3


@cm.node
def make(params: Params) -> list[Order]:
    return [Order(id=f"A{number}", total=number * 1.5) for number in range(params.count)]


@cm.node
def price(order: Order, params: Params, ctx: cm.Context) -> Order:
    while params.hold and not Path(params.hold).exists() and not ctx.cancelled:
        time.sleep(0.02)
    print("pricing", order.id)
    if order.id == f"A{params.broken}":
        raise ValueError("there is no price")
    return order


orders = cm.workflow("shop.orders", params=Params, title="Orders of a day").then(make).then(price).build()


@cm.node
def double(line: Line) -> Line:
    return Line(sku=line.sku, amount=line.amount * 2)


stock = cm.workflow("shop.stock", input=Line).then(double).build()
bundle = cm.workflow("shop.bundle", input=Line).subworkflow(stock, per="item").build()
hasty = cm.workflow("shop.hasty", input=Line).approve(expires="1ms", on_expiry="reject").map(lambda d: 1).build()
at_once = cm.Retention(succeeded="1ms")
brief = cm.workflow("shop.brief", input=Line, retention=at_once).approve().map(lambda d: 1).build()
asked = cm.workflow("shop.asked", input=Line).approve(Verdict, title="Really?", to=["ada"]).build()
'''
HOOKED = '''
"""Workflows that requests start."""

import time
from datetime import date

from pydantic import BaseModel

import codemation as cm


class Order(BaseModel):
    sku: str
    amount: int = 1


@cm.node
def weigh(order: Order) -> dict[str, object]:
    return {"sku": order.sku, "weight": order.amount * 2.5}


@cm.node
def fail(order: Order) -> Order:
    raise ValueError("out of stock")


@cm.node
def keep(mail: cm.Item[dict]) -> cm.Item[dict]:
    files = {name: one.read().decode() for name, one in mail.attachments.items()}
    return cm.Item({"fields": mail.value, "files": files}, mail.attachments)


now = cm.workflow("hook.now", input=Order).on(cm.webhook("/now")).then(weigh).build()
by_hmac = cm.webhook("/signed", auth=cm.hmac("shop-hook"))
signed = cm.workflow("hook.signed", input=Order).on(by_hmac).then(weigh).build()
barred = (
    cm.workflow("hook.barred", input=Order)
    .on(cm.webhook("/barred", methods=["POST", "PUT"], auth=cm.token("shop-hook"), max_size=1000))
    .then(weigh)
    .build()
)
result = cm.workflow("hook.result", input=Order).on(cm.webhook("/result", respond="result")).then(weigh).build()
broken = cm.workflow("hook.broken", input=Order).on(cm.webhook("/broken", respond="result")).then(fail).build()
@cm.node
def answer(order: Order, ctx: cm.Context) -> Order:
    if order.amount:
        ctx.respond({"taken": order.sku, "at": date(2026, 1, 31)})
        ctx.respond("again")
    return order


@cm.node
def linger(order: Order) -> Order:
    time.sleep(0.5 * order.amount)
    return order


late = cm.workflow("hook.late", input=Order).on(cm.webhook("/late", respond="result")).then(linger).then(weigh).build()
silent = cm.webhook("/silent", respond="node")
silence = cm.workflow("hook.silence", input=Order).on(silent).then(linger).then(answer).build()
by_node = cm.webhook("/replies", respond="node")
replies = cm.workflow("hook.replies", input=Order).on(by_node).then(answer).then(linger).build()
idle = cm.workflow("hook.idle", input=Order).then(weigh).build()
mail = cm.workflow("hook.mail", input=dict).on(cm.webhook("/mail", respond="result", max_size="2MB")).then(keep).build()
'''
"""Their secret is called `shop-hook`."""
TABLES = '''
"""Workflows that give much."""

from datetime import date

import pyarrow as pa

import codemation as cm


class Params(cm.Params):
    rows: int = 10


@cm.node
def load(params: Params) -> pa.Table:
    numbers = list(range(params.rows))
    return pa.table({
        "n": numbers,
        "name": [f"row {n}" for n in numbers],
        "day": [date(2026, 1, 31)] * len(numbers),
        "tags": [["a", "b"]] * len(numbers),
    })


@cm.node
def some(table: pa.Table) -> pa.Table:
    return table.slice(0, 250).select(["n"])


@cm.node
def each(row: dict) -> dict:
    print("item", row["n"])
    return {"n": row["n"], "half": row["n"] // 2}


@cm.node
def large(rows: list[dict]) -> dict:
    return {"text": "x" * 1_500_000}


@cm.node
def bare(row: dict) -> str:
    return "text"


tables = cm.workflow("tables", params=Params).then(load).then(some).then(each).then(large).then(bare).build()
'''
