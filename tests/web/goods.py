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
asked = cm.workflow("shop.asked", input=Line).approve(Verdict, title="Really?", to=["ada"]).build()
'''
