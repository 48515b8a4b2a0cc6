"""Joins by key, branches into named inputs, and a reusable piece."""

# pyright: strict

import codemation as cm
import polars as pl


@cm.node
def orders() -> pl.DataFrame: ...


@cm.node
def customers() -> pl.DataFrame: ...


@cm.node
def stock() -> pl.DataFrame: ...


@cm.node
def plan(orders: pl.DataFrame, customers: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame: ...


@cm.node
def save(rows: pl.DataFrame, path: str) -> None: ...


@cm.node
def tidied(rows: pl.DataFrame) -> pl.DataFrame: ...


def tidy(flow: cm.Flow) -> cm.Flow:
    return flow.then(tidied)


@cm.workflow("supply.wide")
def wide(start: cm.Flow) -> cm.Flow:
    o, c, s = start.then(orders), start.then(customers), start.then(stock)
    both = o.join(c, on="customer_id", how="left", id="with_customer")
    return both.join(s, on="sku", how="left").pipe(tidy).then(save, path="wide.parquet")


planned = (
    cm.workflow("supply.plan")
    .parallel(orders=orders, customers=customers, stock=stock)
    .into(plan)
    .then(save, path="plan.parquet")
    .build()
)
