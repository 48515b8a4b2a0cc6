"""From what a function gave to what its ports hold: one item or many, a table, a choice of ports, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, assert_never

from msgspec import Struct, field

from codemation.core.credentials import without_secrets
from codemation.core.definition import NodeKind, NodePlan
from codemation.core.errors import NodeError
from codemation.core.ids import AGAIN, ERROR, MAIN
from codemation.core.items import Attachment, BatchKind, Failure, Item
from codemation.core.outlets import Ports
from codemation.core.payload import Path, StoredItems, encode_alone, encode_items, without_collecting
from codemation.core.signature import NodeCode, Result, Shape
from codemation.core.tables import PackedTable, Tables, is_table

Emitted = tuple[str, Item[Any]]
"""A port and what goes there."""
Files = Mapping[str, Attachment]
NO_FILES: Files = MappingProxyType({})


class Outputs(Struct):
    """What an activation has given so far, by port."""

    node: NodePlan
    tables: Tables
    items: dict[str, list[Item[Any]]] = field(default_factory=dict)
    packed: dict[str, PackedTable] = field(default_factory=dict)
    key: str = ""
    """What the keys of the items begin with that the node was given as its data."""

    parents: dict[str, list[int]] = field(default_factory=dict)
    """By port, the positions of the items that those were made from that came with `emit_of`."""

    def emit(self, emitted: Iterable[Emitted]) -> None:
        """Add items in order."""
        for port, item in emitted:
            self.items.setdefault(port, []).append(item)

    def emit_each(self, given: Iterable[Iterable[Emitted]]) -> None:
        """Add what was given for each item that came, in order."""
        for position, emitted in enumerate(given):
            self.emit_of(position, emitted)

    def emit_of(self, position: int, emitted: Iterable[Emitted]) -> None:
        """Add what was made of the item at a position."""
        for port, item in emitted:
            if port not in self.items:
                self.items[port], self.parents[port] = [], []
            self.items[port].append(item)
            self.parents[port].append(position)

    def encoded(self, numbered_by: Any) -> dict[str, tuple[bytes, int, BatchKind]]:
        """Bytes, count and kind of every port that holds something, in the order of the node's ports.

        Raises:
            Unstorable: a value cannot be stored.
        """
        done: dict[str, tuple[bytes, int, BatchKind]] = {}
        for port in self.node.ports:
            if port in self.packed:
                table = self.packed[port]
                done[port] = (bytes(table.data), table.count, "table")
            elif items := self.items.get(port):
                done[port] = (self._items(port, items, numbered_by), len(items), "items")
        return done

    def _items(self, port: str, items: list[Item[Any]], numbered_by: Any) -> bytes:
        only = items[0]
        if len(items) == 1 and only.origins == (0,) and not only.attachments and self.parents.get(port) == [0]:
            return encode_alone(only.value, numbered_by)
        with without_collecting():
            kept = all(item.origins for item in items)
            return encode_items(
                StoredItems(
                    values=[item.value for item in items],
                    scope=numbered_by if kept else self.node.id,
                    origins=[item.origins for item in items] if kept else None,
                    attachments={at: item.attachments for at, item in enumerate(items) if item.attachments},
                    parents=self._parents(items, self.parents.get(port)),
                )
            )

    def _parents(self, items: list[Item[Any]], known: list[int] | None) -> list[int] | None:
        """The positions of the items that these were made from; of a whole batch, if the keys of all of them say so.

        Of items that were made one by one nothing is said where that is how their paths begin.
        """
        if known is not None:
            return None if known == [item.origins[0] for item in items if item.origins] else known
        key = self.key
        skipped = len(key)
        if not key or not all(item.key.startswith(key) for item in items):
            return None
        return [int(item.key[skipped:]) for item in items]


def emitted_by_item(node: NodePlan, code: NodeCode, item: Item[Any], value: Any, attached: Files) -> list[Emitted]:
    """What one call of a per-item node gives for `item`."""
    if node.kind in (NodeKind.THEN, NodeKind.SUBWORKFLOW):
        kept = item.attachments if node.policy.keep_attachments else NO_FILES
        result = code.signature.result
        if shape_given(result, value) is Shape.ONE:
            return [(MAIN, _placed(item, value, item.origins, attached, kept))]
        return _Giving(node, item, attached, kept).results(MAIN, result, value)
    match node.kind:
        case NodeKind.FILTER:
            return [(MAIN, item)] if value else []
        case NodeKind.BRANCH:
            return [("yes" if value else "no", item)]
        case NodeKind.SWITCH:
            return [(_case(node, code, value), item)]
        case NodeKind.TAP:
            return [(MAIN, item)]
        case NodeKind.LOOP if node.config["form"] == "until":
            return [(MAIN if value else AGAIN, item)]
        case NodeKind.LOOP:
            again = [] if value is None else [(AGAIN, _placed(item, value, item.origins, attached))]
            return [(MAIN, item), *again]
        case NodeKind.SPLIT:
            return _fan_out(MAIN, item, _listed(node, value), attached)
        case _:  # map and parse
            return [(MAIN, _placed(item, value, item.origins, attached))]


@dataclass(frozen=True, slots=True)
class _Giving:
    """One call of a per-item node."""

    node: NodePlan
    item: Item[Any]
    files: Files
    kept: Files

    def results(self, port: str, result: Result, value: Any) -> list[Emitted]:
        """What a value gives to a port, or to the ports that it names."""
        shape = shape_given(result, value)
        match shape:
            case Shape.ONE:
                return [(port, _placed(self.item, value, self.item.origins, self.files, self.kept))]
            case Shape.NOTHING:
                return []
            case Shape.PORTS:
                given = [self.results(name, result.ports.get(name, ANY), one) for name, one in _set(value)]
                return [emitted for one in given for emitted in one]
            case Shape.LIST | Shape.STREAM | Shape.TABLE:
                if is_table(value):
                    raise NodeError(
                        f'"{self.node.id}" is called once per item and gave a whole table to a port of several',
                        way_out=f"return rows (a list of dicts or models) from {self.node.id}, or take the whole batch",
                    )
                return _fan_out(port, self.item, value, self.files, self.kept)
            case _:
                assert_never(shape)


def _set(ports: Ports) -> list[tuple[str, Any]]:
    """What an instance gives to its ports; a port that is left out, or holds `None`, is given nothing."""
    return [(name, held) for name, held in vars(ports).items() if held is not None]


ANY = Result(shape=Shape.ONE, item_type=Any)


def shape_given(result: Result, value: Any) -> Shape:
    """The shape of what a call really gave; where the annotation says nothing, the value does."""
    if result.shape is not Shape.ONE or result.item_type is not Any:
        if value is None and (result.optional or result.shape is not Shape.ONE):
            return Shape.NOTHING
        return result.shape
    if value is None:
        return Shape.NOTHING
    if isinstance(value, Ports):
        return Shape.PORTS
    if isinstance(value, list):
        return Shape.LIST
    if isinstance(value, Iterator):
        return Shape.STREAM
    return Shape.TABLE if is_table(value) else Shape.ONE


def _fan_out(port: str, item: Item[Any], values: Iterable[Any], files: Files, kept: Files = NO_FILES) -> list[Emitted]:
    return [(port, _placed(item, value, (*item.origins, at), files, kept)) for at, value in enumerate(values)]


def _placed(item: Item[Any], value: Any, origins: Path, files: Files, kept: Files = NO_FILES) -> Item[Any]:
    """A value at its place, with the files that were attached to it; an item says itself which others it has."""
    if isinstance(value, Item):
        return Item(value.value, {**files, **value.attachments}, key=item.key or value.key, origins=origins)
    if isinstance(value, list):
        raise NodeError(
            f"gave a list, or a list inside a list for item {item.key or item.origins}; an item is never a list",
            way_out="return one flat list: each of its members becomes an item (in .split, not in .map)",
        )
    return Item(value, {**kept, **files} if kept else files, key=item.key, origins=origins)


def _listed(node: NodePlan, value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes | dict) or not isinstance(value, Iterable):
        raise NodeError(
            f'"{node.id}" splits an item and gave {type(value).__name__}, which is no list of items',
            way_out="return a list, a tuple or an iterator",
        )
    return value


def _case(node: NodePlan, code: NodeCode, key: Any) -> str:
    port = code.cases.get(key)
    if port is not None:
        return port
    if "default" in node.ports:
        return "default"
    known = ", ".join(repr(case) for case in code.cases)
    raise NodeError(
        f'"{node.id}" gave {key!r}, for which there is no case', way_out=f"it has {known}; or add default=…"
    )


def batch_outputs(outputs: Outputs, code: NodeCode, value: Any, files: Files) -> None:
    """Enter what one call for the whole batch gave."""
    _enter(outputs, MAIN, code.signature.result, value, files)


def _enter(outputs: Outputs, port: str, result: Result, value: Any, files: Files) -> None:
    match shape_given(result, value):
        case Shape.NOTHING:
            return
        case Shape.PORTS:
            for name, one in _set(value):
                _enter(outputs, name, result.ports.get(name, ANY), one, files)
        case Shape.TABLE:
            outputs.packed[port] = outputs.tables.pack(value)
        case Shape.LIST | Shape.STREAM:
            nowhere: Item[Any] = Item(None)
            outputs.emit((port, _placed(nowhere, one, (), files)) for one in value)
        case _:
            outputs.emit([(port, _placed(Item(None), value, (), files))])


def message_of(error: BaseException) -> str:
    """What an exception says; its class if it says nothing, or cannot even say that."""
    try:
        return without_secrets(str(error)) or type(error).__name__
    except Exception as broken:  # noqa: BLE001  # __str__ may be anybody's code
        return f"{type(error).__name__} (its message cannot be read: {type(broken).__name__})"


def failure_of(node: NodePlan, item: Any, error: BaseException, attempts: int, trace: str) -> Failure[Any]:
    """What goes to the `error` port for what failed."""
    return Failure(
        item=item,
        type=type(error).__name__,
        error=message_of(error),
        node=node.id,
        attempts=attempts,
        traceback=trace,
    )


def failed_item(failure: Failure[Any], item: Item[Any]) -> Emitted:
    """A failure takes the place of the item that entered."""
    return (ERROR, Item(failure, item.attachments, key=item.key, origins=item.origins))
