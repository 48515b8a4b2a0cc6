"""What values may stand in one column: Arrow takes some mixtures without a word, and changes the values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, time
from numbers import Integral

_MISSING = frozenset({"NoneType", "NaTType", "NAType"})
"""Names of the classes that stand for no value; two of them are of pandas."""
_NUMBERS = frozenset({"int", "float"})
"""The one mixture in which Arrow itself refuses what would change."""


def objection(values: Collection[object]) -> str | None:
    """Why these values cannot be one column, or None when they can."""
    kinds: dict[str, None] = {}
    for cls in dict.fromkeys(map(type, values)):
        if cls.__name__ in _MISSING:
            continue
        kind = _kind(cls)
        if kind in ("datetime", "time"):
            kinds |= dict.fromkeys(_zoned(kind, value) for value in values if type(value) is cls)
        else:
            kinds[kind] = None
    if len(kinds) > 1 and not _NUMBERS.issuperset(kinds):
        one, other, *_ = kinds
        return f"holds {one} and {other}"
    if "time with a zone" in kinds:
        return "holds time with a zone, and Arrow has no such type"
    return None


def is_missing(value: object) -> bool:
    """Whether a value stands for no value, in Python or in pandas."""
    return type(value).__name__ in _MISSING


def _zoned(kind: str, moment: object) -> str:
    return kind if getattr(moment, "tzinfo", None) is None else f"{kind} with a zone"


def _kind(cls: type) -> str:
    for base, name in _KINDS.items():
        if issubclass(cls, base):
            return name
    # The scalars of numpy are called float32, bool_, …
    return cls.__name__.rstrip("0123456789_") if cls.__module__ == "numpy" else cls.__name__


_KINDS: Mapping[type, str] = {
    str: "str",
    bool: "bool",
    Integral: "int",
    float: "float",
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    datetime: "datetime",
    time: "time",
    Mapping: "dict",
    list: "list",
    tuple: "list",
}
"""Classes that Arrow has one type for; the first that fits counts."""
