"""9. Joins by key, and branches into named inputs."""

# pyright: strict

import polars as pl

import codemation as cm
from tests.corpus.deeds import Deeds

SAVED = Deeds("supply")
"""What the workflow has done to the world."""


@cm.node
def orders() -> pl.DataFrame:
    return pl.DataFrame({"customer_id": [1, 2], "sku": ["a", "b"]})


@cm.node
def customers() -> pl.DataFrame:
    return pl.DataFrame({"customer_id": [1], "name": ["Ada"]})


@cm.node
def stock() -> pl.DataFrame:
    return pl.DataFrame({"sku": ["a", "b"], "left": [3, 0]})


@cm.node
def plan(orders: pl.DataFrame, customers: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    return orders.join(customers, on="customer_id").join(stock, on="sku")


@cm.node
def save(rows: pl.DataFrame, path: str) -> None:
    SAVED.append(f"{rows.height} rows, {', '.join(rows.columns)} in {path}")


@cm.workflow("supply.wide")
def wide(start: cm.Flow) -> cm.Flow:
    o, c, s = start.then(orders), start.then(customers), start.then(stock)
    return (
        o.join(c, on="customer_id", how="left", id="with_customer")
        .join(s, on="sku", how="left")
        .then(save, path="wide.parquet")
    )


planned = (
    cm.workflow("supply.plan")
    .parallel(orders=orders, customers=customers, stock=stock)
    .into(plan)
    .then(save, path="plan.parquet")
    .build()
)
