"""Other rows, or the same in another order: none is changed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from codemation.core.errors import ContractError
from codemation.core.tables import Derived
from codemation.nodes.tables.arrow import Column, arrow, check_columns, names_of, positions

__all__ = ["arrow", "distinct", "sample", "sort"]


def kept(table: pa.Table, rows: Sequence[int] | Column) -> Derived:
    """These rows of the table, in this order."""
    chosen: Column = rows if isinstance(rows, pa.Array) else pa.array(rows, pa.int64())
    return Derived(table.take(chosen), chosen.to_pylist(), same=True)


def sort(table: pa.Table, by: str | list[str], descending: bool | list[bool], nulls: str) -> Derived:
    """The rows in the order of some columns."""
    names = names_of(by)
    check_columns(names, table.column_names)
    if not names:
        raise ContractError("nothing to sort by", way_out='by="column" or by=["first", "second"]')
    falling = descending if isinstance(descending, list) else [descending] * len(names)
    if len(falling) != len(names):
        raise ContractError(
            f"{len(names)} columns to sort by, and descending says it of {len(falling)}",
            way_out="give descending once for all, or once for each",
        )
    keys: dict[str, Column] = {}
    order: list[Any] = []
    for at, (name, down) in enumerate(zip(names, falling, strict=True)):
        column = table.column(name)
        if nulls == "first":
            keys[f"missing {at}"] = pc.is_valid(column)
            order.append((f"missing {at}", "ascending"))
        keys[f"key {at}"] = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        order.append((f"key {at}", "descending" if down else "ascending"))
    try:
        return kept(table, pc.sort_indices(pa.table(keys), sort_keys=order))
    except pa.ArrowException as error:
        kinds = ", ".join(f"{name!r} is {table.schema.field(name).type}" for name in names)
        raise ContractError(
            f"these columns have no order: {kinds}", way_out="sort by numbers, texts or dates"
        ) from error


def distinct(table: pa.Table, on: str | list[str] | None, keep: str) -> Derived:
    """One row of those that are equal in some columns."""
    names = table.column_names if on is None else names_of(on)
    check_columns(names, table.column_names)
    if not table.num_rows or not names:
        return kept(table, range(min(table.num_rows, 1)))
    found = numbered_groups(table, names).aggregate([("row", "min"), ("row", "max")])
    first, last = found.column("row_min"), found.column("row_max")
    single: Column = first.filter(pc.equal(first, last))
    flat = {"none": single, "first": first, "last": last}[keep].combine_chunks()
    return kept(table, flat.take(pc.sort_indices(flat)))


def numbered_groups(table: pa.Table, names: list[str]) -> pa.TableGroupBy:
    """The numbers of the rows (`row`), grouped by some columns.

    Raises:
        ContractError: a column cannot be compared.
    """
    for name in names:
        if pa.types.is_nested(table.schema.field(name).type):
            raise ContractError(
                f"rows cannot be compared by {name!r}, which holds {table.schema.field(name).type}",
                way_out="name the columns to compare, all of them with plain values",
            )
    keys: dict[str, Column] = {f"key {at}": table.column(name) for at, name in enumerate(names)}
    return pa.table({**keys, "row": positions(table.num_rows)}).group_by(list(keys), use_threads=False)


def sample(table: pa.Table, rows: int | None, fraction: float | None, seed: int) -> Derived:
    """Some rows, chosen by chance."""
    if (rows is None) == (fraction is None):
        raise ContractError("how many rows?", way_out="say either rows=100 or fraction=0.1")
    if rows is not None and rows < 0:
        raise ContractError(f"rows={rows}: there are no fewer rows than none", way_out="rows=0 or more")
    if fraction is not None and not 0 <= fraction <= 1:
        raise ContractError(f"fraction={fraction} is no part of a whole", way_out="a number from 0 to 1")
    count = table.num_rows
    wanted = rows if rows is not None else round(count * (fraction or 0.0))
    chance = random.Random(seed)  # noqa: S311 - the same choice for the same seed, and no secret
    return kept(table, sorted(chance.sample(range(count), min(wanted, count))))
