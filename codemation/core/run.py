"""What running a workflow gives back, as its users see it; the host makes it real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, overload

from typing_extensions import TypeVar

from codemation.core.ids import RunId
from codemation.core.items import Failure
from codemation.core.node import Node

U = TypeVar("U")
Out = TypeVar("Out", default=Any)


class NodeResult(Protocol[Out]):
    """What one node of a run took and gave."""

    @property
    def status(self) -> str:
        """Where the node stands: `succeeded`, `failed`, `skipped`, `running`, …."""
        ...

    @property
    def items(self) -> list[Out]:
        """What the node gave, item by item."""
        ...

    @property
    def item(self) -> Out:
        """The only item that the node gave; an error when there is not exactly one."""
        ...

    @property
    def output(self) -> Any:
        """What the node gave, in the type that it returned: a table of the same library, an item, or a list."""
        ...

    @property
    def frame(self) -> Any:
        """What the node gave as a table of the library that it returned, else of the one that is set as `frames`."""
        ...

    @property
    def polars(self) -> Any:
        """What the node gave as a polars table."""
        ...

    @property
    def pandas(self) -> Any:
        """What the node gave as a pandas table."""
        ...

    @property
    def arrow(self) -> Any:
        """What the node gave as a pyarrow table."""
        ...

    @property
    def count(self) -> int:
        """Items, or rows of the table."""
        ...

    @property
    def schema(self) -> Any:
        """Names and types of the columns."""
        ...

    @property
    def input(self) -> Any:
        """What reached the node."""
        ...

    @property
    def error(self) -> Failure[Any] | None:
        """Why the node failed."""
        ...

    @property
    def failures(self) -> list[Failure[Any]]:
        """The items that failed without failing the node."""
        ...

    @property
    def logs(self) -> str:
        """What the node printed and logged."""
        ...

    @property
    def attempts(self) -> int:
        """How often the node was tried."""
        ...

    def __getitem__(self, port: str) -> NodeResult[Any]:
        """The same for one output port."""
        ...


class Run(Protocol):
    """Handle and result of one execution."""

    @property
    def id(self) -> RunId:
        """Names the run."""
        ...

    @property
    def status(self) -> str:
        """Where the run stands: `queued`, `running`, `waiting`, `succeeded`, `failed` or `cancelled`."""
        ...

    @property
    def reason(self) -> str:
        """Why the run stands there."""
        ...

    @property
    def output(self) -> Any:
        """What the workflow gave, in the type that its last node returned."""
        ...

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Everything that the workflow gave, by name."""
        ...

    @property
    def params(self) -> Any:
        """The parameters that the run was started with."""
        ...

    @property
    def revision(self) -> int:
        """How many signals the run has accepted."""
        ...

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, at most `timeout` seconds, and give the output."""
        ...

    def cancel(self) -> None:
        """Ask the run to stop."""
        ...

    def resume(self) -> Run:
        """Go on from where the run failed; what has succeeded is not repeated."""
        ...

    def at(self, revision: int) -> Run:
        """The run as it was at an earlier revision."""
        ...

    @overload
    def __getitem__(self, node: Node[Any, U]) -> NodeResult[U]: ...
    @overload
    def __getitem__(self, node: str) -> NodeResult[Any]: ...
    def __getitem__(self, node: Any) -> NodeResult[Any]:
        """What one node took and gave."""
        ...
