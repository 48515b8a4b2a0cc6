"""Several tables as one: the same columns by name, of types that go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from codemation.core.errors import ContractError
from codemation.host.tables.records import without_columns

_FAMILIES: tuple[Callable[[pa.DataType], bool], ...] = (
    lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    pa.types.is_decimal,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind),
    pa.types.is_date,
    pa.types.is_duration,
    pa.types.is_dictionary,
    pa.types.is_nested,
)
"""Types of one family go together: the widest is taken."""


def of(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of the rows of all, its columns in the order of the first.

    Raises:
        ContractError: they have different columns, or a column has types that do not go together.
    """
    first = tables[0]
    if not any(table.num_columns for table in tables):
        return without_columns(sum(table.num_rows for table in tables))
    if all(table.schema.equals(first.schema, check_metadata=True) for table in tables):
        return pa.concat_tables(tables)
    names = first.column_names
    for table in tables:
        _check_names(names, table.column_names)
    fields = [_field(name, [table.schema.field(name) for table in tables]) for name in names]
    schema = pa.schema(fields, metadata=_common_metadata(tables))
    return pa.concat_tables([_cast(table, schema) for table in tables])


def _common_metadata(tables: Sequence[pa.Table]) -> dict[bytes | str, bytes | str]:
    """What all tables say about themselves; what pandas notes about types need not hold for the whole."""
    every = [table.schema.metadata or {} for table in tables]
    same = set(every[0].items()).intersection(*(metadata.items() for metadata in every))
    return {key: text for key, text in every[0].items() if (key, text) in same and key != b"pandas"}


def _check_names(names: list[str], others: list[str]) -> None:
    apart = [name for name in names if name not in others] + [name for name in others if name not in names]
    if apart:
        raise ContractError(
            f"these tables cannot be one: only some of them have the column {', '.join(map(repr, apart))}",
            way_out="select or rename columns until they have the same, or join them by a key",
        )


def _field(name: str, fields: list[pa.Field[Any]]) -> pa.Field[Any]:
    kind = fields[0].type
    for field in fields[1:]:
        kind = _common(name, kind, field.type)
    # What the field of another table says about itself need not hold for all.
    return fields[0] if all(field.equals(fields[0], check_metadata=True) for field in fields) else pa.field(name, kind)


def _common(name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_dictionary(one) != pa.types.is_dictionary(other):
        return _common(name, getattr(one, "value_type", one), getattr(other, "value_type", other))
    same_zone = pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and one.tz == other.tz
    if same_zone or any(belongs(one) and belongs(other) for belongs in _FAMILIES):
        try:
            unified = pa.unify_schemas(
                [pa.schema([(name, one)]), pa.schema([(name, other)])], promote_options="permissive"
            )
            kind: pa.DataType = unified.field(0).type
        except pa.ArrowException:
            raise _apart(name, one, other) from None
        return kind
    raise _apart(name, one, other)


def _apart(name: str, one: pa.DataType, other: pa.DataType) -> ContractError:
    return ContractError(
        f"these tables cannot be one: the column {name!r} is {one} in one of them and {other} in another",
        way_out=f"cast {name} to one type in the nodes before",
    )


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        column = table.column(field.name)
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowException as error:
            raise ContractError(
                f"these tables cannot be one: the column {field.name!r} cannot become {field.type} everywhere: {error}",
                way_out=f"cast {field.name} to one type in the nodes before",
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)
