"""What travels: items, and batches of them by reference.

A `Batch` is all that the fold and the journal ever see of data; items, tables and attachments are fetched by the
executor alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Generic, Literal, Protocol

from typing_extensions import TypeVar

from codemation.core.sealed import sealed

T = TypeVar("T", default=Any)
T_co = TypeVar("T_co", covariant=True, default=Any)

BatchKind = Literal["items", "table"]


@sealed
class Batch:
    """What a port held: a reference to many items or to one table, never the data itself."""

    ref: str
    """`""` for the empty batch; `j:<revision>:<port>` inline in the journal; `b:<uuid>` a payload of its own."""
    count: int
    """Items, or rows of the table."""
    kind: BatchKind = "items"
    size: int = 0
    """Bytes as stored."""


EMPTY = Batch(ref="", count=0)


class AttachmentSource(Protocol):
    """Where the bytes of an attachment come from."""

    def open(self, blob: str) -> BinaryIO:
        """A readable stream of the blob; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A named file beside an item, stored once and passed on by reference."""

    blob: str
    size: int
    sha256: str
    mime: str = "application/octet-stream"
    source: AttachmentSource | None = field(default=None, repr=False, compare=False)

    def open(self) -> BinaryIO:
        """A readable stream of the content; the caller closes it.

        Raises:
            RuntimeError: the attachment was made by hand and stands in no run.
        """
        if self.source is None:
            raise RuntimeError("this attachment belongs to no run; ctx.attach() makes one that can be opened")
        return self.source.open(self.blob)

    def read(self) -> bytes:
        """The whole content."""
        with self.open() as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """An item with its surroundings: its value, its files, and its place in the batch."""

    value: T
    attachments: Mapping[str, Attachment] = field(default_factory=dict)
    key: str = field(default="", compare=False)
    """Names the item within its run: `<node>:<position>`; empty until it is stored."""
    origins: tuple[int, ...] = field(default=(), compare=False)
    """Positions that the item and its forebears had when its batch was last numbered anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Generic[T_co]):
    """What went wrong with an item (or with a whole batch), as the item of an `error` port."""

    item: T_co
    """What entered the node that failed."""
    type: str
    error: str
    node: str
    attempts: int = 1
    traceback: str = ""
