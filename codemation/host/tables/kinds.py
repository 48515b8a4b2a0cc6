"""What values may stand in one column: Arrow takes some mixtures without a word, and changes the values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from numbers import Integral

_MISSING = frozenset({"NoneType", "NaTType", "NAType"})
"""Names of the classes that stand for no value; two of them are of pandas."""
_NUMBERS = frozenset({"int", "float"})
"""The one mixture in which Arrow itself refuses what would change."""


def objection(values: Iterable[object]) -> str | None:
    """Why these values cannot be one column, or None when they can."""
    kinds = list(dict.fromkeys(map(_kind, values)))
    kinds = [kind for kind in kinds if kind not in _MISSING]
    if len(kinds) > 1 and not _NUMBERS.issuperset(kinds):
        return f"holds {kinds[0]} and {kinds[1]}"
    if "time with a zone" in kinds:
        return "holds time with a zone, and Arrow has no such type"
    return None


def is_missing(value: object) -> bool:
    """Whether a value stands for no value, in Python or in pandas."""
    return type(value).__name__ in _MISSING


def _kind(value: object) -> str:
    match value:
        case datetime() | time():
            name = "datetime" if isinstance(value, datetime) else "time"
            return name if is_missing(value) or value.tzinfo is None else f"{name} with a zone"
        case str():
            return "str"
        case bool():
            return "bool"
        case Integral():
            return "int"
        case float():
            return "float"
        case bytes() | bytearray() | memoryview():
            return "bytes"
        case Mapping():
            return "dict"
        case list() | tuple():
            return "list"
        case _:
            # The scalars of numpy are called float32, bool_, …
            return (
                type(value).__name__.rstrip("0123456789_")
                if type(value).__module__ == "numpy"
                else type(value).__name__
            )
