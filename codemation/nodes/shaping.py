"""Nodes that give a table another shape: other columns, other rows, another order."""

from __future__ import annotations

from typing import Literal

from codemation.core.node import SupportsArrow, node

Aggregation = Literal[
    "rows",
    "count",
    "distinct",
    "sum",
    "mean",
    "min",
    "max",
    "first",
    "last",
    "list",
    "stddev",
    "variance",
    "any",
    "all",
]
"""How a column of a group becomes one value."""


@node
def select(
    table: SupportsArrow, *, columns: list[str] | None = None, without: list[str] | None = None
) -> SupportsArrow:
    """Keep the columns named in `columns`, in that order, or all but those named in `without`."""
    from codemation.nodes.tables import columns as working

    return working.select(working.arrow(table), columns, without)


@node
def rename(table: SupportsArrow, *, columns: dict[str, str]) -> SupportsArrow:
    """Give columns other names: `columns={"old": "new"}`. Two may change places."""
    from codemation.nodes.tables import columns as working

    return working.rename(working.arrow(table), columns)


@node
def cast(table: SupportsArrow, *, columns: dict[str, str], on_bad: Literal["fail", "null"] = "fail") -> SupportsArrow:
    """Give columns other types: `columns={"price": "decimal(10, 2)", "day": "date"}`.

    Nothing is lost in silence: a value that does not fit fails the node, which shows it, or becomes null with
    `on_bad="null"`. A type is spelt as Arrow does (`int64`, `timestamp[us, tz=UTC]`), or `int`, `float`, `str`, `bool`,
    `date`, `datetime`, `bytes`. A time without a zone that is given one is taken to be in UTC; a text becomes a time
    with a zone only if it says its zone.
    """
    from codemation.nodes.tables import columns as working

    return working.cast(working.arrow(table), columns, on_bad)


@node
def sort(
    table: SupportsArrow,
    *,
    by: str | list[str],
    descending: bool | list[bool] = False,
    nulls: Literal["first", "last"] = "last",
) -> SupportsArrow:
    """Order the rows by one or more columns. Rows that are equal in them keep their order."""
    from codemation.nodes.tables import rows as working

    return working.sort(working.arrow(table), by, descending, nulls)


@node
def distinct(
    table: SupportsArrow, *, on: str | list[str] | None = None, keep: Literal["first", "last", "none"] = "first"
) -> SupportsArrow:
    """Keep one row of those that are equal in the columns `on` (all columns, if none are named).

    `keep="none"` drops every row that has a double. Missing values count as equal.
    """
    from codemation.nodes.tables import rows as working

    return working.distinct(working.arrow(table), on, keep)


@node
def sample(
    table: SupportsArrow, *, rows: int | None = None, fraction: float | None = None, seed: int = 0
) -> SupportsArrow:
    """Keep some rows, chosen by chance, in their order; the same `seed` always chooses the same.

    Asked for more rows than there are, it keeps them all.
    """
    from codemation.nodes.tables import rows as working

    return working.sample(working.arrow(table), rows, fraction, seed)


@node
def group(
    table: SupportsArrow, *, by: str | list[str], aggregates: dict[str, tuple[str, Aggregation]]
) -> SupportsArrow:
    """One row for each group of rows that are equal in the columns `by`, in the order in which the groups begin.

    `aggregates={"revenue": ("price", "sum"), "orders": ("*", "rows")}` names each new column and says of which column
    it is made, and how. Without columns in `by` all rows are one group. Only `rows` counts missing values. A
    sum of whole numbers that may not fit into 64 bits is a decimal.
    """
    from codemation.nodes.tables import groups as working

    return working.group(working.arrow(table), by, aggregates)


@node
def join(
    table: SupportsArrow,
    *,
    right: SupportsArrow,
    on: str | list[str],
    how: Literal["inner", "left", "outer", "semi", "anti"] = "inner",
) -> SupportsArrow:
    """Match the rows with those of `right`, which is given a flow, by the columns `on`, in the order of the left side.

    `left` keeps rows without a match, `outer` those of the right side as well, at the end. `semi` keeps the rows that
    have a match and adds nothing to them, `anti` those that have none. A column that both sides have keeps the left
    one's name; the right one's gets `_right` behind it. A missing key matches nothing. Keys of
    different types are compared if no value changes by it: texts of any library, numbers with numbers.
    """
    from codemation.nodes.tables import groups as working

    return working.join(working.arrow(table), working.arrow(right), on, how)
