"""What running a workflow gives back, as its users see it; the host makes it real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, overload

from typing_extensions import TypeVar

from codemation.core.answers import Answerable
from codemation.core.differing import Diff
from codemation.core.explaining import Reasons, Why
from codemation.core.ids import RunId
from codemation.core.items import Failure
from codemation.core.lineage import Trace
from codemation.core.node import Node
from codemation.core.pins import Pin

Nodes = str | Node[Any, Any] | Sequence["str | Node[Any, Any]"] | None
"""Nodes to begin with, by id, title, name of their piece, or held in the hand."""
Pins = Mapping[str, Any] | str | Path
"""What nodes are to give without being executed: by id, or `node@port`; or the folder that holds it."""
Others = Mapping[str, Any] | None
"""Params that are to have other values, by name."""
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

    @property
    def why(self) -> Why:
        """Why the node ran, will run, or does not."""
        ...

    def pin(self) -> Pin:
        """What the node gave, to be given to other runs instead of executing it: `wf.options(pins={"x": pin})`."""
        ...

    def trace(self, key: int | str) -> Trace:
        """What one item (by its position or key) came from, and what became of it."""
        ...

    def __getitem__(self, port: str) -> NodeResult[Any]:
        """The same for one output port."""
        ...


class SessionResult(NodeResult[Out], Protocol[Out]):
    """What one node of a session took and gave; here it can be pinned."""

    def pin(self, value: Any = ...) -> Pin:
        """Let the node stand as done with this value, or with what it has given; what stands on it is due again."""
        ...

    def unpin(self) -> None:
        """Let the node be executed again, and what stands on it."""
        ...


class Run(Answerable, Protocol):
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

    @property
    def source(self) -> RunId | None:
        """The run that this one is a replay of."""
        ...

    def resume(self, from_: Nodes = None) -> Run:
        """Go on from where the run failed; with `from_` this node and all that stands on it are done again."""
        ...

    def replay(self, *, from_: Nodes = None, to: Nodes = None, pins: Pins | None = None, params: Others = None) -> Run:
        """A new run with the same params and input, linked to this one.

        What does not stand on `from_` is taken over by reference, and nothing is run that `to` does not stand on.
        With other values for some `params`, whatever sees one that has changed is done again.
        """
        ...

    def why(self) -> Reasons:
        """For each node why it ran, will run, or does not."""
        ...

    def diff(self, other: Run) -> Diff:
        """What differs between this run and another one: params, code, columns, rows and timing."""
        ...

    def to_html(self, path: str | Path) -> Path:
        """Write the run as one page that needs nothing else, with the beginning of what came out."""
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

    @property
    def parent(self) -> Run | None:
        """The run that has started this one to let it do some of its work."""
        ...

    @property
    def children(self) -> Sequence[Run]:
        """The runs that this one has started to let them do some of its work, oldest first."""
        ...


class Session(Run, Protocol):
    """A run that goes on only when it is told to, step by step, and back."""

    @property
    def due(self) -> tuple[str, ...]:
        """The nodes that may be executed now, the next one first."""
        ...

    @property
    def stale(self) -> tuple[str, ...]:
        """The nodes whose results do not count any more, and that have not been executed again."""
        ...

    def step(self, n: int = 1) -> Self:
        """Execute the next `n` nodes."""
        ...

    def step_into(self, item: int | None = None) -> Any:
        """Call the code of the next node here, with what it would be given (one `item`), and record nothing."""
        ...

    def run_to(self, node: str | Node[Any, Any]) -> Self:
        """Execute what `node` stands on, and then the node."""
        ...

    def continue_(self) -> Self:
        """Go on to the next breakpoint, or to the end."""
        ...

    def back(self, n: int = 1) -> Self:
        """Take back the last `n` steps."""
        ...

    def goto(self, revision: int) -> Self:
        """Let count what counted at a revision, as far as it still fits pins and code."""
        ...

    def restart(self) -> Self:
        """Begin anew, with the same params, input, pins and breakpoints."""
        ...

    def break_at(self, node: str | Node[Any, Any], when: Callable[[Any], object] | None = None) -> Self:
        """Stop before `node`; with `when` only if it says so of an item that the node is about to be given."""
        ...

    def edit(self, node: Node[Any, Any]) -> Self:
        """Go on with other code for the node of the same id; only what stands on it is due again."""
        ...

    def save_pins(self, path: str | Path) -> Path:
        """Write the session's pins into a folder, a file for each node and port."""
        ...

    @overload
    def __getitem__(self, node: Node[Any, U]) -> SessionResult[U]: ...
    @overload
    def __getitem__(self, node: str) -> SessionResult[Any]: ...
    def __getitem__(self, node: Any) -> SessionResult[Any]:
        """What one node took and gave."""
        ...
