"""The forms of files that rows are written in: CSV, JSON lines and Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from codemation.core.errors import ContractError
from codemation.nodes.tables.arrow import opened
from codemation.nodes.tables.writing import Writer, check_same

_COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


def csv_opener(delimiter: str) -> Callable[[Path, pa.Schema, Path | None], Writer]:
    """Opens CSV files."""
    return partial(_open_csv, delimiter)


def _open_csv(delimiter: str, path: Path, schema: pa.Schema, before: Path | None) -> Writer:
    header = before is None
    if before is not None:
        with opened(before) as stream:
            first = next(csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=delimiter), None)
        header = first is None
        if first is not None:
            check_same(first, schema, before)
    options = arrow_csv.WriteOptions(include_header=header, delimiter=delimiter)
    sink = _sink(path, before)
    try:
        return _Closing(arrow_csv.CSVWriter(sink, schema, write_options=options), sink)
    except BaseException:
        sink.close()
        raise


def _sink(path: Path, before: Path | None) -> Any:
    """Where bytes go; what was there comes first, with a line end behind its last line."""
    if before is not None:
        shutil.copyfile(before, path)
    plain = pa.OSFile(str(path), "ab" if before is not None else "wb")
    compression: Any = _COMPRESSIONS.get(path.suffix)
    sink: Any = plain if compression is None else pa.CompressedOutputStream(plain, compression)
    if before is not None and not _ends_line(before):
        sink.write(b"\n")
    return sink


def _ends_line(path: Path) -> bool:
    last = b"\n"
    with opened(path) as stream:
        while block := stream.read(2**20):
            last = block[-1:]
    return last == b"\n"


class _Closing:
    """A writer that closes what it writes to."""

    def __init__(self, writer: Any, sink: Any) -> None:
        self._writer = writer
        self._sink = sink

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._sink.close()


def open_jsonl(path: Path, _: pa.Schema, before: Path | None) -> Writer:
    """Opens a file of JSON lines."""
    return _JsonLines(_sink(path, before))


class _JsonLines:
    """Writes each row as a JSON object on a line of its own."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write_batch(self, batch: pa.RecordBatch) -> None:
        lines = [json.dumps(row, ensure_ascii=False, default=_plain, allow_nan=False) for row in _rows(batch)]
        self._sink.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        self._sink.close()


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    rows = batch.to_pylist()
    floats = [field.name for field in batch.schema if pa.types.is_floating(field.type)]
    for row in rows:
        for name in floats:
            value = row[name]
            if value is not None and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124 - NaN
                row[name] = None
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise ContractError(f"JSON has no word for {type(value).__name__}", way_out="cast the column to str before")


def parquet_opener(compression: str) -> Callable[[Path, pa.Schema, Path | None], Writer]:
    """Opens Parquet files."""
    return partial(_open_parquet, compression)


def _open_parquet(compression: Any, path: Path, schema: pa.Schema, before: Path | None) -> Writer:
    writer = pq.ParquetWriter(path, schema, compression=compression)
    if before is not None:
        try:
            with pq.ParquetFile(before) as old:
                check_same(old.schema_arrow.names, schema, before)
                for batch in old.iter_batches():
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
        except BaseException:
            writer.close()
            raise
    return writer
