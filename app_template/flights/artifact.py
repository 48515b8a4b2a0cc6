"""Files that appear whole or not at all, and whose bytes depend on their content alone."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from flights.records import REASONS, Reject

ROW_GROUP = 65_536
REJECT_COLUMNS = ("table", "key", "reason", "detail")


class Artifact(BaseModel):
    """A file that was written, and what it takes to recognise it."""

    model_config = ConfigDict(frozen=True)

    path: str
    """As given, so relative to the working directory if `out` is."""
    rows: int
    """Records in it; 0 for a page."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self.path).name


def write_file(path: Path, content: bytes, *, rows: int = 0) -> Artifact:
    """Write a file beside its place and move it there in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # noqa: PTH101 — mkstemp gives a name, and nobody but its owner may read the file
        os.replace(name, path)  # noqa: PTH105 — as above
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Artifact(path=path.as_posix(), rows=rows, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def write_parquet(table: pl.DataFrame, path: Path) -> Artifact:
    """Write a table as Parquet with settings that do not depend on the machine."""
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    stream = pa.BufferOutputStream()
    pq.write_table(
        arrow, stream, row_group_size=ROW_GROUP, compression="zstd", compression_level=3, use_dictionary=True
    )
    return write_file(path, stream.getvalue().to_pybytes(), rows=table.height)


def write_rejects(rejects: Sequence[Reject], path: Path) -> Artifact:
    """Write what was left out as CSV, with the reason in words; the order does not depend on who was judged first."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(REJECT_COLUMNS)
    for reject in sorted(rejects, key=lambda each: (each.table, each.key)):
        writer.writerow((reject.table, reject.key, REASONS[reject.reason], reject.detail))
    return write_file(path, stream.getvalue().encode(), rows=len(rejects))
