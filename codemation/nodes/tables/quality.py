"""What is expected of rows, and which of them do not meet it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from codemation.core.errors import ContractError
from codemation.core.mistakes import listed, meant
from codemation.core.tables import Derived
from codemation.nodes.quality_report import Expectation, QualityReport
from codemation.nodes.tables.arrow import Column, arrow, check_columns, positions, type_of
from codemation.nodes.tables.rows import numbered_groups

__all__ = ["arrow", "examined", "unchanged"]

_EXAMPLES = 3
_OF_NOTHING: Final = ("rows", "holds")
"""What can be said of no items at all, which have no columns."""


def unchanged(table: pa.Table) -> Derived:
    """The table as it came."""
    return Derived(table, range(table.num_rows), same=True)


def examined(table: pa.Table, wanted: Mapping[str, Any]) -> QualityReport:
    """The report on a table."""
    kinds = _CHECKS if table.num_columns else _OF_NOTHING
    found = [one for kind in kinds for one in _CHECKS[kind](table, wanted[kind])]
    if not found and table.num_columns:
        raise ContractError("nothing is expected", way_out="say what: min_rows=1, not_null=[…], unique=[…], …")
    return QualityReport(rows=table.num_rows, expectations=tuple(found))


def _rows(table: pa.Table, bounds: tuple[int | None, int | None]) -> Iterator[Expectation]:
    low, high = bounds
    if low is not None:
        yield Expectation(what=f"at least {low:,} row{'' if low == 1 else 's'}", met=table.num_rows >= low)
    if high is not None:
        yield Expectation(what=f"at most {high:,} row{'' if high == 1 else 's'}", met=table.num_rows <= high)


def _columns(table: pa.Table, types: Mapping[str, str]) -> Iterator[Expectation]:
    for name, spelt in types.items():
        wanted, what = type_of(spelt), f"{name} is a column of {spelt}"
        if name not in table.column_names:
            hint = meant(name, table.column_names, f"there are {listed(table.column_names)}")
            yield Expectation(what=what, met=False, examples=(f"there is no such column; {hint}",))
        else:
            is_so = _plain(table.schema.field(name).type) == _plain(wanted)
            examples = () if is_so else (f"it is of {table.schema.field(name).type}",)
            yield Expectation(what=what, met=is_so, examples=examples)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else pa.binary() if pa.types.is_large_binary(kind) else kind


def _not_null(table: pa.Table, names: list[str]) -> Iterator[Expectation]:
    check_columns(names, table.column_names)
    for name in names:
        yield _judged(table, f"{name} is never missing", pc.is_null(table.column(name), nan_is_null=True), ())


def _unique(table: pa.Table, names: list[str]) -> Iterator[Expectation]:
    check_columns(names, table.column_names)
    if not names:
        return
    what = f"{' and '.join(names)} {'is' if len(names) == 1 else 'together are'} unique"
    numbers = positions(table.num_rows)
    firsts = numbered_groups(table, names).aggregate([("row", "min")]).column("row_min")
    again: Column = pc.invert(pc.is_in(numbers, value_set=firsts.combine_chunks()))
    for name in names:
        there: Column = pc.is_valid(table.column(name))
        again = pc.and_(again, there.combine_chunks())
    yield _judged(table, what, again, names)


def _values(table: pa.Table, allowed: Mapping[str, list[Any]]) -> Iterator[Expectation]:
    check_columns(allowed, table.column_names)
    for name, values in allowed.items():
        column = _comparable(table.column(name))
        known = _given(name, column.type, [value for value in values if value is not None])
        what = f"{name} is one of {listed([reprlib.repr(value) for value in values])}"
        yield _judged(table, what, _outside(column, pc.is_in(column, value_set=known)), [name])


def _between(table: pa.Table, ranges: Mapping[str, tuple[Any, Any]]) -> Iterator[Expectation]:
    check_columns(ranges, table.column_names)
    for name, (low, high) in ranges.items():
        column = _comparable(table.column(name))
        inside: Any = pa.array([True]).take(pa.array([0] * len(column), pa.int64()))
        if low is not None:
            inside = pc.and_(inside, _compared(name, column, pc.greater_equal, low))
        if high is not None:
            inside = pc.and_(inside, _compared(name, column, pc.less_equal, high))
        bounds = [f"at least {low!r}"] * (low is not None) + [f"at most {high!r}"] * (high is not None)
        yield _judged(table, f"{name} is {' and '.join(bounds) or 'anything'}", _outside(column, inside), [name])


def _matches(table: pa.Table, patterns: Mapping[str, str]) -> Iterator[Expectation]:
    check_columns(patterns, table.column_names)
    for name, pattern in patterns.items():
        column = _comparable(table.column(name))
        try:
            fits = pc.match_substring_regex(column, rf"\A(?:{pattern})\z")
        except pa.ArrowException as error:
            raise ContractError(
                f"{name!r} ({column.type}) cannot be matched with {pattern!r}: {error}",
                way_out="match texts alone, with a regular expression as RE2 knows them",
            ) from None
        yield _judged(table, f"{name} matches {pattern!r}", _outside(column, fits), [name])


def _holds(_: pa.Table, sentences: Mapping[str, bool]) -> Iterator[Expectation]:
    for sentence, is_so in sentences.items():
        yield Expectation(what=sentence, met=is_so)


def _comparable(column: Column) -> Column:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _given(name: str, kind: pa.DataType, values: list[Any]) -> Column:
    try:
        return pa.array(values).cast(kind) if values else pa.array([], kind)
    except pa.ArrowException:
        raise ContractError(
            f"the column {name!r} is {kind}, and {reprlib.repr(values)} is expected in it",
            way_out="expect values of the type of the column, or cast it before (cm.nodes.cast)",
        ) from None


def _compared(name: str, column: Column, compare: Callable[..., Any], bound: Any) -> Any:
    try:
        return compare(column, pa.scalar(bound))
    except pa.ArrowException:
        raise ContractError(
            f"the column {name!r} is {column.type}, which cannot be compared with {bound!r}",
            way_out="give a bound of the type of the column, or cast it before (cm.nodes.cast)",
        ) from None


def _outside(column: Column, inside: Any) -> Any:
    """Where there is a value, and it is not inside."""
    return pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(inside, False)))


def _judged(table: pa.Table, what: str, bad: Any, shown: list[str] | tuple[str, ...]) -> Expectation:
    rows = pc.indices_nonzero(bad)
    first = rows[:_EXAMPLES].to_pylist()
    names = list(shown) or table.column_names
    held = table.select(names).take(pa.array(first, pa.int64())).to_pylist()
    examples = tuple(f"row {at}: {reprlib.repr(row)}" for at, row in zip(first, held, strict=True))
    more = (f"and {len(rows) - len(first):,} more",) if len(rows) > len(first) else ()
    return Expectation(what=what, met=not len(rows), rows=len(rows), examples=examples + more)


_CHECKS: Final[Mapping[str, Callable[[pa.Table, Any], Iterator[Expectation]]]] = {
    "rows": _rows,
    "columns": _columns,
    "not_null": _not_null,
    "unique": _unique,
    "values": _values,
    "between": _between,
    "matches": _matches,
    "holds": _holds,
}
