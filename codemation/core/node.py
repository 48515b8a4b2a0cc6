"""A node is a function that can stand in a workflow; calling it is calling the function."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Generic,
    Literal,
    Never,
    ParamSpec,
    Protocol,
    TypedDict,
    Unpack,
    overload,
)
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from codemation.core.annotations import readable
from codemation.core.items import Item
from codemation.core.names import name_of
from codemation.core.outlets import Ports
from codemation.core.retry import Retry
from codemation.core.triggers import Dataset

P = ParamSpec("P")
U = TypeVar("U")
In = TypeVar("In")
R_co = TypeVar("R_co", covariant=True)
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

Answer = Coroutine[Any, Any, U]


class SupportsArrow(Protocol):
    """A table: pandas, polars and pyarrow all speak the Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table as a capsule."""
        ...


class ArrowBatches(SupportsArrow, Protocol):
    """A table that comes in batches, one at a time, so that it need not be in memory as a whole."""

    def __iter__(self) -> Iterator[Any]:
        """The batches."""
        ...


Loose = TypeVar("Loose", bound=dict[str, Any] | SupportsArrow | Ports)
"""What a function returns without saying the type of an item."""


class SupportsFields(Protocol):
    """An instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Plain = str | bytes | int | float | complex | Decimal | date | time | timedelta | UUID | PurePath | Enum
Definite = TypeVar("Definite", bound=BaseModel | SupportsFields | Plain)
"""What is never `None`: a call of the node then has exactly the type that the function has."""


class NodeOptions(TypedDict, total=False):
    """How a node works, apart from what it does."""

    id: str
    title: str
    icon: str
    retry: Retry
    timeout: str | timedelta
    """Bounds one call."""
    total_timeout: str | timedelta
    """Bounds the activation: all its calls and tries and the waiting between them, from when it became due."""
    concurrency: int
    """Calls at a time, over the items of one batch."""
    shards: int
    """Parts in which a batch is worked on side by side; instead, `shard_size` says how many items each has."""
    shard_size: int
    queue: str
    rate: str
    """Calls in a time, such as `"20/s"`, of all processes together."""
    pool: str
    """Whose slot the node needs, and has for as long as it works."""
    priority: int
    keep_attachments: bool
    run_on_empty: bool
    continue_when_empty: bool
    cache: bool
    """What was given before for the same code, configuration and inputs is taken again."""
    on_error: Literal["fail", "drop", "port"]
    writes: Dataset


class Node(Generic[In_contra, Out_co]):
    """Anything that can stand in a workflow: takes items of `In`, gives items of `Out`."""

    @property
    def id(self) -> str:
        """The name that the node has in a workflow unless it is given another one there."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def _types(self, taken: In_contra, /) -> Out_co:
            """Tells checkers what the type parameters stand for."""
            ...


class FunctionNode(Node[In_contra, Out_co], Generic[In_contra, Out_co, P, R_co]):
    """A function as a node; it stays callable, importable and open to inspection."""

    __wrapped__: Callable[P, R_co]
    __name__: str
    __qualname__: str

    def __init__(
        self,
        function: Callable[P, R_co],
        settings: NodeOptions | None = None,
        bound: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__name__ = name_of(function)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)  # a partial has none
        self.function = function
        self.settings: NodeOptions = settings or {}
        self.bound = bound

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function: in a cell, a test or a debugger."""
        return self.function(*args, **kwargs)

    @property
    def id(self) -> str:
        """The given id, or the function's name."""
        return str(self.settings.get("id") or name_of(self.function))

    def options(self, **options: Unpack[NodeOptions]) -> FunctionNode[In_contra, Out_co, P, R_co]:
        """A copy with other options."""
        settings: NodeOptions = {**self.settings, **options}
        return FunctionNode(self.function, settings, self.bound)

    def bind(self, **arguments: object) -> FunctionNode[In_contra, Out_co, P, R_co]:
        """A copy with arguments given; the way out when a parameter has the name of one of a verb's."""
        return FunctionNode(self.function, self.settings, MappingProxyType({**self.bound, **arguments}))

    def __repr__(self) -> str:
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (ValueError, TypeError):
            return f"<node {self.id}>"
        return f"<node {self.id}({', '.join(map(_written, parameters))})>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name where the node can be imported; a copy with other options refers to what it was made from."""
        found = _imported(self.__module__, self.__qualname__)
        if found is self:
            return self.__qualname__
        original = found if isinstance(found, FunctionNode) and found.function is self.function else None
        return _remade, (original or self.function, self.settings, dict(self.bound))


def _remade(
    original: FunctionNode[Any, Any, ..., Any] | Callable[..., Any], settings: NodeOptions, bound: dict[str, object]
) -> FunctionNode[Any, Any, ..., Any]:
    function = original.function if isinstance(original, FunctionNode) else original
    return FunctionNode(function, settings, MappingProxyType(bound))


def _imported(module: str, path: str) -> object:
    found: object = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _written(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return str(parameter)
    return f"{parameter.name}: {annotation if isinstance(annotation, str) else readable(annotation)}"


class NodeDecorator:
    """`cm.node`: makes a node of a function, with or without options.

    The overloads say what leaves the node as items: a list, a stream or an awaitable gives what is inside of it,
    `None` gives nothing, and untyped records and tables give anything.
    """

    def __init__(self, settings: NodeOptions | None = None) -> None:
        self._settings: NodeOptions = settings or {}

    @overload
    def __call__(self, function: Callable[[], Any], /) -> FunctionNode[Any, Any, [], Any]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[None]], /
    ) -> FunctionNode[In, Never, Concatenate[In, P], Answer[None]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[list[Item[U]]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Answer[list[Item[U]]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[list[U]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Answer[list[U]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[Loose]], /
    ) -> FunctionNode[In, Any, Concatenate[In, P], Answer[Loose]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[Item[U]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Answer[Item[U]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[Definite]], /
    ) -> FunctionNode[In, Definite, Concatenate[In, P], Answer[Definite]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Answer[U | None]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Answer[U | None]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], None], /
    ) -> FunctionNode[In, Never, Concatenate[In, P], None]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Iterator[Item[U]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Iterator[Item[U]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], list[Item[U]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], list[Item[U]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], list[U]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], list[U]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Iterator[U]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Iterator[U]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], AsyncIterator[Item[U]]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], AsyncIterator[Item[U]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], AsyncIterator[U]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], AsyncIterator[U]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Loose], /
    ) -> FunctionNode[In, Any, Concatenate[In, P], Loose]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Item[U]], /
    ) -> FunctionNode[In, U, Concatenate[In, P], Item[U]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], Definite], /
    ) -> FunctionNode[In, Definite, Concatenate[In, P], Definite]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[In, P], U | None], /
    ) -> FunctionNode[In, U, Concatenate[In, P], U | None]: ...
    @overload
    def __call__(self, **options: Unpack[NodeOptions]) -> NodeDecorator: ...
    def __call__(  # type: ignore[misc]  # mypy does not see that the options of the last overload are these
        self, function: Any = None, /, **options: Unpack[NodeOptions]
    ) -> Any:
        """The function as a node, or the decorator with these options."""
        if function is None:
            return NodeDecorator({**self._settings, **options})
        if isinstance(function, FunctionNode):
            return function.options(**self._settings)
        return FunctionNode(function, self._settings)


node = NodeDecorator()
"""Decorates a function that is to stand in a workflow: `@cm.node` or `@cm.node(retry=cm.Retry(5))`."""
