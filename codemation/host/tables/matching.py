"""Tables matched by key: `join` for Arrow, in the order of the left table and with the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from codemation.core.errors import ContractError

_LEFT, _RIGHT = "\0left", "\0right"
"""Columns that number the rows while they are joined; no column of a person's is called like that."""
_KINDS: dict[str, Literal["inner", "left outer", "full outer"]] = {
    "inner": "inner",
    "left": "left outer",
    "outer": "full outer",
}


def joined(tables: Sequence[pa.Table], on: Sequence[str], how: str) -> pa.Table:
    """The tables matched by the columns `on`, one after the other; a missing value matches nothing.

    Raises:
        ContractError: a column is missing, or has types that cannot be compared.
    """
    left = tables[0]
    for right in tables[1:]:
        left = _two(left, right, list(on), how)
    return left


def _two(left: pa.Table, right: pa.Table, on: list[str], how: str) -> pa.Table:
    for side, table in (("left", left), ("right", right)):
        if missing := [name for name in on if name not in table.column_names]:
            raise ContractError(
                f"the {side} table to join has no column {', '.join(map(repr, missing))}; "
                f"it has {', '.join(map(repr, table.column_names))}",
                way_out="join on columns that both sides have, or rename one before",
            )
    numbered = left.append_column(_LEFT, pa.array(range(left.num_rows), pa.int64()))
    other = right.append_column(_RIGHT, pa.array(range(right.num_rows), pa.int64()))
    clashing = [name for name in right.column_names if name in left.column_names and name not in on]
    other = other.rename_columns([f"{name}_right" if name in clashing else name for name in other.column_names])
    try:
        found = numbered.join(other, keys=on, join_type=_KINDS[how], use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ContractError(f"these tables cannot be joined on {', '.join(on)}: {error}") from error
    found = found.sort_by([(_LEFT, "ascending"), (_RIGHT, "ascending")])
    names = [*left.column_names, *(name for name in other.column_names if name not in (*on, _RIGHT))]
    return found.select(names)
