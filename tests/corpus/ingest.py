"""4. CSV drop folder: rejects, typed ports, expectations."""

# pyright: strict

from pathlib import Path

import pyarrow as pa
from pyarrow import csv
from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class File(BaseModel):
    path: Path


class Row(BaseModel):
    sku: str
    qty: int


class Checked(cm.Ports):
    valid: Row = cm.port()
    suspect: Row = cm.port("quantity outside the usual range")


DONE = Deeds("ingest")
"""What the workflow has done to the world."""


@cm.node
def read_csv(file: File) -> pa.Table:
    return csv.read_csv(file.path, convert_options=csv.ConvertOptions(column_types={"qty": pa.string()}))


@cm.node
def check(row: Row, limit: int = 1000) -> Checked:
    return Checked(valid=row) if row.qty < limit else Checked(suspect=row)


@cm.node
def write_rejects(failures: list[cm.Failure[dict[str, object]]]) -> None:
    DONE.append(f"rejected {[failure.item['sku'] for failure in failures]}")


@cm.node
def ask_supplier(rows: list[Row]) -> None:
    DONE.append(f"asked about {[row.sku for row in rows]}")


@cm.node
def load(rows: pa.Table) -> None:
    DONE.append(f"loaded {rows.num_rows}")


ingest = (
    cm.workflow("stock.ingest", input=File)
    .on(cm.watch("inbox/*.csv"))
    .then(read_csv)
    .parse(Row, on_error=write_rejects)
    .then(check, limit=500)
    .route(
        valid=lambda rows: rows.then(cm.nodes.expect, min_rows=1, unique=["sku"]).then(load),
        suspect=ask_supplier,
    )
    .build()
)
