"""Arrow tables as bytes and back: an Arrow IPC stream with a checksum behind its end.

Every reader of Arrow streams stops at the end marker, so the checksum disturbs nobody; without it a stream that was cut
between two batches would pass for a shorter table, and a damaged offset would crash the process that follows it.
"""

from __future__ import annotations

import io
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from codemation.core.errors import PayloadLost
from codemation.core.tables import PackedTable

_BATCH_ROWS = 65_536
"""Rows that are written, and decoded, at a time."""
_COMPRESSED_FROM = 4_096
"""Bytes from which compression pays.

Measured on 336,776 flights: 56 MB plain in 0.01 s, 19 MB by lz4 in 0.07 s, 8.4 MB by zstd in 0.13 s; to write and sync
a file takes 0.05, 0.02 and 0.01 s more, and a database writes everything twice.
"""
_LARGE = 16 * 1024 * 1024
"""Bytes of a table from which Arrow is asked to give back what it holds for the next one, which may never come."""
_PARENTS = b"codemation.parents"
_MAGIC = b"crc1"
_TRAILER = len(_MAGIC) + 4


_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What every stream ends with."""


def write(table: pa.Table, parents: Sequence[int] | None = None) -> PackedTable:
    """The table as bytes, the same for the same table however it is cut into chunks.

    The rows that its rows came from are noted beside each batch, where no reader of Arrow streams looks for columns.
    """
    table = table.unify_dictionaries()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if table.nbytes >= _COMPRESSED_FROM else None)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        # One batch at least: the categories of a dictionary are written with the first.
        for start in range(0, max(table.num_rows, 1), _BATCH_ROWS):
            # Up to the end exactly: a table without columns would give any number of rows.
            part = table.slice(start, min(_BATCH_ROWS, table.num_rows - start)).combine_chunks()
            for batch in part.to_batches() or [one_batch(part)]:
                writer.write_batch(batch, None if parents is None else _noted(parents, start, batch.num_rows))
    if table.nbytes >= _LARGE:
        pa.default_memory_pool().release_unused()
    checksum = zlib.crc32(sink.getbuffer())
    sink.write(_MAGIC + checksum.to_bytes(4, "little"))
    return PackedTable(data=sink.getbuffer(), count=table.num_rows, schema=columns(table.schema))


def _noted(parents: Sequence[int], start: int, count: int) -> Any:
    """The parents of some rows; nothing but a mark where each row came from that in its place."""
    these = list(parents[start : start + count])
    own = these == list(range(start, start + count))
    return pa.KeyValueMetadata({_PARENTS: b"" if own else zlib.compress(array("q", these).tobytes(), 1)})


def parents(data: bytes | memoryview) -> list[int] | None:
    """The row that each row came from, as it was noted by the one who wrote the table; `None` if nobody has.

    Raises:
        PayloadLost: the bytes are damaged.
    """
    found: list[int] = []
    with _damage():
        reader: Any = open_stream(data)
        for batch, notes in reader.iter_batches_with_custom_metadata():
            if notes is None or _PARENTS not in notes:
                return None
            noted = notes[_PARENTS]
            if noted:
                found.extend(array("q", zlib.decompress(noted)))
            else:
                found.extend(range(len(found), len(found) + batch.num_rows))
    return found


def read(data: bytes | memoryview, start: int = 0, stop: int | None = None) -> pa.Table:
    """The rows from `start` up to `stop`; without bounds, the columns stand on `data` itself where they can.

    Raises:
        PayloadLost: the bytes are damaged.
    """
    with _damage():
        reader = open_stream(data)
        batches = list(_between(reader, start, stop))
        return pa.Table.from_batches(batches, schema=reader.schema)


def open_stream(data: bytes | memoryview) -> pa.RecordBatchReader:
    """A reader of the batches.

    Raises:
        PayloadLost: the bytes are damaged.
    """
    stream = checked(data)
    with _damage():
        return pa.ipc.open_stream(pa.py_buffer(stream))


def checked(data: bytes | memoryview) -> memoryview:
    """The Arrow IPC stream in what was stored, undamaged.

    Raises:
        PayloadLost: the checksum does not fit.
    """
    view = memoryview(data)
    stream, trailer = view[:-_TRAILER], bytes(view[-_TRAILER:])
    if trailer != _MAGIC + zlib.crc32(stream).to_bytes(4, "little") or stream[-len(_END) :] != _END:
        raise PayloadLost(f"a stored table of {len(view)} bytes is damaged: its checksum does not fit")
    return stream


def columns(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """Name and Arrow type of each column, in order."""
    return tuple((field.name, str(field.type)) for field in schema)


def _between(reader: pa.RecordBatchReader, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
    seen = 0
    for batch in reader:
        first, last = max(start - seen, 0), batch.num_rows if stop is None else min(stop - seen, batch.num_rows)
        # An empty batch is kept for the categories that came with it.
        if first < last or not batch.num_rows:
            yield batch.slice(first, last - first)
        seen += batch.num_rows
        if stop is not None and seen >= stop:
            return


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """The whole table as one batch, whether it has rows or not."""
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PayloadLost(f"a stored table is damaged: {error}") from error
