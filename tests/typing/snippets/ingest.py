"""Rejects and typed ports: the drop folder."""

# pyright: strict

from pathlib import Path

import codemation as cm
import pyarrow as pa
from pydantic import BaseModel


class File(BaseModel):
    path: Path


class Row(BaseModel):
    sku: str
    qty: int


class Checked(cm.Ports):
    valid: Row = cm.port()
    suspect: Row = cm.port("quantity outside the usual range")


@cm.node
def read_csv(file: File) -> pa.Table: ...


@cm.node
def check(row: Row, limit: int = 1000) -> Checked:
    return Checked(valid=row) if row.qty < limit else Checked(suspect=row)


@cm.node
def write_rejects(failures: list[cm.Failure[dict[str, object]]]) -> None: ...


@cm.node
def ask_supplier(rows: list[Row]) -> None: ...


@cm.node
def load(rows: pa.Table) -> None: ...


ingest = (
    cm.workflow("stock.ingest", input=File)
    .then(read_csv)
    .parse(Row, on_error=write_rejects)
    .then(check, limit=500)
    .route(
        valid=lambda rows: rows.then(cm.nodes.expect, min_rows=1, unique=["sku"]).then(load),
        suspect=ask_supplier,
    )
    .build()
)
