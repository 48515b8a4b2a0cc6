"""Nodes that read and write files: CSV, Parquet, JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from codemation.core.context import Context
from codemation.core.node import ArrowBatches, SupportsArrow, node

IfExists = Literal["overwrite", "error", "append"]


@node
def read_csv(
    files: list[Any],
    *,
    path: str | list[str] | None = None,
    columns: list[str] | None = None,
    types: dict[str, str] | None = None,
    header: list[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "utf8",
    nulls: list[str] | None = None,
    source: str | None = None,
    missing: Literal["fail", "null"] = "fail",
) -> SupportsArrow:
    """Read CSV files as one table: those of `path`, or else those that the items name by their field `path`.

    `path` is a file, a pattern (`data/**/*.csv`), a folder or a list of them; what is named `year=2026` on the way to a
    file becomes a column. Files that end in `.gz`, `.bz2`, `.zst` or `.lz4` are read as they are. Types that are not
    given are guessed, so that no digit is lost: numbers with a zero in front (`007`) stay texts, whole numbers that are
    too long for 64 bits become decimals. A row that has too many fields, or a value that its type does not allow, fails
    the node, which names file and line; `on_error="drop"` goes on without such rows, `on_error="port"` sends them to
    the `error` port.

    `header` names the columns of a file that does not. `source` is the name of a column for the path of the file.
    `missing="null"` leaves columns empty that only some files have.
    """
    from codemation.nodes.tables import reading as working

    form = working.CsvForm(
        delimiter=delimiter,
        quote=quote,
        header=header,
        encoding=encoding,
        nulls=nulls,
        columns=columns,
        types=types,
    )
    return working.read_csv(working.found(files, path, (".csv", ".tsv", ".txt")), form, source=source, missing=missing)


@node
def read_jsonl(
    files: list[Any],
    *,
    path: str | list[str] | None = None,
    columns: list[str] | None = None,
    types: dict[str, str] | None = None,
    source: str | None = None,
    missing: Literal["fail", "null"] = "null",
) -> SupportsArrow:
    """Read files of JSON lines as one table: those of `path`, or else those that the items name by their field `path`.

    Paths, patterns, folders, compression, `source` and `missing` are as in `read_csv`, and so is what becomes of a line
    that holds no JSON object, or a value that its type does not allow. A field that a line has not is missing in its
    row. A text that is a time is read as one, in UTC if it says its zone.
    """
    from codemation.nodes.tables import reading as working

    wanted = working.found(files, path, (".jsonl", ".ndjson", ".json"))
    return working.read_jsonl(wanted, columns, types, source=source, missing=missing)


@node
def read_parquet(
    files: list[Any],
    *,
    path: str | list[str] | None = None,
    columns: list[str] | None = None,
    where: list[tuple[str, str, Any]] | None = None,
    source: str | None = None,
    missing: Literal["fail", "null"] = "fail",
) -> SupportsArrow:
    """Read Parquet files as one table: those of `path`, or else those that the items name by their field `path`.

    Paths, patterns, folders, `source` and `missing` are as in `read_csv`. `columns` and `where=[("year", ">=", 2026)]`
    (all of them must hold; also `in` and `not in`) are applied while reading: what is not wanted is not loaded, and
    folders whose names do not fit are not opened.
    """
    from codemation.nodes.tables import reading as working

    wanted = working.found(files, path, (".parquet", ".pq"))
    return working.read_parquet(wanted, columns, where or [], source=source, missing=missing)


@node
def write_csv(
    table: ArrowBatches,
    *,
    path: str,
    if_exists: IfExists = "overwrite",
    partition_by: list[str] | None = None,
    delimiter: str = ",",
    ctx: Context | None = None,
) -> list[dict[str, Any]]:
    """Write the rows to a CSV file; gives its path, rows and bytes.

    The file takes its place when it is whole and on the disk: whoever looks sees the old one or the new one. With
    `partition_by=["year"]`, `path` is a folder with one file in `year=2026/` and so on, which is replaced as a whole.
    `if_exists="append"` adds the rows to what is there (as files of their own in a folder, which a second try replaces,
    so that nothing is added twice). The ending of the name says whether it is compressed: `.csv.gz`. Without rows the
    node is skipped, and what is there stays; `write_csv.options(run_on_empty=True)` writes an empty file.
    """
    from codemation.nodes.tables import forms, writing

    return writing.write(
        table,
        writing.Target(
            path=Path(path).expanduser(),
            open=forms.csv_opener(delimiter),
            suffix=".csv",
            if_exists=if_exists,
            partition_by=tuple(partition_by or ()),
            key=ctx.idempotency_key if ctx else "",
        ),
    )


@node
def write_jsonl(
    table: ArrowBatches,
    *,
    path: str,
    if_exists: IfExists = "overwrite",
    partition_by: list[str] | None = None,
    ctx: Context | None = None,
) -> list[dict[str, Any]]:
    """Write the rows to a file of JSON lines; gives its path, rows and bytes. All else is as in `write_csv`.

    Times are written as ISO 8601, decimals as texts, bytes in base64; a number that is none becomes `null`.
    """
    from codemation.nodes.tables import forms, writing

    return writing.write(
        table,
        writing.Target(
            path=Path(path).expanduser(),
            open=forms.open_jsonl,
            suffix=".jsonl",
            if_exists=if_exists,
            partition_by=tuple(partition_by or ()),
            key=ctx.idempotency_key if ctx else "",
        ),
    )


@node
def write_parquet(
    table: ArrowBatches,
    *,
    path: str,
    if_exists: IfExists = "overwrite",
    partition_by: list[str] | None = None,
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd",
    ctx: Context | None = None,
) -> list[dict[str, Any]]:
    """Write the rows to a Parquet file; gives its path, rows and bytes. All else is as in `write_csv`."""
    from codemation.nodes.tables import forms, writing

    return writing.write(
        table,
        writing.Target(
            path=Path(path).expanduser(),
            open=forms.parquet_opener(compression),
            suffix=".parquet",
            if_exists=if_exists,
            partition_by=tuple(partition_by or ()),
            key=ctx.idempotency_key if ctx else "",
        ),
    )
