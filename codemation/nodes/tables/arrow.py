"""Tables of any library as Arrow, and the words that nodes use of them: columns and types."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed, meant
from codemation.core.tables import Derived

Column = Any
"""A column: its kinds, which the stubs of pyarrow tell apart, are taken alike by its functions."""

_SPELT: Final[dict[str, pa.DataType]] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
}
_DECIMAL = re.compile(r"decimal(?:128)?\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)")
_ZONED = re.compile(r"timestamp\[\s*(s|ms|us|ns)\s*,\s*tz=([^\]]+)\]")
_LIST = re.compile(r"list<(?:(?:item|element)\s*:\s*)?(.+)>")
_KNOWN: Final = (*_SPELT, "bool", "int32", "string", "double", "date32", "timestamp[us]", "decimal(10, 2)", "list<int>")


LONG: Final = pa.decimal128(38, 0)
"""Whole numbers that are too long for 64 bits."""


def arrow(table: Any) -> pa.Table:
    """A table of any library, or a list of dicts, as Arrow."""
    if isinstance(table, Derived):
        return arrow(table.table)
    if isinstance(table, list):
        return pa.Table.from_pylist(table)
    found = table if isinstance(table, pa.Table) else pa.table(table)
    for at, field in enumerate(found.schema):
        if (column := _without_views(found.column(at))) is not None:
            found = found.set_column(at, field.name, column)
    return found


def _without_views(column: Column) -> Column | None:
    """Texts and bytes as polars hands them out, as those that all of Arrow understands; `None` for anything else."""
    views: dict[Any, Any] = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    if column.type in views:
        return column.cast(views[column.type])
    if pa.types.is_dictionary(column.type) and column.type.value_type in views:
        kind: Any = pa.dictionary(column.type.index_type, views[column.type.value_type], column.type.ordered)
        made = [
            pa.DictionaryArray.from_arrays(one.indices, one.dictionary.cast(kind.value_type)) for one in column.chunks
        ]
        return pa.chunked_array([one.cast(kind) for one in made], kind)
    return None


def names_of(given: str | Sequence[str]) -> list[str]:
    """One name or several, as a list without repetitions."""
    return [given] if isinstance(given, str) else list(dict.fromkeys(given))


def check_columns(wanted: Collection[str], has: Sequence[str], what: str = "the table") -> None:
    """Refuse columns that are not there.

    Raises:
        ContractError: names the first, and the one that was probably meant.
    """
    for name in wanted:
        if name not in has:
            raise ContractError(
                f"{what} has no column {name!r}",
                way_out=meant(name, has, f"it has {listed([repr(one) for one in has])}"),
            )


def type_of(name: str) -> pa.DataType:
    """The type that is spelt like this.

    Raises:
        ContractError: none is.
    """
    spelt = name.strip()
    if spelt in _SPELT:
        return _SPELT[spelt]
    if found := _DECIMAL.fullmatch(spelt):
        return pa.decimal128(int(found[1]), int(found[2] or 0))
    if found := _ZONED.fullmatch(spelt):
        unit: Any = found[1]
        return pa.timestamp(unit, found[2].strip())
    if found := _LIST.fullmatch(spelt):
        return pa.list_(type_of(found[1]))
    try:
        alias: Any = spelt
        kind: pa.DataType = pa.type_for_alias(alias)
    except ValueError:
        way_out = meant(spelt, _KNOWN, f"types are spelt like {listed(_KNOWN)}")
        raise ContractError(f"there is no type {name!r}", way_out=way_out) from None
    return kind


def failing(count: int, works: Callable[[int, int], bool], enough: int) -> list[int]:
    """Which of `count` rows do not work, found by halving: at most `enough` of them, in order."""
    found: list[int] = []
    for row in _failing(0, count, works):
        found.append(row)
        if len(found) == enough:
            break
    return found


def _failing(start: int, stop: int, works: Callable[[int, int], bool]) -> Iterator[int]:
    if start == stop or works(start, stop):
        return
    if stop - start == 1:
        yield start
        return
    middle = (start + stop) // 2
    yield from _failing(start, middle, works)
    yield from _failing(middle, stop, works)


def opened(path: Path) -> Any:
    """The content of a file as a stream, unpacked if its name says that it is packed."""
    return pa.input_stream(str(path), compression="detect")


def is_long(column: Column) -> bool:
    """Whether a column of broad numbers holds one so big that its last digits may be lost."""
    ends: Any = pc.min_max(column).as_py()
    return any(value is not None and 2**53 <= abs(value) < inf for value in ends.values())


def positions(count: int) -> Column:
    """The numbers of all rows."""
    return pa.array(range(count), pa.int64())
