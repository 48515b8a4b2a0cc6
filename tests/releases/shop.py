"""The workflow whose runs every release leaves behind. It stays as it is: its code has to be the code of those runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel

import codemation as cm


class Wish(cm.Params):
    """What a run is asked for."""

    doom: Path = Path("/nonexistent")
    """While this file is there, `deliver` fails."""
    brake: Path = Path("/nonexistent")
    """While this file is there, `deliver` does not come to its end."""


class Order(BaseModel):
    """What goes through the shop."""

    id: int
    total: float


@cm.node
def orders() -> list[Order]:
    return [Order(id=number, total=number * 10.0) for number in range(1, 6)]


def is_large(order: Order) -> bool:
    return order.total > 30


@cm.node(concurrency=2)
def discounted(order: Order, rate: float) -> Order:
    return order.model_copy(update={"total": order.total * (1 - rate)})


@cm.node
def ledger(orders: list[Order]) -> pa.Table:
    return pa.table({"id": [order.id for order in orders], "total": [order.total for order in orders]})


@cm.node
def bulky(ledger: pa.Table) -> pa.Table:
    return pa.concat_tables([ledger] * 400)


@cm.node(retry=cm.Retry(2, backoff="none"))
def deliver(rows: pa.Table, params: Wish, ctx: cm.Context) -> dict[str, float]:
    while params.brake.exists() and not ctx.cancelled:
        pass
    if params.doom.exists() or ctx.cancelled:
        raise RuntimeError("nobody delivers today")
    return {"rows": float(rows.num_rows), "total": sum(rows["total"].to_pylist())}


shop = (
    cm.workflow("releases.shop", params=Wish)
    .then(orders)
    .branch(is_large, yes=lambda large: large.then(discounted, rate=0.5))
    .then(ledger)
    .then(bulky)
    .then(deliver)
    .build()
)
DELIVERED = {"rows": 2000.0, "total": 42000.0}
