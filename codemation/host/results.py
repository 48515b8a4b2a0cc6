"""What one node of a run took and gave, as its users see it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from codemation.core.errors import RunError
from codemation.core.ids import ERROR, MAIN, NodeId
from codemation.core.items import Batch, Failure
from codemation.core.payload import decode_items
from codemation.core.signature import Shape
from codemation.core.snapshot import NodeRecord
from codemation.core.states import NodeStatus

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle  # only who asks for this library pays for it


class ResultHandle:
    """What one port of a node held."""

    def __init__(self, run: RunHandle, node: NodeId, port: str = "") -> None:
        self._run = run
        self._node = node
        plan = run.definition.plan.nodes[node]
        self._port = port or (MAIN if MAIN in plan.ports else plan.ports[0])
        if self._port not in plan.ports:
            raise KeyError(f'"{node}" has no port "{port}"; it has {", ".join(plan.ports)}')

    @property
    def record(self) -> NodeRecord | None:
        """What the run knows of the node."""
        return self._run.snapshot.nodes.get(self._node)

    @property
    def status(self) -> str:
        """Where the node stands; `pending` while nothing has reached it."""
        return self.record.status.value if self.record else "pending"

    @property
    def batch(self) -> Batch:
        """The reference to what the port held."""
        return self._run.snapshot.output(self._node, self._port)

    @property
    def count(self) -> int:
        """Items, or rows of the table."""
        return self.batch.count

    @property
    def items(self) -> list[Any]:
        """What the port held, item by item; the rows of a table as dicts."""
        batch = self.batch
        if not batch.size:
            return []
        data = self._run.fetcher().fetch(batch)
        return self._run.app.tables.rows(data) if batch.kind == "table" else list(decode_items(data).values)

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
        """What the node gave, in the type that it returned."""
        signature = self._run.signature(self._node)
        if self.batch.kind == "table":
            wanted = signature.result.item_type if signature and signature.result.shape is Shape.TABLE else None
            return self._table(wanted) if wanted else self.frame
        plan = self._run.definition.plan.nodes[self._node]
        single = plan.grain != "item" and signature is not None and signature.result.shape is Shape.ONE
        return self.item if single and self.count == 1 else self.items

    @property
    def frame(self) -> Any:
        """What the port held as a table: of the library that the node returned, else of the configured one."""
        signature = self._run.signature(self._node)
        if signature and signature.result.shape is Shape.TABLE:
            return self._table(signature.result.item_type)
        frames = {"polars": "polars", "pandas": "pandas", "arrow": "pyarrow"}
        chosen = self._run.app.settings.config.frames
        names = [chosen] if chosen else list(frames)
        found = next(name for name in names if importlib.util.find_spec(frames[name]))
        return getattr(self, found)

    @property
    def polars(self) -> Any:
        """What the port held as a polars table."""
        import polars  # noqa: PLC0415  # only who asks for this library pays for it

        return self._table(polars.DataFrame)

    @property
    def pandas(self) -> Any:
        """What the port held as a pandas table."""
        import pandas  # noqa: PLC0415  # only who asks for this library pays for it

        return self._table(pandas.DataFrame)

    @property
    def arrow(self) -> Any:
        """What the port held as a pyarrow table."""
        import pyarrow  # noqa: PLC0415  # only who asks for this library pays for it

        return self._table(pyarrow.Table)

    @property
    def schema(self) -> tuple[tuple[str, str], ...]:
        """Names and Arrow types of the columns."""
        return self._run.app.tables.schema(self._packed())

    @property
    def input(self) -> Any:
        """What reached the node: a list of items for each input, by name; the list alone if there is only one."""
        plan, fetcher = self._run.definition.plan.nodes[self._node], self._run.fetcher()
        given = {one.name: list(fetcher.items(fetcher.given(one)).values) for one in plan.inputs if not one.ordering}
        return next(iter(given.values())) if len(given) == 1 else given

    @property
    def error(self) -> Failure[Any] | None:
        """Why the node failed, or is tried again."""
        record = self.record
        if record is None or record.error is None:
            return None
        return Failure(
            item=None,
            type=record.error.type,
            error=record.error.message,
            node=self._node,
            attempts=record.attempt,
            traceback=record.error.traceback,
        )

    @property
    def failures(self) -> list[Failure[Any]]:
        """The items that failed without failing the node."""
        plan = self._run.definition.plan.nodes[self._node]
        return ResultHandle(self._run, self._node, ERROR).items if ERROR in plan.ports else []

    @property
    def logs(self) -> str:
        """What the node printed and logged."""
        return "\n".join(line.text for line in self._run.app.stores.logs.read(self._run.id, self._node))

    @property
    def attempts(self) -> int:
        """How often the node was tried; 0 while nothing has reached it."""
        record = self.record
        if record is None or record.status is NodeStatus.SKIPPED:
            return 0
        return record.attempt - (record.status is NodeStatus.WAITING)

    def __getitem__(self, port: str) -> ResultHandle:
        """The same for another port."""
        return ResultHandle(self._run, self._node, port)

    def __repr__(self) -> str:
        return f"<{self._node}[{self._port}]: {self.status}, {self.count}>"

    def _table(self, wanted: Any) -> Any:
        return self._run.app.tables.unpack(self._packed(), wanted)

    def _packed(self) -> bytes:
        if self.batch.kind == "table":
            return self._run.fetcher().fetch(self.batch)
        return bytes(self._run.app.tables.from_rows(self.items).data)
