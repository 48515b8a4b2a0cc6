"""Tables of any library, known by the Arrow stream that they speak; nothing here imports one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from codemation.core.annotations import is_table_type
from codemation.core.items import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedTable:
    """A table as it is stored."""

    data: bytes | memoryview = field(repr=False)
    """An Arrow IPC stream; may be a view of the buffer that it was written into."""
    count: int
    """Rows."""
    schema: tuple[tuple[str, str], ...]
    """Name and Arrow type of each column, in order."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A table, and what its node knows of the rows beside what they hold; a table to everybody else."""

    table: Any
    rows: Sequence[int] | None = None
    """The row of the node's data that each row came from; `None`: all came from all."""
    same: bool = False
    """The rows are rows of the data, not changed: items stay the items that they were."""
    failures: Sequence[Failure[Any]] = ()
    """What could not become a row; `on_error` of the node says what becomes of it."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table as a capsule."""
        return self.table.__arrow_c_stream__(requested_schema)


class Tables(Protocol):
    """Packs tables into bytes and makes tables, of whatever library is wanted, from them."""

    def pack(self, table: object) -> PackedTable:
        """The table as it is stored.

        Raises:
            Unstorable: it is no table, or has columns that Arrow has no type for.
        """
        ...

    def unpack(self, data: bytes | memoryview, wanted: Any) -> object:
        """The table as an object of the class that is wanted.

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: the class is no table that can be made from Arrow.
        """
        ...

    def rows(self, data: bytes | memoryview, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
        """Rows from `start` up to `stop` as dicts.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        ...

    def part(self, data: bytes | memoryview, start: int, stop: int) -> PackedTable:
        """The rows from `start` up to `stop` as a table of their own.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        ...

    def from_rows(self, values: Sequence[object]) -> PackedTable:
        """A table of dicts, models or dataclasses, with a column for each name that any of them has.

        Raises:
            ContractError: one of them has no named fields, or a column holds values of different types.
        """
        ...

    def concat(self, parts: Sequence[bytes | memoryview], parents: Sequence[int] | None = None) -> PackedTable:
        """One table of the rows of all, its columns in the order of the first; `parents` notes what they came from.

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: they have different columns, or a column has types that do not go together.
        """
        ...

    def join(self, parts: Sequence[bytes | memoryview], on: Sequence[str], how: str) -> PackedTable:
        """Tables matched by the columns `on`, in the order of the first; `how` is `inner`, `left` or `outer`.

        A column that both sides have keeps the left one's name; the right one's gets `_right` behind it.

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: a column is missing, or has types that cannot be compared.
        """
        ...

    def parents(self, data: bytes | memoryview) -> list[int] | None:
        """The row of the node's data that each row came from, if the node has said so.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        ...

    def schema(self, data: bytes | memoryview) -> tuple[tuple[str, str], ...]:
        """Name and Arrow type of each column, in order.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        ...


def is_table(value: object) -> bool:
    """Whether a value is a table of any library."""
    return is_table_type(type(value))


__all__ = ["Derived", "PackedTable", "Tables", "is_table", "is_table_type"]
