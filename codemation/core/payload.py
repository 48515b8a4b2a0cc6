"""How items are laid down as bytes: one line about them, then their values.

Items keep their place. A batch is *numbered* by the node that made it (its `scope`); nodes that work item by item pass
the numbers on, so that branches can be joined in the order in which they parted. The numbers of an item are a path: a
fan-out adds a place to it. Where the path of each item is just its position, nothing is stored.

An item of a batch also knows its *parent*: the position, among the data of the node that gave the batch, of the item
that it was made from. Mostly that is how its path begins, or its own position, and then no list is stored.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

from codemation.core.ids import NodeId
from codemation.core.items import Attachment
from codemation.core.sealed import sealed
from codemation.core.values import pack, unpack

Path = tuple[int, ...]
NO_ATTACHMENTS: Mapping[int, Mapping[str, Attachment]] = {}


@sealed
class StoredItems:
    """The items of a batch."""

    values: Sequence[object]
    scope: NodeId
    """The node that numbered them."""
    origins: Sequence[Path] | None = None
    """A path for each item; `None` when each is at its own position."""
    attachments: Mapping[int, Mapping[str, Attachment]] = field(default_factory=dict)
    """The files of those items that have some, by position."""
    parents: Sequence[int] | None = None
    """For each item the position of the one that it was made from; `None` where nothing is said of it."""

    @property
    def firsts(self) -> Sequence[int]:
        """How the path of each item begins."""
        return range(len(self.values)) if self.origins is None else [path[0] for path in self.origins]

    def part(self, start: int, stop: int) -> StoredItems:
        """The items at the positions from `start` up to `stop`, each with the path that it has."""
        return StoredItems(
            values=self.values[start:stop],
            scope=self.scope,
            origins=[self.origin(at) for at in range(start, min(stop, len(self.values)))],
            attachments={at - start: files for at, files in self.attachments.items() if start <= at < stop},
        )

    def origin(self, position: int) -> Path:
        """The path of one item."""
        return (position,) if self.origins is None else self.origins[position]


class without_collecting:  # noqa: N801 - used as a function is
    """Let Python's collector of cycles rest while many objects are made at once and all of them are kept.

    It would walk them again and again, in proportion to all that the process holds, and find nothing.
    """

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._collects:
            gc.enable()


_encode = json.JSONEncoder(separators=(",", ":")).encode


@lru_cache
def _scope_alone(scope: NodeId) -> bytes:
    """The line about items of which nothing else is to be said, as nearly always."""
    return _encode({"s": scope}).encode()


_SHORT = 100
"""Bytes of a line that is likely to come again."""
_known = lru_cache(json.loads)
"""Of a short line; nobody changes what it gives."""


def encode_items(items: StoredItems) -> bytes:
    """The bytes of a batch of items.

    Raises:
        Unstorable: a value cannot be stored; says which, and where inside of it.
    """
    head: dict[str, object] = {"s": items.scope}
    if items.origins is not None and list(items.origins) != [(at,) for at in range(len(items.origins))]:
        flat = all(len(path) == 1 for path in items.origins)
        head["o"] = [path[0] for path in items.origins] if flat else [list(path) for path in items.origins]
    if items.parents is not None:
        head["p"] = _written(items.parents, head.get("o"))
    if items.attachments:
        head["a"] = {
            at: {name: [file.blob, file.size, file.sha256, file.mime] for name, file in files.items()}
            for at, files in items.attachments.items()
        }
    line = _scope_alone(items.scope) if len(head) == 1 else _encode(head).encode()
    return line + b"\n" + pack(items.values)


def encode_alone(value: object, scope: NodeId) -> bytes:
    """What `encode_items` gives for one item that has nothing but its value and place.

    Raises:
        Unstorable: as there.
    """
    return _scope_alone(scope) + b"\n" + pack([value])


def _written(parents: Sequence[int], numbers: Any) -> object:
    """Parents in the fewest words: `0` where paths begin with them, `1` where they are the positions, else a list."""
    own = range(len(parents))
    firsts: Sequence[Any] = own if numbers is None else [one if type(one) is int else one[0] for one in numbers]
    listed = list(parents)
    return 0 if listed == list(firsts) else 1 if listed == list(own) else listed


def decode_head(data: bytes, count: int) -> StoredItems:
    """All but the values and files of a batch of so many items: what stands for the values are their positions."""
    head = json.loads(bytes(data).partition(b"\n")[0])
    origins = _paths(head.get("o"))
    parents = head.get("p")
    if parents == 0:
        parents = StoredItems(values=range(count), scope=NodeId(head["s"]), origins=origins).firsts
    elif parents == 1:
        parents = range(count)
    return StoredItems(values=range(count), scope=NodeId(head["s"]), origins=origins, parents=parents)


def _paths(numbers: Any) -> list[Path] | None:
    return None if numbers is None else [tuple(path) if isinstance(path, list) else (path,) for path in numbers]


def decode_items(data: bytes) -> StoredItems:
    """The batch that `encode_items` wrote."""
    line, _, body = bytes(data).partition(b"\n")
    head = _known(line) if len(line) <= _SHORT else json.loads(line)
    return StoredItems(
        values=unpack(body),
        scope=head["s"],
        origins=_paths(head["o"]) if "o" in head else None,
        attachments=_files(head["a"]) if "a" in head else NO_ATTACHMENTS,
    )


def _files(written: Mapping[str, Mapping[str, Sequence[Any]]]) -> Mapping[int, Mapping[str, Attachment]]:
    return {
        int(at): {
            name: Attachment(blob=blob, size=size, sha256=sha256, mime=mime)
            for name, (blob, size, sha256, mime) in named.items()
        }
        for at, named in written.items()
    }
