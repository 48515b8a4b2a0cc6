"""Batches as files, and files as browsers may be given them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast
from urllib.parse import quote

from codemation.core.payload import decode_items
from codemation.host.overview import json_of
from codemation.host.tables import ArrowTables

if TYPE_CHECKING:
    import pyarrow

    from codemation.host.results import ResultHandle

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: Mapping[Format, str] = {
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
IN_MEMORY = 4_000_000
"""Bytes of a file up to which it does not lie on the disk."""
ROWS = 10_000
"""Rows that are turned into text at a time."""
_SAFE = frozenset({
    "application/pdf", "application/json", "image/gif", "image/jpeg", "image/png", "image/webp",
    "text/csv", "text/plain",
})  # fmt: skip
"""What a browser shows without executing anything of it; HTML and SVG are not among it."""


def safe_type(mime: str) -> str:
    """What a file is sent as: what it is if that is harmless, else as bytes."""
    kind = mime.partition(";")[0].strip().lower()
    return kind if kind in _SAFE else "application/octet-stream"


def disposition(name: str) -> dict[str, str]:
    """The header that lets a browser store a file under a name, whatever stands in it."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in name) or "file"
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}


def written(held: ResultHandle, form: Format) -> BinaryIO:
    """What a port held as a file, which is at its beginning; it is on the disk if it is large.

    Raises:
        ContractError: its items make no table, and one is wanted.
    """
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - closed when it was sent
    try:
        match form:
            case "jsonl":
                for line in _lines(held):
                    file.write(line)
            case "csv":
                _write_csv(held.arrow, file)
            case "parquet":
                import pyarrow.parquet  # noqa: PLC0415 - takes longer to import than all else

                pyarrow.parquet.write_table(held.arrow, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _lines(held: ResultHandle) -> Iterator[bytes]:
    batch = held.batch
    if not batch.size:
        return
    data = held.stored
    if batch.kind == "items":
        for value in decode_items(data).values:
            yield _line(value)
        return
    for start in range(0, batch.count, ROWS):
        for row in ArrowTables().rows(data, start, start + ROWS):
            yield _line(row)


def _line(value: object) -> bytes:
    return json.dumps(json_of(value)).encode() + b"\n"


def _write_csv(table: pyarrow.Table, file: BinaryIO) -> None:
    """CSV has no lists and no records: they stand there as JSON."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.csv  # noqa: PLC0415 - as above

    flat = pa.schema(
        [pa.field(one.name, pa.string() if pa.types.is_nested(one.type) else one.type) for one in table.schema]
    )
    with pyarrow.csv.CSVWriter(file, flat) as writer:
        for batch in table.to_batches(max_chunksize=ROWS):
            writer.write_batch(pa.RecordBatch.from_arrays([_flat(one) for one in batch.columns], schema=flat))


def _flat(column: pyarrow.Array[Any]) -> pyarrow.Array[Any]:
    import pyarrow as pa  # noqa: PLC0415 - as above

    if not pa.types.is_nested(column.type):
        return column
    return pa.array([None if one is None else json.dumps(json_of(one)) for one in column.to_pylist()], pa.string())
