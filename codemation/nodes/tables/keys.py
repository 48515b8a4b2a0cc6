"""Keys of two tables, made comparable: libraries spell one kind of value in several types."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed
from codemation.nodes.tables.arrow import Column

_FINENESS = ("s", "ms", "us", "ns")


def comparable(left: pa.Table, right: pa.Table, keys: list[str]) -> tuple[list[Column], list[Column]]:
    """The key columns of both sides, each pair in one type in which equal values are equal.

    Texts go with texts whatever they are stored as, numbers with numbers, times in a zone with times in any zone.

    Raises:
        ContractError: there is no such type, or values would be changed on the way to it.
    """
    ours, theirs = [_plain(left.column(name)) for name in keys], [_plain(right.column(name)) for name in keys]
    try:
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one.type != other.type:
                kind = _common(one.type, other.type)
                ours[at], theirs[at] = one.cast(kind), other.cast(kind)
    except pa.ArrowException as error:
        raise refused(left, right, keys) from error
    return ours, theirs


def refused(left: pa.Table, right: pa.Table, keys: list[str]) -> ContractError:
    """What is said of keys that cannot be compared."""
    kinds = [f"{name!r} is {left.schema.field(name).type} and {right.schema.field(name).type}" for name in keys]
    return ContractError(
        f"these tables cannot be joined: {listed(kinds)}", way_out="cast one of them before (cm.nodes.cast)"
    )


def _plain(column: Column) -> Column:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    return column.cast(pa.binary()) if pa.types.is_large_binary(kind) else column


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and (one.tz is None) == (other.tz is None):
        unit = max(one.unit, other.unit, key=_FINENESS.index)
        return pa.timestamp(unit, None if one.tz is None else "UTC")
    together = all(map(_is_number, (one, other))) or pa.types.is_null(one) or pa.types.is_null(other)
    how: Literal["permissive", "default"] = "permissive" if together else "default"
    found: pa.DataType = (
        pa.unify_schemas([pa.schema({"": one}), pa.schema({"": other})], promote_options=how).field(0).type
    )
    return found


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
