"""Items as the rows of a table, and rows as items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, RootModel

from codemation.core.errors import ContractError
from codemation.host.tables.kinds import is_missing, objection

_ATOMS: Final = frozenset({bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, type(None)})
"""Classes that Arrow takes as they are."""
_TEXTS: Final = (PurePath, UUID, IPv4Address, IPv6Address)
"""Classes that become text."""


def from_rows(values: Sequence[object]) -> pa.Table:
    """A table of records, with a column for each name that any of them has.

    Enums become their values, paths and the like become text; names that a record has not are null in its row.

    Raises:
        ContractError: a value has no named fields, or a column holds values of different types.
    """
    rows = [_fields(value, at) for at, value in enumerate(values)]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    if not columns:  # such a table has rows all the same
        return without_columns(len(rows))
    return pa.table(columns)


def without_columns(rows: int) -> pa.Table:
    """A table that has rows and nothing in them."""
    nothing: Any = pa.array([{}] * rows, pa.struct([]))
    return pa.Table.from_struct_array(nothing)


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as dicts."""
    columns = [_in_python(column).to_pylist() for column in table.columns]
    names = table.column_names
    if not columns:
        return [{} for _ in range(table.num_rows)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _fields(value: object, at: int) -> Mapping[str, object]:
    named = _named(value.root if isinstance(value, RootModel) else value)
    if named is None:
        raise ContractError(
            f"item {at} is {type(value).__name__}, and a table needs items with named fields",
            way_out="return dicts, models or dataclasses from the node before, or take a list",
        )
    for name in named:
        if not isinstance(name, str):
            raise ContractError(f"item {at} has the key {name!r}, and the columns of a table are named by strings")
    return named


def _named(value: object) -> Mapping[Any, object] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: dict[str, object] = value._asdict()
        return named
    return None


def _plain(value: Any) -> Any:
    """What Arrow has a type for, made of what it has none for."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, _TEXTS) or type(value).__module__ == "pydantic.networks":
        return str(value)
    if is_missing(value):
        return None
    named = _named(value)
    if named is not None:
        return {name: _plain(held) for name, held in named.items()}
    if isinstance(value, (list, tuple, Set)):
        return [_plain(held) for held in value]
    return value


def _column(name: str, values: list[Any]) -> pa.Array[Any]:
    if not _ATOMS.issuperset(map(type, values)):
        values = [_plain(value) for value in values]
    if reason := objection(values):
        raise _mixed(name, reason)
    try:
        made: pa.Array[Any] = pa.array(values)
    except OverflowError:
        return _long_ints(name, values)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _mixed(name, f"cannot be made: {error}") from error
    return made


def _long_ints(name: str, values: list[Any]) -> pa.Array[Any]:
    try:
        return pa.array(values, pa.uint64())
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise _mixed(name, "holds an int of more than 64 bits") from error


def _mixed(name: str, reason: str) -> ContractError:
    return ContractError(
        f"these items are no table: the column {name!r} {reason}",
        way_out=f"give {name} one type in the node before, or take the items as a list",
    )


def _in_python(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """The column in microseconds if nothing is lost, because nanoseconds would come back as times of pandas."""
    micro: pa.DataType
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        micro = pa.timestamp("us", column.type.tz)
    elif pa.types.is_duration(column.type) and column.type.unit == "ns":
        micro = pa.duration("us")
    else:
        return column
    try:
        return column.cast(micro)
    except pa.ArrowInvalid:
        return column
