"""The calling rules: what a function's annotations say about how it is called and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from codemation.core.resources import Use
from codemation.core.retry import Retry


class Shape(StrEnum):
    """How a parameter takes its data, or how a result gives it."""

    ONE = "one"
    """One item: a model, dataclass, dict, scalar, `Any`, or nothing said."""
    LIST = "list"
    """All items at once."""
    STREAM = "stream"
    """All items, one after the other."""
    TABLE = "table"
    """The batch as a table of the annotated library."""
    PORTS = "ports"
    """A `Ports` subclass: to each port what its field holds. Results only."""
    NOTHING = "nothing"
    """`-> None`: the end of a line. Results only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that takes data or configuration."""

    name: str
    shape: Shape
    annotation: Any
    """As written, resolved; `Any` where nothing was said."""
    item_type: Any
    """The type of one item inside the shape; for a table the table's class."""
    wrapped: bool = False
    """It takes `Item[...]`, not bare values."""
    required: bool = True
    positional: bool = False
    """It cannot be given by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A parameter that the engine fills in by its type."""

    name: str
    what: Literal["context", "params", "credential", "resource"]
    type: Any
    required: bool = True
    use: Use | None = None
    """How a resource is opened."""
    inner: tuple[Injection, ...] = ()
    """What the opener of a resource is filled in with itself."""

    def credentials(self) -> Iterator[Injection]:
        """The credentials that are asked for here."""
        if self.what == "credential":
            yield self
        for one in self.inner:
            yield from one.credentials()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a call gives."""

    shape: Shape
    item_type: Any
    wrapped: bool = False
    optional: bool = False
    """`T | None`: `None` drops the item."""
    ports: Mapping[str, Result] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a function is called: its data, its arguments, what is injected, what it gives."""

    data: Parameter | None
    arguments: tuple[Parameter, ...]
    injections: tuple[Injection, ...]
    result: Result
    asynchronous: bool = False
    """A call gives an awaitable or an asynchronous stream."""
    open_ended: bool = False
    """It takes further arguments by name (`**options`), which are configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCode:
    """What the executor calls for one node; lives beside the definition, never inside it."""

    function: Callable[..., Any]
    signature: Signature
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Configuration, validated; a `ParamRef` stands for a parameter of the run, a `Computed` for what is computed."""
    retry: Retry = field(default_factory=lambda: Retry(attempts=1))
    model: Any = None
    """What `parse` reads each item as."""
    cases: Mapping[Any, str] = field(default_factory=dict)
    """The port of each key of a `switch`; a key without one goes to `default` if the node has it."""
