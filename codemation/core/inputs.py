"""From what a port held to what a function is given: fetch, join, convert, check.

Nothing is executed unless all that reaches a node fits its annotations; what does not fit is a `ContractError` that
names the node, the item and the place inside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol, get_origin

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from codemation.core.annotations import readable
from codemation.core.definition import Input, NodePlan, Plan
from codemation.core.errors import ContractError
from codemation.core.ids import START, NodeId
from codemation.core.items import EMPTY, AttachmentSource, Batch, Item
from codemation.core.payload import NO_ATTACHMENTS, Path, StoredItems, decode_items
from codemation.core.sealed import sealed
from codemation.core.signature import Parameter, Shape
from codemation.core.tables import Tables


@sealed
class Given:
    """What reached one input: items, or a table that nobody has had to turn into items."""

    items: StoredItems | None = None
    table: bytes | None = None
    count: int = 0
    key: str = "start:"
    """What the keys of its items begin with."""
    first: int = 0
    """Position of the first item, where this is a part of what reached the input."""


class Held(Protocol):
    """What the ports of a run's nodes hold, as its snapshot knows it."""

    plan: Plan

    def output(self, node: NodeId, port: str) -> Batch:
        """What a port holds; empty when nothing was given there."""
        ...


class Foreseen:
    """What they will hold once the outputs of one more node stand, which are being recorded."""

    def __init__(self, snapshot: Held, node: NodeId, outputs: Mapping[str, Batch]) -> None:
        self.plan = snapshot.plan
        self._known = snapshot.output
        self._node = node
        self._outputs = outputs

    def output(self, node: NodeId, port: str) -> Batch:
        """What a port will hold."""
        return self._outputs.get(port, EMPTY) if node == self._node else self._known(node, port)


class Fetcher(Struct, frozen=True, kw_only=True):
    """Reads the inputs of a node's activation."""

    snapshot: Held
    fetch: Callable[[Batch], bytes]
    tables: Tables
    files: AttachmentSource | None = None

    def given(self, wanted: Input) -> Given:
        """What the sources of an input gave, joined in origin order when there are several."""
        output = self.snapshot.output
        held = [(one, batch) for one in wanted.sources if (batch := output(one.node, one.port)).size]
        if not held:
            return Given(items=StoredItems(values=[], scope=START))
        if len(held) == 1 and held[0][1].kind == "items":
            items = decode_items(self.fetch(held[0][1]))
            return Given(items=items, count=len(items.values), key=f"{held[0][0].node}:")
        key = f"{held[0][0].node}:" if len(held) == 1 else f"{wanted.name}:"
        if all(batch.kind == "table" for _, batch in held):
            parts = [self.fetch(batch) for _, batch in held]
            data = parts[0] if len(parts) == 1 else bytes(self.tables.concat(parts).data)
            return Given(table=data, count=sum(batch.count for _, batch in held), key=key)
        parts_of = [self.stored(source.node, batch) for source, batch in held]
        items = parts_of[0] if len(parts_of) == 1 else joined(parts_of, self.snapshot.plan.rank.__getitem__)
        return Given(items=items, count=len(items.values), key=key)

    def items(self, given: Given) -> StoredItems:
        """The items of an input; the rows of a table become items."""
        if given.items is not None:
            return given.items
        rows = self.tables.rows(given.table or b"")
        return StoredItems(values=rows, scope=NodeId(given.key.rstrip(":")))

    def wrapped(self, given: Given) -> list[Item[Any]]:
        """The items of an input with their surroundings."""
        items = self.items(given)
        attached = items.attachments or NO_ATTACHMENTS
        return [
            Item(
                value,
                {name: replace(file, source=self.files) for name, file in attached[at].items()}
                if at in attached
                else {},
                key=f"{given.key}{given.first + at}",
                origins=items.origin(at),
            )
            for at, value in enumerate(items.values)
        ]

    def part(self, given: Given, start: int, stop: int) -> Given:
        """What stands at the positions from `start` up to `stop`."""
        if given.table is not None:
            table = bytes(self.tables.part(given.table, start, stop).data)
            return replace(given, table=table, count=stop - start, first=start)
        items = self.items(given).part(start, stop)
        return replace(given, items=items, count=len(items.values), first=start)

    def stored(self, node: NodeId, batch: Batch) -> StoredItems:
        """The items of a batch that a node gave."""
        data = self.fetch(batch)
        if batch.kind == "table":
            return StoredItems(values=self.tables.rows(data), scope=node)
        return decode_items(data)


def joined(parts: Sequence[StoredItems], rank: Callable[[NodeId], int]) -> StoredItems:
    """Several batches as one: in the order of the items' paths, those of the earliest numbering first.

    What was numbered later (by an aggregate in one branch, say) has no place among the others and comes last, stable.
    """
    rows = [
        (rank(part.scope), part.origin(at), value, part.attachments.get(at))
        for part in parts
        for at, value in enumerate(part.values)
    ]
    rows.sort(key=lambda row: row[:2])
    scopes = {part.scope for part in parts if part.values}
    first = min((part.scope for part in parts), key=rank)
    return StoredItems(
        values=[value for _, _, value, _ in rows],
        scope=first,
        origins=[path for _, path, _, _ in rows] if len(scopes) == 1 else _renumbered(rows, rank(first)),
        attachments={at: files for at, (_, _, _, files) in enumerate(rows) if files},
    )


def _renumbered(rows: Sequence[tuple[int, Path, object, object]], first: int) -> list[Path]:
    """Paths behind the last of the earliest numbering for the items that have none in it."""
    last = max((path[0] for rank, path, _, _ in rows if rank == first), default=-1)
    fresh = iter(range(last + 1, last + 1 + len(rows)))
    return [path if rank == first else (next(fresh),) for rank, path, _, _ in rows]


class Door:
    """Checks values against the annotation of a parameter."""

    def __init__(self, node: NodePlan, parameter: Parameter) -> None:
        self._node = node
        self._parameter = parameter
        try:
            self._check, self._class, self._wants_dict = _known_check(parameter.item_type)
        except TypeError:  # an annotation that cannot be hashed
            self._check, self._class, self._wants_dict = _check(parameter.item_type)

    def value(self, value: object, position: int | None = None) -> Any:
        """The value as the function wants it.

        Raises:
            ContractError: it does not fit.
        """
        if self._check is None or (type(value) is self._class and self._class not in _OPEN):
            return value
        if self._wants_dict and isinstance(value, BaseModel):
            value = value.model_dump()
        try:
            return self._check(value)
        except ValidationError as error:
            raise ContractError(self._message(error, position)) from None

    def _message(self, error: ValidationError, position: int | None) -> str:
        first, *rest = error.errors(include_url=False)
        place = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in first["loc"])
        where = f"item {position} of " if position is not None else ""
        more = f" (and {len(rest)} more)" if rest else ""
        wanted = readable(self._parameter.item_type)
        return (
            f'{where}"{self._parameter.name}" does not fit {wanted} of "{self._node.id}": '
            f"{(place + ': ').lstrip('.') if place else ''}{first['msg']}, got {_short(first['input'])}{more}"
        )


def taken(fetcher: Fetcher, node: NodePlan, parameter: Parameter, given: Given) -> Any:
    """What a parameter that takes a whole batch is given.

    Raises:
        ContractError: an item does not fit, or there is not exactly one for a parameter that takes one.
    """
    if parameter.shape is Shape.TABLE:
        return _table(fetcher, parameter, given)
    door = Door(node, parameter)
    if parameter.wrapped:
        values: Sequence[Any] = [
            replace(item, value=door.value(item.value, at)) for at, item in enumerate(fetcher.wrapped(given))
        ]
    else:
        values = [door.value(value, at) for at, value in enumerate(fetcher.items(given).values)]
    if parameter.shape is Shape.LIST:
        return list(values)
    if parameter.shape is Shape.STREAM:
        return iter(values)
    if len(values) != 1:
        raise ContractError(
            f'"{parameter.name}" of "{node.id}" takes exactly one item, and {len(values)} came',
            way_out=f"annotate {parameter.name} as list[…] to take them all, or aggregate them before",
        )
    return values[0]


def each(fetcher: Fetcher, node: NodePlan, parameter: Parameter, given: Given) -> tuple[list[Item[Any]], Door]:
    """The items of a per-item node, not yet checked, and the door to check each with just before its call."""
    return fetcher.wrapped(given), Door(node, parameter)


def _table(fetcher: Fetcher, parameter: Parameter, given: Given) -> Any:
    data = given.table
    if data is None:
        data = bytes(fetcher.tables.from_rows(fetcher.items(given).values).data)
    return fetcher.tables.unpack(data, parameter.item_type)


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The validator of an annotation; made once."""
    try:
        return _adapter(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _made(annotation)


@lru_cache(maxsize=1024)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return _made(annotation)


def _made(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


def _check(annotation: Any) -> tuple[Callable[[Any], Any] | None, type | None, bool]:
    """How a value is checked, if not everything fits; the class of those that fit; and whether that is a dict."""
    check = None if annotation is Any or annotation is object else adapter(annotation).validator.validate_python
    own = annotation if isinstance(annotation, type) else None
    return check, own, annotation is dict or get_origin(annotation) is dict


_known_check = lru_cache(maxsize=1024)(_check)


_OPEN: frozenset[type | None] = frozenset({dict, list, None})
"""Classes whose instances may hold anything, so that knowing the class says too little."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
