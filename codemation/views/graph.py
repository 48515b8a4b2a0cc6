"""A workflow as a picture's data: where each node stands, which way each edge takes, what is written on them.

Sizes and places follow from the definition alone (`canvas` finds them); marking a run's state on a graph moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from codemation.core.definition import NodeKind
from codemation.core.ids import NodeId
from codemation.views.lettering import one_line
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.placement import Point
from codemation.views.records import Json, record

Direction = Literal["LR", "TB"]
Flow = Literal["open", "given", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortView:
    """An output port: its place on the node's side, and what it has given."""

    name: str
    x: float
    y: float
    label: str = ""
    """Its name where that tells something."""
    count: int | None = None
    followed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node as it is drawn; `x` and `y` are its upper left corner."""

    id: NodeId
    title: str
    kind: NodeKind
    caption: str
    """What it is and gives."""
    x: float
    y: float
    width: float
    height: float
    ports: tuple[PortView, ...] = ()
    summary: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    icon: str = ""
    place: str = ""
    status: NodeStatus | None = None
    note: str = ""
    """How far it has come, in a few words."""
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeView:
    """An edge as it is drawn: through its points, level between those that are level, curved between the others."""

    source: NodeId
    port: str
    target: NodeId
    inputs: tuple[str, ...]
    """The target's inputs that it leads to, where they have names."""
    ordering: bool
    """The target only waits for it."""
    label: str
    """The port, when it is not the main one."""
    points: tuple[Point, ...]
    count: int | None = None
    flow: Flow = "open"
    """Whether items have come along it: not known yet, some, or none."""
    back: bool = False
    """It leads back to the gate of a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The box around a piece of the workflow; outer ones have a smaller depth."""

    title: str
    depth: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    """A workflow as it is drawn."""

    workflow: str
    title: str
    direction: Direction
    nodes: tuple[NodeView, ...]
    edges: tuple[EdgeView, ...]
    groups: tuple[GroupView, ...]
    width: float
    height: float

    def marked(self, marks: Mapping[NodeId, NodeMark]) -> GraphView:
        """The same picture with the state of a run on it; a node without a mark has none."""
        nodes = tuple(_marked(node, marks.get(node.id)) for node in self.nodes)
        edges = tuple(_flowing(edge, marks.get(edge.source)) for edge in self.edges)
        return replace(self, nodes=nodes, edges=edges)

    def to_json(self) -> Json:
        """Plain JSON data with every field."""
        return record(self)


def _marked(node: NodeView, mark: NodeMark | None) -> NodeView:
    counts = dict(mark.counts) if mark else {}
    return replace(
        node,
        ports=tuple(replace(port, count=counts.get(port.name)) for port in node.ports),
        status=mark.status if mark else None,
        note=mark.caption if mark and mark.status != NodeStatus.PENDING else "",
        counts=counts,
        error=one_line(mark.error) if mark else "",
        seconds=mark.seconds if mark else None,
    )


def _flowing(edge: EdgeView, mark: NodeMark | None) -> EdgeView:
    count = mark.counts.get(edge.port) if mark else None
    if count is not None:
        return replace(edge, count=count, flow="given" if count else "empty")
    skipped = mark is not None and mark.status == NodeStatus.SKIPPED
    return replace(edge, count=None, flow="empty" if skipped else "open")
