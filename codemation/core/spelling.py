"""How batches are spelled in the journal: as short as they can be, for they are in nearly every fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codemation.core.ids import MAIN
from codemation.core.items import EMPTY, Batch


def outputs_row(outputs: Mapping[str, Batch]) -> dict[str, list[Any]] | list[Any]:
    """What each port holds; just the batch where there is only the main port, as nearly always."""
    if len(outputs) == 1 and MAIN in outputs:
        return batch_row(outputs[MAIN])
    return {port: batch_row(batch) for port, batch in outputs.items()}


def read_outputs(row: dict[str, list[Any]] | list[Any]) -> dict[str, Batch]:
    """What `outputs_row` wrote."""
    if isinstance(row, list):
        return {MAIN: read_batch(row)}
    return {port: read_batch(cells) for port, cells in row.items()}


def batch_row(batch: Batch) -> list[Any]:
    """Count and size, and what else cannot be guessed."""
    if batch == EMPTY:
        return []
    row: list[Any] = [batch.count, batch.size]
    if batch.ref or batch.kind != "items":
        row += [batch.kind, batch.ref]
    return row


def read_batch(cells: list[Any]) -> Batch:
    """What `batch_row` wrote."""
    if not cells:
        return EMPTY
    count, size, *rest = cells
    kind, ref = rest or ("items", "")
    return Batch(ref=ref, count=count, kind="table" if kind == "table" else "items", size=size)
