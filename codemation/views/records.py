"""Views as plain JSON data: what `--json` prints and what a web page gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def plain(value: object) -> Any:
    """The value as JSON knows it: dataclasses as objects, times in ISO 8601 and UTC, NaN and infinities as text.

    Raises:
        TypeError: the value has no place in JSON.
        ValueError: it is a time without a zone.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return record(value)


def record(value: object) -> Json:
    """A dataclass as a JSON object with every field.

    Raises:
        TypeError: it is no dataclass, or one of its values has no place in JSON.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"a {type(value).__qualname__} has no place in JSON; give its data as text or numbers")
    return {field.name: plain(getattr(value, field.name)) for field in fields(value)}


def _instant(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; give a time with one, such as datetime.now(UTC)")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
