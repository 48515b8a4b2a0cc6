"""Reading Parquet: only the columns and the groups of rows that are wanted."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from codemation.core.errors import ContractError, NodeError
from codemation.core.mistakes import listed, meant
from codemation.nodes.tables.arrow import check_columns
from codemation.nodes.tables.finding import Found

Condition = tuple[str, str, Any]
_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, values: value in values,
    "not in": lambda value, values: value not in values,
}


def check(where: Sequence[Condition]) -> None:
    """Refuse conditions that make no sense."""
    for _, sign, _ in where:
        if sign not in _OPERATORS:
            way_out = meant(sign, _OPERATORS, f"there are {listed(list(_OPERATORS))}")
            raise ContractError(f"a condition has the operator {sign!r}", way_out=way_out)


def is_wanted(file: Found, where: Sequence[Condition]) -> bool:
    """Whether what the folders say of a file fits the conditions."""
    return all(_holds(file.partition[name], sign, value) for name, sign, value in where if name in file.partition)


def _holds(held: str | None, sign: str, value: Any) -> bool:
    if held is None:
        return False
    kind = type(value[0] if sign in ("in", "not in") and value else value)
    try:
        return bool(_OPERATORS[sign](kind(held) if kind in (int, float) else held, value))
    except (TypeError, ValueError):
        return False


def read(file: Found, columns: list[str] | None, where: Sequence[Condition]) -> pa.Table:
    """The rows of a file that fit the conditions.

    Raises:
        NodeError: it cannot be read.
        ContractError: a column that was named is not there, or cannot be compared.
    """
    conditions = [one for one in where if one[0] not in file.partition]
    try:
        with pq.ParquetFile(file.path) as opened:
            names = opened.schema_arrow.names
        inside = [name for name in columns or [] if name not in file.partition]
        check_columns([*inside, *(one[0] for one in conditions)], [*names, *file.partition], str(file.path))
        return pq.read_table(
            file.path,
            columns=None if columns is None else inside,
            filters=conditions or None,  # type: ignore[arg-type]  # the stubs want each operator as a literal
            partitioning=None,
        )
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ContractError(f"{file.path} cannot be searched by {listed(conditions)}: {error}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise NodeError(f"{file.path} cannot be read as Parquet: {error}") from error
