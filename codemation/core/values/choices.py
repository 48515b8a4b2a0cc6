"""Enums: a member is stored by name and value, so that either may change."""

from __future__ import annotations

from enum import Enum, Flag
from typing import Any

from pydantic import JsonValue

from codemation.core.errors import ContractError
from codemation.core.values.classes import refer
from codemation.core.values.coding import TAG, Encoder, Reader, family, tagged, write_at
from codemation.core.values.refusal import Refusal


def install() -> None:
    """Teach the codec these values."""
    family(_encoder)
    tagged("enum", _read)


def _encoder(cls: type) -> Encoder | None:
    return _write if issubclass(cls, Enum) else None


def _write(member: Enum, depth: int) -> JsonValue:
    stored: dict[str, JsonValue] = {TAG: "enum", "type": refer(type(member))}
    if not isinstance(member, Flag):  # the name of a combination of flags is no member
        stored["name"] = member.name
    try:
        stored["v"] = write_at(member.value, depth + 1)
    except Refusal:
        if isinstance(member, Flag):
            raise
        # The name is enough to find the member again.
    return stored


def _read(stored: dict[str, Any], reader: Reader) -> object:
    cls, name = reader.classes.find(stored["type"]), stored.get("name")
    value = reader.read(stored["v"]) if "v" in stored else name
    if cls is None or not issubclass(cls, Enum):
        return value
    if isinstance(name, str) and name in cls.__members__:
        return cls.__members__[name]
    try:
        return cls(value)
    except ValueError:
        raise ContractError(
            f"{cls.__qualname__} has no member {name or value!r} any more, but a stored value has",
            way_out=f"add it to {cls.__qualname__} again (an alias will do), or run the node that made it again",
        ) from None
