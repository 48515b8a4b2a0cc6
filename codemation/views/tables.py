"""Items as a small table that says what it leaves out: no more rows, columns and letters than were asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import islice
from numbers import Real
from typing import Any

from pydantic import BaseModel

from codemation.core.items import Item
from codemation.views.lettering import ELLIPSIS, clipped, one_line
from codemation.views.records import Json, record

ROWS, COLUMNS, WIDTH = 10, 8, 40
VALUE = "value"
"""The column of items that have no fields."""
_DEPTH = 2
_MEMBERS = 4
_LONGEST = 2000
"""Letters of a text that are looked at at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePreview:
    """The beginning of a table as text; `right` says which columns hold numbers and belong against the right side.

    A missing field is an empty cell; an empty text is `""`, and `None` is `None`. A text that could be taken for one
    of these, or for a number, stands in quotes.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    left_out_rows: int = 0
    left_out_columns: int = 0

    def to_json(self) -> Json:
        """Plain JSON data with every field."""
        return record(self)


def preview(values: Sequence[object], columns: int = COLUMNS, rows: int = ROWS, *, width: int = WIDTH) -> TablePreview:
    """The first `rows` values as a table of at most `columns` columns, each cell at most `width` columns wide.

    Columns that only values further on have are not looked for.

    Raises:
        ValueError: fewer than no rows or columns, or a width of less than 1 are asked for.
    """
    if columns < 0 or rows < 0 or width < 1:
        raise ValueError(
            f"a table of {rows} rows and {columns} columns, {width} wide, cannot be; ask for 1 or more each"
        )
    records = [_fields(value) for value in islice(values, rows)]
    names = list(dict.fromkeys(name for record in records for name in record))
    shown = names[:columns]
    return TablePreview(
        columns=tuple(clipped(one_line(name), width) for name in shown),
        rows=tuple(
            tuple(clipped(_cell(record[name]), width) if name in record else "" for name in shown) for record in records
        ),
        right=tuple(_is_numeric(record[name] for record in records if name in record) for name in shown),
        left_out_rows=len(values) - len(records),
        left_out_columns=len(names) - len(shown),
    )


def _fields(value: object) -> Mapping[str, object]:
    """The columns of one value."""
    if isinstance(value, Item):
        return _fields(value.value)
    found = members(value)
    return {VALUE: value} if found is None else {str(name): inner for name, inner in found.items()}


def members(value: object) -> Mapping[Any, object] | None:
    """What a value is made of by name, without fields that are kept out of its repr; None for one that is no record."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        shown = {name: getattr(value, name) for name, field in type(value).model_fields.items() if field.repr}
        return {**shown, **(value.model_extra or {})}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
    return None


def _is_numeric(values: Iterable[object]) -> bool:
    """Whether every value that is there is a number, and one is there."""
    there = [value for value in values if value is not None]
    return bool(there) and all(_is_number(value) for value in there)


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, Decimal)) and not isinstance(value, (bool, Enum))


def _cell(value: object) -> str:
    """A value as the whole of a cell."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return _quoted(value) if _could_be_mistaken(value) else _one_line(value)
    return _readable(value, _DEPTH)


def _could_be_mistaken(text: str) -> bool:
    if not text or text in ("None", "True", "False") or text != text.strip() or text[0] in "\"'{[(<":
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _readable(value: object, depth: int) -> str:
    """A value inside a cell; what lies deeper than `depth` is only counted."""
    if isinstance(value, Enum):
        return _one_line(f"{type(value).__name__}.{value.name}")
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value):,} bytes>"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return _collection(value, depth)
    inner = members(value)
    return _text(value) if inner is None else _record(inner, depth)


def _float(value: float) -> str:
    """The number itself if it is short, else six digits of it and a sign that they are not all."""
    exact = float.__repr__(value)
    return exact if len(exact) <= 12 or not math.isfinite(value) else f"≈{value:.6g}"


def _integer(value: int) -> str:
    """The number itself, or how large it is: Python refuses to write out more than some thousand digits."""
    return str(value) if value.bit_length() <= 256 else f"<integer of {value.bit_length():,} bits>"


def _collection(values: Sequence[object] | set[object] | frozenset[object], depth: int) -> str:
    left, right = ("[", "]") if isinstance(values, list) else ("(", ")") if isinstance(values, tuple) else ("{", "}")
    if not depth:
        return f"{left}{_more(len(values))}{right}" if values else f"{left}{right}"
    parts = [_readable(value, depth - 1) for value in islice(values, _MEMBERS)]
    if isinstance(values, (set, frozenset)):
        parts.sort()
    return left + ", ".join([*parts, *_rest(len(values))]) + right


def _record(inner: Mapping[Any, object], depth: int) -> str:
    if not depth:
        return f"{{{_more(len(inner))}}}" if inner else "{}"
    parts = [f"{_one_line(str(name))}: {_readable(one, depth - 1)}" for name, one in islice(inner.items(), _MEMBERS)]
    return "{" + ", ".join([*parts, *_rest(len(inner))]) + "}"


def _rest(count: int) -> list[str]:
    return [f"{ELLIPSIS} {count - _MEMBERS:,} more"] if count > _MEMBERS else []


def _more(count: int) -> str:
    return f"{ELLIPSIS} {count:,}"


def _quoted(text: str) -> str:
    return '"' + _one_line(text).replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    """The text in one line that keeps its blanks; breaks are written as they are in Python."""
    cut = text[:_LONGEST].replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(one_line(character) or " " for character in cut)


def _text(value: object) -> str:
    """What an object says of itself; one that cannot is told by its type."""
    try:
        return _one_line(str(value))
    except Exception as error:  # noqa: BLE001 - an object of the user's own class may do anything here
        return f"<{type(value).__qualname__}: its text cannot be shown: {type(error).__qualname__}>"
