"""A graph as one self-contained SVG: no script, no request to anywhere, tooltips, light and dark.

It carries no ids, so that any number of graphs can stand in one page, and every rule is bound to its own class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from codemation.core.durations import readable
from codemation.core.ids import NodeId
from codemation.views.graph import Direction, EdgeView, GraphView, GroupView, NodeView, PortView
from codemation.views.lettering import cells, compact, fitted, one_line, pixels
from codemation.views.marks import NodeStatus
from codemation.views.palette import FAMILY, GLYPHS, ICONS, stylesheet
from codemation.views.placement import Point

TIP = 7.0
"""How long the head of an arrow is."""
_TEXT_AT = 48.0
_BADGE_ROOM = 40.0


def svg(view: GraphView) -> str:
    """The graph as SVG text."""
    states = {node.id: node.status for node in view.nodes}
    width, height = _number(view.width), _number(view.height)
    label = f"{one_line(view.title)}: {len(view.nodes)} nodes"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cm-graph" {size} role="img" aria-label="{_safe(label)}">',
        f"<style>\n{stylesheet()}\n</style>",
        *(_frame(group) for group in view.groups),
        *(_edge(edge, view.direction, states) for edge in _later_on_top(view.edges)),
        *(_node(node) for node in view.nodes),
        *(_port(node, port, view.direction) for node in view.nodes for port in node.ports),
        "</svg>\n",
    ]
    return "\n".join(lines)


def tooltip(node: NodeView) -> str:
    """All that is known of a node, in lines."""
    types = [f"{name.replace(':', ' ')}: {kind}" for name, kind in node.types.items()]
    counts = [f"{port}: {count:,} items" for port, count in node.counts.items()]
    state = node.status.value if node.status else ""
    if state and node.seconds is not None:
        state += f" · {readable(node.seconds)}"
    lines = [
        node.title,
        f"{node.id} · {node.kind.value}" if node.title != node.id else node.kind.value,
        node.summary,
        *types,
        state,
        *counts,
        node.error,
        node.place,
    ]
    return "\n".join(one_line(line) for line in lines if line)


def _later_on_top(edges: Sequence[EdgeView]) -> list[EdgeView]:
    """Edges that carried items lie above those that did not."""
    return sorted(edges, key=lambda edge: edge.flow == "given")


def _node(node: NodeView) -> str:
    middle = node.y + node.height / 2
    state = f" cm-{node.status}" if node.status else ""
    lettering = node.width - _TEXT_AT - (_BADGE_ROOM if node.status else 10)
    size = f'width="{_number(node.width)}" height="{_number(node.height)}" rx="10"'
    parts = [
        f'<g class="cm-node cm-{FAMILY[node.kind]}{state}" data-node="{_safe(node.id)}">',
        f"<title>{_safe(tooltip(node))}</title>",
        f'<rect class="cm-shade" x="{_number(node.x)}" y="{_number(node.y + 2)}" {size}/>',
        f'<rect class="cm-card" x="{_number(node.x)}" y="{_number(node.y)}" {size}/>',
        f'<rect class="cm-mark" x="{_number(node.x + 10)}" y="{_number(middle - 14)}" width="28" height="28" rx="7"/>',
        _mark(node, middle),
        _text("cm-name", node.x + _TEXT_AT, middle - 8, fitted(node.title, lettering, 14)),
        _text("cm-note", node.x + _TEXT_AT, middle + 10, fitted(node.note or node.caption, lettering, 11)),
        _badge(node, middle),
        "</g>",
    ]
    return "".join(parts)


def _mark(node: NodeView, middle: float) -> str:
    """The author's own sign, if it is one character, or the sign of the kind."""
    sign = one_line(node.icon)
    if sign and not sign.isascii() and cells(sign) <= 2:
        return _text("cm-emoji", node.x + 24, middle, sign)
    place = f'transform="translate({_number(node.x + 16)} {_number(middle - 8)})"'
    return f'<path class="cm-icon" {place} d="{ICONS[node.kind]}"/>'


def _badge(node: NodeView, middle: float) -> str:
    if node.status is None:
        return ""
    place = f'transform="translate({_number(node.x + node.width - 26)} {_number(middle - 8)})"'
    disc = '<circle class="cm-badge" cx="8" cy="8" r="8"/>'
    return f'<g {place}>{disc}<path class="cm-glyph" d="{GLYPHS[node.status]}"/></g>'


def _port(node: NodeView, port: PortView, direction: Direction) -> str:
    said = " ".join(part for part in (port.label, "" if port.count is None else compact(port.count)) if part)
    state = " cm-skipped" if node.status == NodeStatus.SKIPPED or port.count == 0 else ""
    dot = f'<circle class="cm-port" cx="{_number(port.x)}" cy="{_number(port.y)}" r="3.5"/>'
    if not said:
        return f'<g class="cm-out{state}">{dot}</g>'
    width = pixels(said, 11) + 14
    centre = (port.x + 8 + width / 2, port.y) if direction == "LR" else (port.x, port.y + 15)
    corner = f'x="{_number(centre[0] - width / 2)}" y="{_number(centre[1] - 9)}"'
    pill = f'<rect class="cm-pill" {corner} width="{_number(width)}" height="18" rx="9"/>'
    count = "" if port.count is None else f" · {port.count:,} items"
    title = f"<title>{_safe(f'{node.title} · {port.name}{count}')}</title>"
    return f'<g class="cm-out{state}">{title}{dot}{pill}{_text("cm-label", *centre, said, middle=True)}</g>'


def _frame(group: GroupView) -> str:
    corner = f'x="{_number(group.x)}" y="{_number(group.y)}"'
    size = f'width="{_number(group.width)}" height="{_number(group.height)}"'
    heading = _text("cm-heading", group.x + 16, group.y + 18, fitted(group.title, group.width - 24, 12))
    title = f"<title>{_safe(group.title)}</title>"
    return f'<g class="cm-group">{title}<rect class="cm-frame" {corner} {size} rx="14"/>{heading}</g>'


def _edge(edge: EdgeView, direction: Direction, states: Mapping[NodeId, NodeStatus | None]) -> str:
    live = edge.flow != "empty" and states.get(edge.target) == NodeStatus.RUNNING
    classes = ["cm-edge", f"cm-{edge.flow}", *(["cm-live"] if live else []), *(["cm-order"] if edge.ordering else [])]
    classes += ["cm-back"] if edge.back else []
    ways = f"{edge.source} → {edge.target}" + (f" ({', '.join(edge.inputs)})" if edge.inputs else "")
    said = [ways, edge.label, "" if edge.count is None else f"{edge.count:,} items"]
    if edge.ordering:
        said.append("waits only")
    if edge.back:
        said.append("goes round again")
    title = f"<title>{_safe(' · '.join(one_line(part) for part in said if part))}</title>"
    line = f'<path class="cm-line" d="{_way(edge.points, direction)}"/>'
    return (
        f'<g class="{" ".join(classes)}">{title}{line}<path class="cm-tip" d="{_tip(edge.points[-1], direction)}"/></g>'
    )


def _way(points: Sequence[Point], direction: Direction) -> str:
    """A line through the points that leaves and reaches each of them along the direction of the layers."""
    end = points[-1]
    lying = direction == "LR"
    shortened = (end[0] - TIP, end[1]) if lying else (end[0], end[1] - TIP)
    way = [f"M{_pair(points[0])}"]
    last = points[0]
    for point in (*points[1:-1], shortened):
        if abs(point[1] - last[1] if lying else point[0] - last[0]) < 0.5:
            way.append(f"L{_pair(point)}")
        else:
            halves = (last[0] + point[0]) / 2, (last[1] + point[1]) / 2
            one = (halves[0], last[1]) if lying else (last[0], halves[1])
            other = (halves[0], point[1]) if lying else (point[0], halves[1])
            way.append(f"C{_pair(one)} {_pair(other)} {_pair(point)}")
        last = point
    return "".join(way)


def _tip(end: Point, direction: Direction) -> str:
    if direction == "LR":
        corners = [end, (end[0] - TIP - 1, end[1] - 4), (end[0] - TIP - 1, end[1] + 4)]
    else:
        corners = [end, (end[0] - 4, end[1] - TIP - 1), (end[0] + 4, end[1] - TIP - 1)]
    return "M" + "L".join(_pair(corner) for corner in corners) + "z"


def _text(style: str, x: float, y: float, text: str, *, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{style}" x="{_number(x)}" y="{_number(y)}"{anchor}>{_safe(text)}</text>'


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{round(value, 1):g}" if abs(value) < 100_000 else f"{value:.0f}"


def _safe(text: str) -> str:
    """The text as XML holds it; line by line, since XML has no place for control characters."""
    return escape("\n".join(one_line(line) for line in text.splitlines()), quote=True)
