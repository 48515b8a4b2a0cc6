"""Rows made of several: groups of one table, and matches of two."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed
from codemation.core.node import SupportsArrow
from codemation.nodes.tables.arrow import LONG, Column, arrow, check_columns, names_of, positions
from codemation.nodes.tables.keys import comparable, refused
from codemation.nodes.tables.rows import kept, numbered_groups

__all__ = ["arrow", "group", "join", "widened"]

_FUNCTIONS: Final = {"rows": "count_all", "distinct": "count_distinct"}
"""What Arrow calls some of them."""
_KINDS: Final[dict[str, Any]] = {"inner": "inner", "left": "left outer", "outer": "full outer"}
_LEFT, _RIGHT, _ROW = "left row", "right row", "\x00row"


def group(table: pa.Table, by: str | list[str], aggregates: dict[str, tuple[str, Any]]) -> pa.Table:
    """One row for each group."""
    keys = names_of(by)
    check_columns(keys, table.column_names)
    if twice := [name for name in keys if name in aggregates]:
        raise ContractError(f"{twice[0]!r} is a column to group by already", way_out="give the aggregate another name")
    given: list[Any] = []
    for source, how in aggregates.values():
        if how != "rows":
            check_columns([source], table.column_names)
        given.append(([] if how == "rows" else source, _FUNCTIONS.get(how, how)))
    numbered_groups(table, keys)  # refuses what cannot be compared
    table = _with_room(table, [source for source, how in aggregates.values() if how == "sum"])
    try:
        if not keys:
            made = pa.TableGroupBy(table, [], use_threads=False).aggregate(given)
        else:  # Arrow numbers the groups as it likes
            numbered = table.append_column(_ROW, positions(table.num_rows))
            made = numbered.group_by(keys, use_threads=False).aggregate([*given, (_ROW, "min")])
            made = made.sort_by(f"{_ROW}_min").drop_columns(f"{_ROW}_min")
    except (pa.ArrowException, TypeError) as error:
        asked = listed([f"{how} of {source!r} ({_kind(table, source)})" for source, how in aggregates.values()])
        raise ContractError(f"this cannot be computed: {asked}: {error}") from error
    return made.rename_columns([*keys, *aggregates])


def _with_room(table: pa.Table, summed: list[str]) -> pa.Table:
    """The table with decimals for whole numbers whose sum may need more than 64 bits, where Arrow would begin again."""
    for name in dict.fromkeys(summed):
        column: Column = table.column(name)
        if pa.types.is_integer(column.type):
            ends: Any = pc.min_max(column).as_py()
            if table.num_rows * max((abs(end) for end in ends.values() if end is not None), default=0) >= 2**63:
                table = table.set_column(table.column_names.index(name), name, column.cast(LONG))
    return table


def _kind(table: pa.Table, column: str) -> str:
    return str(table.schema.field(column).type) if column in table.column_names else "all columns"


def join(left: pa.Table, right: pa.Table, on: str | list[str], how: str) -> SupportsArrow:
    """The rows of two tables that are equal in some columns."""
    keys = names_of(on)
    if how not in ("semi", "anti"):
        return widened(left, right, keys, how)
    _check_keys(left, right, keys)
    matched = set(_pairs(left, right, keys, "inner").column(_LEFT).to_pylist())
    return kept(left, [row for row in range(left.num_rows) if (row in matched) == (how == "semi")])


def widened(left: pa.Table, right: pa.Table, keys: list[str], how: str) -> pa.Table:
    """The rows of two tables that are equal in the columns `keys`, side by side, in the order of the left.

    Raises:
        ContractError: a column is missing, its types cannot be compared, or two would have one name.
    """
    _check_keys(left, right, keys)
    pairs = _pairs(left, right, keys, how)
    ours, theirs = left.take(pairs.column(_LEFT)), right.take(pairs.column(_RIGHT))
    columns: dict[str, Any] = {name: ours.column(name) for name in left.column_names}
    if how == "outer":
        columns |= {name: _either(ours.column(name), theirs.column(name)) for name in keys}
    for name in right.column_names:
        if name not in keys:
            free = name if name not in left.column_names else f"{name}_right"
            if free in columns or (free != name and free in right.column_names):
                raise ContractError(f"both tables have {name!r}, and {free!r} is taken", way_out="rename one before")
            columns[free] = theirs.column(name)
    return pa.table(columns)


def _check_keys(left: pa.Table, right: pa.Table, keys: list[str]) -> None:
    check_columns(keys, left.column_names, "the left table")
    check_columns(keys, right.column_names, "the right table")
    if not keys:
        raise ContractError("nothing to join on", way_out='on="column" or on=["first", "second"]')


def _either(ours: Column, theirs: Column) -> Column:
    """The key of a row that one of the two sides may not have."""
    try:
        return pc.coalesce(ours, theirs.cast(ours.type))
    except pa.ArrowException:  # no type of ours holds it
        (one,), (other,) = comparable(pa.table({"": ours}), pa.table({"": theirs}), [""])
        return pc.coalesce(one, other)


def _pairs(left: pa.Table, right: pa.Table, keys: list[str], how: str) -> pa.Table:
    """Which row of the left goes with which of the right, in the order of the left."""
    ours, theirs = comparable(left, right, keys)
    names = [f"key {at}" for at, _ in enumerate(keys)]
    one = pa.table([*ours, positions(left.num_rows)], [*names, _LEFT])
    other = pa.table([*theirs, positions(right.num_rows)], [*names, _RIGHT])
    try:
        found = one.join(other, keys=names, join_type=_KINDS[how], use_threads=False)
    except pa.ArrowException as error:
        raise refused(left, right, keys) from error
    return found.select([_LEFT, _RIGHT]).sort_by([(_LEFT, "ascending"), (_RIGHT, "ascending")])
