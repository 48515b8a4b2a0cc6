"""What a node works with and does not make itself: opened once in a process, shared by all calls, closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codemation.core.errors import NodeError


class ResourceError(NodeError):
    """A resource that a node needs cannot be opened."""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """How a resource is opened; stands in `Annotated[X, cm.use(opener)]`."""

    opener: Callable[..., Any]
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        name = getattr(self.opener, "__name__", repr(self.opener))
        return f"cm.use({', '.join([name, *(f'{key}={value!r}' for key, value in self.arguments.items())])})"


def use(opener: Callable[..., Any], /, **arguments: Any) -> Use:
    """Fill a parameter in with what `opener` gives: a function, a generator that yields once, or a context manager."""
    return Use(opener, arguments)
