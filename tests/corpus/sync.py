"""3. Nightly incremental sync: cache, catch-up, backfill, dataset trigger."""

# pyright: strict

from datetime import date, timedelta

import polars as pl

import codemation as cm
from tests.corpus.deeds import Deeds


class Params(cm.Params):
    day: date


orders_written = cm.dataset("sales.orders")


class Warehouse(cm.Credential):
    url: cm.Secret


WRITTEN = Deeds("sync")
"""What the workflow has done to the world."""


@cm.node(cache=True)
def changed_rows(params: Params, source: Warehouse) -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2, 2], "day": [params.day] * 3})


@cm.node
def clean(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique().sort("id")


@cm.node(writes=orders_written, retry=cm.Retry(3))
def upsert(rows: pl.DataFrame, target: Warehouse, table: str) -> None:
    WRITTEN.append(f"{rows.height} rows to {table}")


sync = (
    cm.workflow("sales.sync", params=Params, concurrency=cm.Concurrency(1, "queue"))
    .on(cm.cron("0 2 * * *", catch_up="all", params=lambda tick: {"day": tick.date() - timedelta(days=1)}))
    .then(changed_rows)
    .then(clean)
    .then(upsert, table="orders")
    .build()
)


@cm.node
def daily_totals(params: Params) -> pl.DataFrame:
    return pl.DataFrame({"day": [params.day], "total": [2]})


totals = (
    cm.workflow("sales.totals", params=Params)
    .on(orders_written.written(params=lambda run: {"day": run.params.day}))
    .then(daily_totals)
    .build()
)
