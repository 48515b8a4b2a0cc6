"""Ready nodes stand in flows and are called by hand without a cast."""

import codemation as cm
import polars as pl
import pyarrow as pa
from pydantic import BaseModel


class Row(BaseModel):
    sku: str
    qty: int


@cm.node
def stock() -> list[Row]:
    return [Row(sku="a", qty=1)]


@cm.node
def load(rows: pa.Table) -> None: ...


@cm.workflow("stock.ready")
def ready(start: cm.Flow) -> None:
    rows = start.then(stock)
    rows.then(cm.nodes.sort, by="qty").then(cm.nodes.write_csv, path="stock.csv")
    rows.then(cm.nodes.group, by="sku", aggregates={"all": ("qty", "sum")}).then(load)
    rows.tap(cm.nodes.sql_write, into="stock", url="sqlite:///stock.db", create=True)
    rows.then(cm.nodes.shell, command=["true"]).map(lambda done: done.stdout, id="said")
    rows.then(cm.nodes.http, url="https://example.org").then(load, id="load_web")
    start.then(cm.nodes.read_csv, path="stock.csv").then(load, id="load_file")
    start.then(cm.nodes.sql_read, query="select :day as day", url="sqlite://", day=1).then(load, id="load_day")


table = cm.nodes.sort(pl.DataFrame({"a": [1]}), by="a")
frame = pl.DataFrame(cm.nodes.cast(pa.table({"a": [1]}), columns={"a": "int"}))
