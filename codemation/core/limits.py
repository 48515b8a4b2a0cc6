"""What a run may use at the most. The smaller one counts of what a workflow asks for and what its host allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from codemation.core.sizes import in_bytes, readable_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a run may use; what is left out is up to the host. Child runs inherit the limits of their parents."""

    activations: int | None = None
    """Nodes asked to work, each turn of a loop counted, retries not."""
    items: int | None = None
    """Items or rows in one output of a node."""
    payload: int | str | None = None
    """Size of one output as it is stored: `"500MB"`, or a number of bytes."""
    depth: int | None = None
    """Runs within runs."""

    def __post_init__(self) -> None:
        for name in ("activations", "items", "depth"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ValueError(f"{name}={value!r} is no limit; give a whole number, 1 or more")
        if self.payload is not None:
            object.__setattr__(self, "payload", in_bytes(self.payload))

    def within(self, other: Limits) -> Limits:
        """The smaller of both, limit by limit."""
        if self == UNLIMITED:
            return other
        return Limits(**{name: _smaller(getattr(self, name), getattr(other, name)) for name in _NAMES})

    def objection(self, *, items: int = 0, payload: int = 0) -> str:
        """What is wrong with an output of this many items and bytes; nothing if it is within the limits."""
        if self.items is not None and items > self.items:
            return f"{items:,} items, and the limit is {self.items:,}"
        if isinstance(self.payload, int) and payload > self.payload:
            return f"{readable_size(payload)}, and the limit is {readable_size(self.payload)}"
        return ""

    def to_json(self) -> dict[str, int]:
        """The limits that there are, as JSON."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}

    @classmethod
    def from_json(cls, body: Mapping[str, int]) -> Limits:
        """The limits that `to_json` wrote."""
        return cls(**body)


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


_NAMES = tuple(field.name for field in fields(Limits))
UNLIMITED = Limits()
