"""Tables as Arrow: any library's table in, any library's table out.

Read in the order of the data: `libraries` (tables of all libraries ⇄ Arrow) and `records` (items → Arrow) → `stream`
(Arrow ⇄ bytes) → `union` (several tables → one). pyarrow takes longer to import than all the rest of a worker, so it is
loaded with the first table; polars only when one of its tables comes or is wanted. (pyarrow itself imports pandas, if
that is installed, to make columns of Python values.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from codemation.core.tables import Derived, PackedTable


class ArrowTables:
    """The `Tables` port on pyarrow."""

    def pack(self, table: object) -> PackedTable:
        """The table as it is stored: the same table always gives the same bytes.

        An index of pandas that has a name becomes a column, any other is dropped.

        Raises:
            Unstorable: it is no table, or has columns that Arrow has no type for.
        """
        from codemation.host.tables import libraries, stream  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.write(libraries.to_arrow(table), table.rows if isinstance(table, Derived) else None)

    def unpack(self, data: bytes | memoryview, wanted: Any) -> object:
        """The table as an object of the class that is wanted (of a union: of its first).

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: the class is no table that can be made from Arrow.
        """
        from codemation.host.tables import libraries  # noqa: PLC0415 - pyarrow comes with the first table

        return libraries.from_bytes(data, wanted)

    def rows(self, data: bytes | memoryview, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
        """Rows from `start` up to `stop` as dicts; only what is needed of the bytes is decoded.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        from codemation.host.tables import records, stream  # noqa: PLC0415 - pyarrow comes with the first table

        return records.to_rows(stream.read(data, start, stop))

    def from_rows(self, values: Sequence[object]) -> PackedTable:
        """A table of dicts, models, dataclasses or namedtuples, with a column for each name that any of them has.

        Raises:
            ContractError: one of them has no named fields, or a column holds values of different types.
        """
        from codemation.host.tables import records, stream  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.write(records.from_rows(values))

    def part(self, data: bytes | memoryview, start: int, stop: int) -> PackedTable:
        """The rows from `start` up to `stop` as a table of their own.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        from codemation.host.tables import stream  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.write(stream.read(data, start, stop))

    def concat(self, parts: Sequence[bytes | memoryview], parents: Sequence[int] | None = None) -> PackedTable:
        """One table of the rows of all, its columns in the order of the first; `parents` notes what they came from.

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: they have different columns, or a column has types that do not go together.
        """
        from codemation.host.tables import stream, union  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.write(union.of([stream.read(part) for part in parts]), parents)

    def join(self, parts: Sequence[bytes | memoryview], on: Sequence[str], how: str) -> PackedTable:
        """Tables matched by the columns `on`, in the order of the first; `how` is `inner`, `left` or `outer`.

        Raises:
            PayloadLost: the bytes are damaged.
            ContractError: a column is missing, or has types that cannot be compared.
        """
        from codemation.host.tables import stream  # noqa: PLC0415 - pyarrow comes with the first table
        from codemation.nodes.tables import groups  # noqa: PLC0415 - the same

        return stream.write(
            reduce(lambda left, right: groups.widened(left, right, list(on), how), map(stream.read, parts))
        )

    def parents(self, data: bytes | memoryview) -> list[int] | None:
        """The row of the node's data that each row came from, if the node has said so.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        from codemation.host.tables import stream  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.parents(data)

    def schema(self, data: bytes | memoryview) -> tuple[tuple[str, str], ...]:
        """Name and Arrow type of each column, in order.

        Raises:
            PayloadLost: the bytes are damaged.
        """
        from codemation.host.tables import stream  # noqa: PLC0415 - pyarrow comes with the first table

        return stream.columns(stream.read(data, 0, 0).schema)
