"""Writing rows to files, batch by batch: to one file, or to a folder with a part for each value of some columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import pyarrow as pa

from codemation.core.errors import ContractError, NodeError
from codemation.nodes.tables.arrow import arrow, check_columns
from codemation.nodes.tables.finding import MISSING
from codemation.nodes.tables.placing import drafted, name_of, put, refuse_existing

_PARTS: Final = 500
"""Folders that are written side by side."""
_ROWS: Final = 65_536


class Writer(Protocol):
    """Writes batches to one open file."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch."""
        ...

    def close(self) -> None:
        """End the file."""
        ...


Opener = Callable[[Path, pa.Schema, Path | None], Writer]
"""Opens a file for rows of a schema; begins with what is in the last one, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where rows go, and how."""

    path: Path
    open: Opener
    suffix: str
    if_exists: str
    partition_by: tuple[str, ...] = ()
    key: str = ""
    """Names this write; another try at it has the same."""


def write(table: Any, target: Target) -> list[dict[str, Any]]:
    """Write all rows; what was written, file by file.

    Raises:
        NodeError: the place is taken, or cannot be written to.
        ContractError: the rows cannot be written in this form.
    """
    reader = table if isinstance(table, pa.RecordBatchReader) else arrow(table).to_reader(_ROWS)
    check_columns(target.partition_by, reader.schema.names)
    if target.if_exists == "error":
        refuse_existing(target.path)
    try:
        return _write_parts(reader, target) if target.partition_by else [_write_one(reader, target)]
    except pa.ArrowException as error:
        raise ContractError(
            f"these rows cannot be written to {target.path}: {error}",
            way_out="cast or leave out the columns that this form has no words for (cm.nodes.cast, cm.nodes.select)",
        ) from error
    except OSError as error:
        raise NodeError(f"{target.path.absolute()} cannot be written: {error.strerror or error}") from error


def _write_one(reader: pa.RecordBatchReader, target: Target) -> dict[str, Any]:
    path, rows = target.path, 0
    if path.is_dir():
        raise NodeError(f"{path.absolute()} is a folder", way_out="name a file in it, or partition_by=[…] some columns")
    before = path if target.if_exists == "append" and path.exists() else None
    with drafted(path, target.key) as draft:
        writer = target.open(draft, reader.schema, before)
        try:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
        finally:
            writer.close()
        put(draft, path)
    return _written(path, rows)


def _write_parts(reader: pa.RecordBatchReader, target: Target) -> list[dict[str, Any]]:
    """All is written beside the folder, which takes its place as a whole; to lengthen it, parts are put one by one."""
    path = target.path
    if path.is_file():
        raise NodeError(f"{path.absolute()} is a file", way_out="partition_by=[…] writes a folder")
    with drafted(path, target.key) as draft:
        draft.mkdir()
        rows = _fill(reader, target, draft)
        if target.if_exists == "append" and path.is_dir():
            for name in rows:
                put(draft / name, path / name)
        else:
            put(draft, path)
    return [_written(path / name, count) for name, count in rows.items()]


def _written(path: Path, rows: int) -> dict[str, Any]:
    return {"path": str(path), "rows": rows, "bytes": path.stat().st_size}


def _fill(reader: pa.RecordBatchReader, target: Target, draft: Path) -> dict[str, int]:
    """The rows of each part, by its place in the folder."""
    kept = [name for name in reader.schema.names if name not in target.partition_by]
    if not kept:
        raise ContractError("no column is left to write", way_out="partition_by=[…] fewer columns than there are")
    schema = pa.schema([reader.schema.field(name) for name in kept])
    name = f"part-{name_of(target.key)}{target.suffix}"
    rows: dict[str, int] = {}
    writers: dict[str, Writer] = {}
    with ExitStack() as opened:
        for batch in reader:
            for folder, part in _parts(batch, target.partition_by):
                place = f"{folder}/{name}"
                if place not in writers:
                    if len(writers) == _PARTS:
                        raise NodeError(
                            f"more than {_PARTS} folders: {', '.join(target.partition_by)} have too many values",
                            way_out="partition_by columns with few values, such as a year or a country",
                        )
                    (draft / place).parent.mkdir(parents=True, exist_ok=True)
                    writers[place] = target.open(draft / place, schema, None)
                    opened.callback(writers[place].close)
                for piece in part.select(kept).to_batches():
                    writers[place].write_batch(piece)
                rows[place] = rows.get(place, 0) + part.num_rows
    return rows


def _parts(batch: pa.RecordBatch, names: tuple[str, ...]) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a batch for each combination of values, with the folder that stands for it."""
    table = pa.Table.from_batches([batch])
    numbers: Any = pa.array(range(table.num_rows), pa.int64())
    keys: dict[str, Any] = {f"key {at}": table.column(name) for at, name in enumerate(names)}
    grouped = pa.table({**keys, "row": numbers}).group_by(list(keys), use_threads=False).aggregate([("row", "list")])
    for group in grouped.to_pylist():
        values = [group[key] for key in keys]
        folder = "/".join(f"{name}={_spelt(value)}" for name, value in zip(names, values, strict=True))
        yield folder, table.take(pa.array(group["row_list"], pa.int64()))


def _spelt(value: object) -> str:
    return MISSING if value is None else quote(str(value), safe="") or "%00"


def check_same(before: list[str], schema: pa.Schema, path: Path) -> None:
    """Refuse to lengthen a file by rows of other columns.

    Raises:
        ContractError: they are others.
    """
    if before != schema.names:
        raise ContractError(
            f"{path} has the columns {', '.join(before)}, and the rows to add {', '.join(schema.names)}",
            way_out='bring them into the same order by cm.nodes.select, or if_exists="overwrite"',
        )
