"""Many values as bytes: what a batch of items is stored as.

Values of one class are stored column by column under a header that names the class once; all others as an array of
stored forms.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from codemation.core.values.classes import Shape, shape_of
from codemation.core.values.coding import TAG, Reader, write_at
from codemation.core.values.containers import is_unicode
from codemation.core.values.records import fields_of, given_of, maker, naming, rest_of
from codemation.core.values.refusal import Refusal
from codemation.core.values.scalars import is_short

_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types whose values stand for themselves, but for a few texts and numbers."""
_TEXT = frozenset({str})
_FEW = 16
"""So many values are looked at one by one more quickly than all at once."""
_NESTED = (dict, list)
_TAGGED = b'"$":'
"""Stands in every batch that holds more than plain values; in a text of a user it would be escaped."""
_fast = TypeAdapter(Any)
"""Writes and reads JSON several times as fast, as long as it is not nested deeply."""
_to_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def pack(values: Sequence[object]) -> bytes:
    """The values as JSON text in UTF-8; the same values always give the same bytes.

    Raises:
        Unstorable: one of them cannot be stored; the error says which, what, and where in it.
    """
    if _are_plain(values):
        return _fast.serializer.to_json(values)
    shape = _common_shape(values)
    stored = None if shape is None else _write_columns(values, shape)
    return _to_text(_write_each(values) if stored is None else stored).encode()


def unpack(data: bytes) -> list[object]:
    """The values that `pack` was given; for classes that have changed or are gone see the head of the package.

    Raises:
        PayloadLost: the bytes are damaged, or use a tag that nobody here has registered.
        ContractError: a class has changed, and what is stored does not fit it any more.
    """
    if data[:1] == b"[" and _TAGGED not in data:
        try:
            plain: list[object] = _fast.validator.validate_json(data)
        except ValidationError:  # nested deeply, or damaged
            pass
        else:
            return plain
    reader = Reader()
    return reader.guard(lambda: _read(data, reader), "batch of items")


def _read(data: bytes, reader: Reader) -> list[object]:
    stored = _parsed(data)
    match stored:
        case list():
            return [reader.read(form) for form in stored] if _TAGGED in data else stored
        case dict():
            return list(_read_columns(stored, reader))
        case _:
            raise TypeError(f"it is {type(stored).__name__} where items belong")


def _parsed(data: bytes) -> Any:
    try:
        return _fast.validator.validate_json(data)
    except ValidationError:  # nested deeply, or damaged, which json says in a line
        return json.loads(data)


def _are_plain(values: Sequence[object]) -> bool:
    """Whether the values stand for themselves, as rows of texts and numbers do: then nothing has to be walked."""
    first = values[0] if values else None
    if type(first) is not dict:
        return _are_plain_alike(values)
    if not _are_names(first):
        return False
    if len(values) == 1:
        return _are_plain_alike(first.values())
    names = list(first)
    if set(map(type, values)) != {dict} or not all(map(names.__eq__, map(list, values))):  # type: ignore[arg-type]
        return False
    return all(_are_plain_alike([row[name] for row in values]) for name in names)  # type: ignore[index]  # all dicts


def _are_plain_alike(held: Collection[Any]) -> bool:
    """Whether plain values stand here; quick for many of one kind."""
    if len(held) <= _FEW:
        return all(map(_is_plain, held))
    kinds = set(map(type, held))
    if not kinds <= _PLAIN:
        return False
    if len(kinds) <= 1:
        return all(_pass(kind, held) for kind in kinds)
    return all(_pass(kind, [value for value in held if type(value) is kind]) for kind in kinds)


def _are_names(keys: Collection[Any]) -> bool:
    """Whether the keys of a row stand for themselves."""
    if TAG in keys or not _TEXT.issuperset(map(type, keys)):
        return False
    together = "".join(keys)
    return together.isascii() or is_unicode(together)


def _is_plain(value: object) -> bool:
    """Whether one value stands for itself."""
    kind = type(value)
    if kind is str:
        return value.isascii() or is_unicode(value)  # type: ignore[attr-defined,arg-type]
    if kind is int:
        return is_short(value)  # type: ignore[arg-type]
    return kind is bool or value is None or (kind is float and math.isfinite(value))  # type: ignore[arg-type]


def _pass(kind: type, held: Collection[Any]) -> bool:
    """Whether all values of a plain kind stand for themselves."""
    if kind is str:
        return is_unicode("".join(held))
    if kind is int:
        return is_short(max(held)) and is_short(min(held))
    return kind is not float or all(map(math.isfinite, held))


def _common_shape(values: Sequence[object]) -> Shape | None:
    """The shape that all values have, if they are of one class with fields."""
    cls = type(values[0]) if values else type(None)
    shape = shape_of(cls)
    return shape if shape is not None and all(type(value) is cls for value in values) else None


def _write_each(values: Sequence[object]) -> list[JsonValue]:
    stored: list[JsonValue] = []
    try:
        for value in values:
            stored.append(write_at(value, 0))  # noqa: PERF401 - the length so far is the place of a refusal
    except Refusal as refusal:
        raise refusal.unstorable(len(stored)) from refusal.__cause__
    return stored


def _write_columns(values: Sequence[object], shape: Shape) -> dict[str, JsonValue] | None:
    """All values under one header, or None when one of them holds more or less than its fields."""
    rows = [fields_of(value, shape) for value in values]
    if any(len(row) < len(shape.fields) for row in rows) or any(rest_of(value, shape) for value in values):
        return None
    columns: dict[str, JsonValue] = {
        name: _write_column(name, [row[name] for row in rows], values) for name in shape.fields
    }
    stored: dict[str, JsonValue] = {**naming(shape), "count": len(values), "columns": columns}
    numbers: dict[Any, int] = {}
    which: list[JsonValue] = [numbers.setdefault(given_of(value, shape), len(numbers)) for value in values]
    if list(numbers) != [None]:
        stored["given"] = [None if given is None else sorted(given) for given in numbers]
        stored["which"] = which if len(numbers) > 1 else None
    return stored


def _write_column(name: str, held: list[Any], values: Sequence[object]) -> list[JsonValue]:
    if _are_plain_alike(held):
        return held
    stored: list[JsonValue] = []
    try:
        for value in held:
            stored.append(write_at(value, 1))  # noqa: PERF401 - the length so far is the place of a refusal
    except Refusal as refusal:
        at = len(stored)
        refusal.within(f".{name}", values[at])
        raise refusal.unstorable(at) from refusal.__cause__
    return stored


def _read_columns(stored: dict[str, Any], reader: Reader) -> Iterator[object]:
    make, names, count = maker(stored, reader), list(stored["columns"]), stored["count"]
    columns = [_read_column(column, reader) for column in stored["columns"].values()]
    rows = zip(*columns, strict=True) if columns else iter([()] * count)
    givens, which = stored.get("given", [None]), stored.get("which") or [0] * count
    for row, number in zip(rows, which, strict=True):
        yield make(dict(zip(names, row, strict=True)), givens[number])


def _read_column(column: list[Any], reader: Reader) -> list[Any]:
    if set(map(type, column)).isdisjoint(_NESTED):
        return column
    return [reader.read(form) if type(form) in _NESTED else form for form in column]
