"""Other columns: each row stays in its place."""

from __future__ import annotations

import pyarrow as pa

from codemation.core.errors import ContractError
from codemation.core.tables import Derived
from codemation.nodes.tables.arrow import Column, arrow, check_columns, failing, type_of

__all__ = ["arrow", "cast", "rename", "select"]

_SHOWN = 3


def select(table: pa.Table, columns: list[str] | None, without: list[str] | None) -> Derived:
    """The table with these columns, or without those."""
    if (columns is None) == (without is None):
        raise ContractError("which columns?", way_out='say either columns=["…"] or without=["…"]')
    has = table.column_names
    check_columns(columns if columns is not None else without or [], has)
    kept = columns if columns is not None else [name for name in has if name not in (without or [])]
    return _in_place(table.select(list(dict.fromkeys(kept))))


def rename(table: pa.Table, columns: dict[str, str]) -> Derived:
    """The table with other names for some columns."""
    check_columns(columns, table.column_names)
    names = [columns.get(name, name) for name in table.column_names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        came = [old for old, new in zip(table.column_names, names, strict=True) if new == twice[0]]
        raise ContractError(
            f"the columns {' and '.join(map(repr, came))} would both be called {twice[0]!r}",
            way_out="give each a name of its own, or leave one out by cm.nodes.select",
        )
    return _in_place(table.rename_columns(names))


def cast(table: pa.Table, columns: dict[str, str], on_bad: str) -> Derived:
    """The table with other types for some columns."""
    check_columns(columns, table.column_names)
    for name, spelt in columns.items():
        at, kind = table.column_names.index(name), type_of(spelt)
        table = table.set_column(at, name, _cast(name, table.column(at), kind, nulls=on_bad == "null"))
    return _in_place(table)


def _cast(name: str, column: Column, kind: pa.DataType, *, nulls: bool) -> Column:
    if pa.types.is_integer(column.type) and pa.types.is_decimal(
        kind
    ):  # Arrow looks at the types alone, not at the values
        column = column.cast(pa.decimal256(20 + max(kind.scale, 0), max(kind.scale, 0)))
    try:
        return column.cast(kind)
    except pa.ArrowException as error:
        if isinstance(error, pa.ArrowNotImplementedError):
            raise ContractError(
                f"the column {name!r} is {column.type}, of which {kind} cannot be made",
                way_out="cast it to str before, or compute it in a node of your own",
            ) from None
    bad = failing(len(column), lambda start, stop: _works(column, kind, start, stop), len(column) if nulls else _SHOWN)
    if nulls:
        spoilt = frozenset(bad)
        there = pa.array([None if at in spoilt else at for at in range(len(column))], pa.int64())
        return column.take(there).cast(kind)
    shown = ", ".join(f"{column[at].as_py()!r} in row {at}" for at in bad)
    raise ContractError(
        f"the column {name!r} cannot become {kind}: it holds {shown}",
        way_out='correct the values before, or on_bad="null" to leave them out',
    )


def _works(column: Column, kind: pa.DataType, start: int, stop: int) -> bool:
    try:
        column.slice(start, stop - start).cast(kind)
    except pa.ArrowException:
        return False
    return True


def _in_place(table: pa.Table) -> Derived:
    return Derived(table, range(table.num_rows))
