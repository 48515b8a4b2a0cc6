"""Reading several files as one table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed
from codemation.core.tables import Derived
from codemation.nodes.tables import csv_files, jsonl_files, parquet_files
from codemation.nodes.tables.arrow import check_columns
from codemation.nodes.tables.csv_files import CsvForm
from codemation.nodes.tables.finding import Found, found, together
from codemation.nodes.tables.lines import BadRows

__all__ = ["CsvForm", "found", "read_csv", "read_jsonl", "read_parquet"]


def read_csv(files: Sequence[Found], form: CsvForm, *, source: str | None, missing: str) -> Derived:
    """The rows of CSV files."""
    return _table([(one, *csv_files.read(one.path, form)) for one in files], source, missing)


def read_jsonl(
    files: Sequence[Found],
    columns: list[str] | None,
    types: dict[str, str] | None,
    *,
    source: str | None,
    missing: str,
) -> Derived:
    """The rows of files of JSON lines."""
    return _table([(one, *jsonl_files.read(one.path, columns, types)) for one in files], source, missing)


def read_parquet(
    files: Sequence[Found],
    columns: list[str] | None,
    where: Sequence[parquet_files.Condition],
    *,
    source: str | None,
    missing: str,
) -> Derived:
    """The rows of Parquet files that fit the conditions."""
    parquet_files.check(where)
    wanted = [one for one in files if parquet_files.is_wanted(one, where)]
    if not wanted:
        conditions = listed([" ".join(map(repr, one)) for one in where])
        raise ContractError(
            f"no folder fits {conditions}; there are {len(files)} files, the first {files[0].path}",
            way_out="see the names of the folders, and the types of the values that they are compared with",
        )
    read = [(one, parquet_files.read(one, columns, where)) for one in wanted]
    table = together(read, source=source, missing=missing)
    if columns is not None:
        kept = [*columns, *([source] if source is not None else [])]
        check_columns(kept, table.column_names, "what was read")
        table = table.select(kept)
    return Derived(table)


def _table(read: Sequence[tuple[Found, pa.Table, BadRows]], source: str | None, missing: str) -> Derived:
    table = together([(one, table) for one, table, _ in read], source=source, missing=missing)
    return Derived(table, failures=[failure for _, _, bad in read for failure in bad.failures])
