"""What people see of runs: rows of a list, and one run with its nodes. The command line and the web show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from codemation.core.definition import NodeKind
from codemation.core.ids import NodeId, RunId, WorkflowId
from codemation.views.failures import FailureView, Frame, frames_of
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.records import Json, plain, record

__all__ = ["FailureView", "Frame", "NodeRow", "RunRow", "RunView", "WaitRow", "frames_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a list."""

    id: RunId
    workflow: WorkflowId
    status: str
    reason: str = ""
    """Why it has this status, where that says more."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds: float | None = None
    """How long it has taken, or has been at work until now."""
    nodes_done: int = 0
    """Nodes that have ended, whichever way."""
    nodes_total: int = 0
    key: str = ""
    """The name that it was started under, so that it is started once."""
    digest: str = ""
    """Of the definition that it is bound to."""
    revision: int = 0
    error: str = ""
    """The failure in one line."""
    parent: RunId | None = None
    """The run that has started it to let it do some of its work."""
    started_by: str = ""
    """Who or what has started it."""

    @property
    def progress(self) -> float:
        """How much of it is done, from 0 to 1."""
        return self.nodes_done / self.nodes_total if self.nodes_total else 0.0

    def to_json(self) -> Json:
        """Plain JSON data with every field and the progress."""
        return {**record(self), "progress": self.progress}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A node of one run."""

    id: NodeId
    kind: NodeKind
    status: NodeStatus
    items_in: Mapping[str, int] = field(default_factory=dict)
    """Items that have come to each input."""
    items_out: Mapping[str, int] = field(default_factory=dict)
    """Items that each output port has given."""
    attempts: int = 0
    started_at: datetime | None = None
    seconds: float | None = None
    error: str = ""
    """The failure in one line, or what it waits for."""
    how: str = ""
    """How it came to stand so if it was not executed: `pinned`, `cached`, `taken over`."""
    shards: tuple[int, int] | None = None
    """While it is worked on in parts: how many of them have ended, and how many there are."""
    done: int | None = None
    """While it is worked on item by item: how many are finished, as far as that is known yet."""

    @property
    def rate(self) -> float | None:
        """Items that came in, or without any went out, per second of work."""
        items = sum(self.items_in.values()) or sum(self.items_out.values())
        return items / self.seconds if items and self.seconds else None

    @property
    def mark(self) -> NodeMark:
        """The row as it is marked on a graph."""
        how = self.how if self.shards is None else f"{self.shards[0]:,} of {self.shards[1]:,} shards"
        return NodeMark(status=self.status, counts=self.items_out, error=self.error, seconds=self.seconds, how=how)

    def to_json(self) -> Json:
        """Plain JSON data with every field and the rate."""
        return {**record(self), "rate": self.rate}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRow:
    """Something that a run waits for."""

    node: NodeId
    item: int | None
    """The position of the item in what reached the node; `None` where it is about all of them."""
    what: str
    """What is waited for, in a line."""
    to: tuple[str, ...] = ()
    """Who is asked."""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run in full: its row, its nodes, what it was given, what came out, what it waits for, what went wrong."""

    row: RunRow
    nodes: tuple[NodeRow, ...] = ()
    error: FailureView | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Each result of the run by its name, as JSON."""
    children: tuple[RunRow, ...] = ()
    """The runs that do some of its work, oldest first."""
    waits: tuple[WaitRow, ...] = ()
    """What it waits for, the most pressing first."""
    origin: Mapping[str, Any] | None = None
    """The trigger that has started it and what set that off, if one did."""

    @property
    def marks(self) -> dict[NodeId, NodeMark]:
        """The state of its nodes, to be marked on the graph of its workflow."""
        return {node.id: node.mark for node in self.nodes}

    def to_json(self) -> Json:
        """Plain JSON data: the row's fields at the top, then nodes, error, params, outputs, waits and children."""
        return {
            **self.row.to_json(),
            "nodes": [node.to_json() for node in self.nodes],
            "error": self.error.to_json() if self.error else None,
            "params": plain(self.params),
            "outputs": plain(self.outputs),
            "origin": plain(self.origin),
            "waits": [record(wait) for wait in self.waits],
            "children": [row.to_json() for row in self.children],
        }
