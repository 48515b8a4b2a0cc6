"""From a definition to a picture's data: how large each node is, and where the layout puts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from codemation.core.definition import Definition, NodeKind, NodePlan
from codemation.core.ids import MAIN, NodeId
from codemation.views.clusters import Shape, Wire, group_titles
from codemation.views.drawing import Drawing, Insets, drawn
from codemation.views.graph import Direction, EdgeView, GraphView, GroupView, NodeView, PortView
from codemation.views.lettering import one_line, pixels
from codemation.views.marks import NodeMark
from codemation.views.placement import Point
from codemation.views.returning import WayBack, ways_back

MARGIN = 20.0
NODE_HEIGHT = 48.0
NODE_ROOM = 88.0
"""Of a node's width, what its mark, its status and its padding take."""
NARROWEST, WIDEST, STEP = 160.0, 280.0, 20.0
CAPTION_SIZE = 11.0
LABEL_HEIGHT = 18.0
TITLE_SIZE = 12.0
NAME_SIZE = 14.0
"""Of the bold titles in the nodes: 13 pixels, and a little for the boldness."""
WIDEST_TITLE = 320.0


def graph_view(
    definition: Definition, marks: Mapping[NodeId, NodeMark] | None = None, *, direction: Direction = "LR"
) -> GraphView:
    """Lay a workflow out from left to right or from top to bottom, and mark a run's state on it.

    Raises:
        BrokenDefinition: the nodes wait for one another, or for what is not there.
    """
    order = sorted(definition.nodes, key=lambda node: definition.plan.rank[node.id])
    wires = _wires(order)
    shapes = [_shape(node, wires, direction) for node in order]
    drawing = drawn(shapes, list(wires.values()), _insets(order, direction))
    back = ways_back(order, {shape.key: shape for shape in shapes}, drawing)
    far = max([drawing.breadth, *(over for way in back for _, over in way.path)])
    canvas = _Canvas(drawing=replace(drawing, breadth=far), direction=direction)
    view = GraphView(
        workflow=definition.workflow,
        title=one_line(definition.title) or definition.workflow,
        direction=direction,
        nodes=tuple(_node_view(node, shape, wires, canvas) for node, shape in zip(order, shapes, strict=True)),
        edges=(
            *(edge for node in order for edge in _edge_views(node, wires, canvas)),
            *(_back_view(way, canvas) for way in back),
        ),
        groups=tuple(canvas.group(index) for index in range(len(drawing.frames))),
        width=canvas.size[0] + 2 * MARGIN,
        height=canvas.size[1] + 2 * MARGIN,
    )
    return view.marked(marks) if marks else view


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canvas:
    """Turns a drawing's along and across into x and y."""

    drawing: Drawing
    direction: Direction

    @property
    def size(self) -> Point:
        return self._turned((self.drawing.length, self.drawing.breadth))

    def point(self, at: Point) -> Point:
        x, y = self._turned(at)
        return round(x + MARGIN, 1), round(y + MARGIN, 1)

    def group(self, index: int) -> GroupView:
        frame = self.drawing.frames[index]
        x, y = self.point(frame.corner)
        width, height = self._turned((frame.length, frame.breadth))
        return GroupView(title=frame.title, depth=frame.depth, x=x, y=y, width=width, height=height)

    def _turned(self, at: Point) -> Point:
        return at if self.direction == "LR" else (at[1], at[0])


def _wires(nodes: Sequence[NodePlan]) -> dict[tuple[str, str], Wire]:
    """What each port that somebody follows leads to; ways back are drawn when everything has its place."""
    targets: dict[tuple[str, str], dict[str, None]] = {}
    for node in nodes:
        for source in node.sources(back=False):
            targets.setdefault((source.node, source.port), {})[node.id] = None
    return {end: Wire(source=end[0], port=end[1], targets=tuple(found)) for end, found in targets.items()}


def _ports(node: NodePlan, wires: Mapping[tuple[str, str], Wire]) -> list[str]:
    """The ports worth drawing: those that somebody follows, and all of a node that has a choice."""
    named = [port for port in node.ports if port != MAIN or node.gives]
    return [port for port in named if len(named) > 1 or (node.id, port) in wires]


def _port_label(port: str) -> str:
    return "" if port == MAIN else one_line(port)


def label_width(label: str) -> float:
    """The width of the pill that a port's label stands in."""
    return pixels(label, CAPTION_SIZE) + 14


def _shape(node: NodePlan, wires: Mapping[tuple[str, str], Wire], direction: Direction) -> Shape:
    ports = _ports(node, wires)
    widths = [label_width(f"{_port_label(port)} 99.9k".strip()) for port in ports]
    text = max(pixels(_title(node), NAME_SIZE), pixels(_caption(node), CAPTION_SIZE))
    width = min(max(ceil((text + NODE_ROOM) / STEP) * STEP, NARROWEST), WIDEST)
    if direction == "LR":
        apart = LABEL_HEIGHT + 5
        length, breadth = width, max(NODE_HEIGHT, apart * len(ports) + 4)
        room = max(widths, default=0.0) + 36
    else:
        apart = max(widths, default=0.0) + 6
        length, breadth = NODE_HEIGHT, max(width, apart * len(ports) + 6)
        room = LABEL_HEIGHT + 44
    offsets = {port: (index - (len(ports) - 1) / 2) * apart for index, port in enumerate(ports)}
    return Shape(key=node.id, length=length, breadth=breadth, room=room, groups=group_titles(node), ports=offsets)


def _insets(nodes: Sequence[NodePlan], direction: Direction) -> Insets:
    titles = {title for node in nodes for title in group_titles(node)}
    widths = {title: min(pixels(title, TITLE_SIZE), WIDEST_TITLE) + 32 for title in titles}
    if direction == "LR":
        least = {title: (width, 0.0) for title, width in widths.items()}
        return Insets(before=18, behind=18, above=34, below=18, least=least)
    least = {title: (0.0, width) for title, width in widths.items()}
    return Insets(before=34, behind=18, above=18, below=18, least=least)


def _title(node: NodePlan) -> str:
    return one_line(node.title) or node.id


def _caption(node: NodePlan) -> str:
    given = one_line(node.types.get(f"out:{MAIN}", ""))
    said = f"{node.label} · {given}" if given else node.label
    return f"{said} · {one_line(node.summary)}" if node.kind == NodeKind.START and node.summary else said


def _node_view(node: NodePlan, shape: Shape, wires: Mapping[tuple[str, str], Wire], canvas: _Canvas) -> NodeView:
    corner = canvas.drawing.corners[node.id]
    x, y = canvas.point(corner)
    lying = canvas.direction == "LR"
    width, height = (shape.length, shape.breadth) if lying else (shape.breadth, shape.length)
    ports = []
    for port, offset in shape.ports.items():
        at = canvas.point((corner[0] + shape.length, corner[1] + shape.breadth / 2 + offset))
        followed = (node.id, port) in wires
        ports.append(PortView(name=port, x=at[0], y=at[1], label=_port_label(port), followed=followed))
    return NodeView(
        id=node.id,
        title=_title(node),
        kind=node.kind,
        caption=_caption(node),
        x=x,
        y=y,
        width=round(width, 1),
        height=round(height, 1),
        ports=tuple(ports),
        summary=node.summary,
        types=dict(node.types),
        groups=node.groups,
        icon=node.icon,
        place=node.place,
    )


def _edge_views(node: NodePlan, wires: Mapping[tuple[str, str], Wire], canvas: _Canvas) -> list[EdgeView]:
    """The edges that lead to a node, one for each port that it follows."""
    inputs: dict[tuple[NodeId, str], dict[str, bool]] = {}
    for given in node.inputs:
        for source in () if given.back else given.sources:
            inputs.setdefault((source.node, source.port), {})[given.name] = given.ordering
    return [
        EdgeView(
            source=source,
            port=port,
            target=node.id,
            inputs=tuple(name for name in names if name),
            ordering=all(names.values()),
            label=_port_label(port),
            points=tuple(canvas.point(at) for at in canvas.drawing.paths[wires[source, port], node.id]),
        )
        for (source, port), names in inputs.items()
    ]


def _back_view(way: WayBack, canvas: _Canvas) -> EdgeView:
    return EdgeView(
        source=way.source.node,
        port=way.source.port,
        target=way.gate.id,
        inputs=(),
        ordering=False,
        back=True,
        label=_port_label(way.source.port),
        points=tuple(canvas.point(at) for at in way.path),
    )
