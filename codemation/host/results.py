"""What one node of a run took and gave, as its users see it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codemation.core.definition import Input, NodeKind, Source
from codemation.core.errors import HostError, RunError
from codemation.core.ids import ERROR, MAIN
from codemation.core.items import Failure
from codemation.core.lineage import Trace
from codemation.core.node import SupportsArrow
from codemation.core.payload import decode_items
from codemation.core.signature import Result, Shape
from codemation.host.lineage import Lineage
from codemation.host.nodes import NodeHandle
from codemation.host.showing import ShownResult

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

_PASSES_ON = (NodeKind.FILTER, NodeKind.TAP, NodeKind.BRANCH, NodeKind.SWITCH)
"""Verbs that give what they took, whatever their function returns."""
_CLASSES = {"polars": ("polars", "DataFrame"), "pandas": ("pandas", "DataFrame"), "arrow": ("pyarrow", "Table")}
"""The library and the class of tables for each setting of `frames`; the one that is preferred comes first."""


class ResultHandle(NodeHandle, ShownResult):
    """What one port of a node held."""

    @property
    def stored(self) -> bytes:
        """What the port held, as it is stored; nothing where that is nothing."""
        return self._run.fetcher().fetch(self.batch) if self.batch.size else b""

    @property
    def items(self) -> list[Any]:
        """What the port held, item by item; the rows of a table as dicts."""
        data = self.stored
        if not data:
            return []
        return self._run.app.tables.rows(data) if self.batch.kind == "table" else list(decode_items(data).values)

    @property
    def item(self) -> Any:
        """The only item.

        Raises:
            RunError: there is not exactly one.
        """
        items = self.items
        if len(items) != 1:
            raise RunError(f'"{self._node}" gave {len(items)} items, not one', way_out=f'run["{self._node}"].items')
        return items[0]

    @property
    def output(self) -> Any:
        """What the node gave, in the type that it returned: a table of the same library, an item, or a list."""
        if self.batch.kind == "table":
            return self.frame
        result = self._result
        single = self.plan.grain != "item" and result is not None and result.shape is Shape.ONE
        return self.item if single and self.count == 1 else self.items

    @property
    def frame(self) -> Any:
        """What the port held as a table: of the library that the node returned, else of the configured one."""
        return self.made_of(self._packed())

    def made_of(self, data: bytes) -> Any:
        """A stored table as `frame` gives it."""
        result = self._result
        if result is not None and result.shape is Shape.TABLE and result.item_type is not SupportsArrow:
            return self._run.app.tables.unpack(data, result.item_type)
        return self._run.app.tables.unpack(data, _class_of(_library(self._run)))

    @property
    def polars(self) -> Any:
        """What the port held as a polars table."""
        return self._table("polars")

    @property
    def pandas(self) -> Any:
        """What the port held as a pandas table."""
        return self._table("pandas")

    @property
    def arrow(self) -> Any:
        """What the port held as a pyarrow table."""
        return self._table("arrow")

    @property
    def schema(self) -> tuple[tuple[str, str], ...]:
        """Names and Arrow types of the columns."""
        return self._run.app.tables.schema(self._packed())

    @property
    def input(self) -> Any:
        """What reached the node: a list of items for each input, by name; the list alone if there is only one."""
        fetcher, inputs = self._run.fetcher(), [one for one in self.plan.inputs if not one.ordering]
        given = {one.name: list(fetcher.items(fetcher.given(one)).values) for one in inputs}
        return next(iter(given.values())) if len(given) == 1 else given

    @property
    def failures(self) -> list[Failure[Any]]:
        """The items that failed without failing the node."""
        return self[ERROR].items if ERROR in self.plan.ports else []

    def trace(self, key: int | str) -> Trace:
        """What one item (by its position or key) came from, and what became of it.

        Raises:
            RunError: there is no such item.
        """
        return Lineage(self._run).trace(self._node, self.port, key)

    def __getitem__(self, port: str) -> ResultHandle:
        """The same for another port."""
        return ResultHandle(self._run, self._node, port)

    def __repr__(self) -> str:
        ports = self.plan.ports if self._given_port is None else (self._given_port,)
        counts = ", ".join(f"{port} {self._run.snapshot.output(self._node, port).count}" for port in ports)
        return f"<{self._node}: {self.status}, {counts}>"

    @property
    def _result(self) -> Result | None:
        """What the code of the node says that it gives to the port; `None` where it says nothing."""
        signature = self._run.signature(self._node)
        if signature is None or self.port == ERROR or self.plan.kind in _PASSES_ON:
            return None
        result = signature.result
        return result.ports.get(self.port) if result.shape is Shape.PORTS else result

    def _table(self, library: str) -> Any:
        return self._run.app.tables.unpack(self._packed(), _class_of(library))

    def _packed(self) -> bytes:
        if self.batch.kind == "table":
            return self._run.fetcher().fetch(self.batch)
        return bytes(self._run.app.tables.from_rows(self.items).data)


def _library(run: RunHandle) -> str:
    """The setting of `frames`, or the first library that is installed."""
    installed = (name for name, (module, _) in _CLASSES.items() if importlib.util.find_spec(module))
    return run.app.settings.config.frames or next(installed)


def _class_of(library: str) -> type:
    """The class of tables of a library, which is imported now.

    Raises:
        HostError: it is not installed.
    """
    module, name = _CLASSES[library]
    try:
        found: type = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        raise HostError(f"a table of {module} is wanted, which is not installed", way_out=f"install {module}") from None
    return found


def together(run: RunHandle, sources: Sequence[Source]) -> Any:
    """What several ports gave, as the next node would have been given it: items in the order in which they parted."""
    fetcher = run.fetcher()
    given = fetcher.given(Input(name=MAIN, sources=tuple(sources)))
    if given.table is None:
        return list(fetcher.items(given).values)
    return ResultHandle(run, sources[0].node, sources[0].port).made_of(given.table)
