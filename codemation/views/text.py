"""The plan as text, for terminals and reprs: one row for each node, groups indented."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from textwrap import wrap

from codemation.core.definition import Definition, NodePlan, Source
from codemation.core.durations import readable
from codemation.core.ids import MAIN, START, NodeId
from codemation.views.clusters import Cluster, grouped
from codemation.views.lettering import ELLIPSIS, cells, clipped, one_line, padded
from codemation.views.marks import NodeMark, NodeStatus

WIDTH = 80
_GAP = "  "
_ASCII = str.maketrans({"←": "<-", "→": "->", "·": "-", ELLIPSIS: "..."})


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    sources: str
    says: str
    status: NodeStatus | None = None


def plan_text(
    definition: Definition,
    marks: Mapping[NodeId, NodeMark] | None = None,
    *,
    width: int = WIDTH,
    ascii_only: bool = False,
) -> str:
    """The plan as lines of at most `width` columns; `marks` writes a run's state in front of the nodes and behind them.

    Raises:
        BrokenDefinition: the nodes wait for one another, or for what is not there.
    """
    rows = [
        _group_row(place, depth) if isinstance(place, str) else _node_row(place, depth, (marks or {}).get(place.id))
        for place, depth in _outline(definition)
    ]
    title = definition.workflow + (f" · {one_line(definition.title)}" if definition.title else "")
    page = _Page(width=width, ascii_only=ascii_only)
    lines = [
        title,
        *page.paragraph("starts", [one_line(trigger.said) for trigger in definition.triggers]),
        *page.paragraph("params", _params(definition)),
        "",
        *page.table(rows, marked=bool(marks)),
        "",
        *page.paragraph("outputs", _outputs(definition)),
    ]
    return "\n".join(page.clipped(line) for line in lines).rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What the text is written on."""

    width: int
    ascii_only: bool

    def clipped(self, text: str, room: int | None = None) -> str:
        """The text as the page can show it, cut to `room` columns or to its width."""
        mark = "..." if self.ascii_only else ELLIPSIS
        return clipped(self.spelled(text), self.width if room is None else room, mark)

    def spelled(self, text: str) -> str:
        """The text in the page's characters."""
        return text.translate(_ASCII).encode("ascii", "backslashreplace").decode() if self.ascii_only else text

    def paragraph(self, name: str, parts: Sequence[str]) -> list[str]:
        """A list under its name, in as many lines as it takes."""
        if not parts:
            return []
        lead, text = padded(f"  {name}", 11), self.spelled(", ".join(parts))
        return wrap(text, max(self.width, 24), initial_indent=lead, subsequent_indent=" " * 11, break_on_hyphens=False)

    def table(self, rows: Sequence[_Row], *, marked: bool) -> list[str]:
        """The rows in columns; the widest columns give way when the rows are too wide."""
        lead = 4 if marked else 2
        texts = [tuple(map(self.spelled, (row.name, row.sources, row.says))) for row in rows]
        rooms = [max(map(cells, column), default=0) for column in zip(*texts, strict=True)]
        while sum(rooms) > max(self.width - lead - 2 * len(_GAP), 3):
            rooms[rooms.index(max(rooms))] -= 1
        lines = []
        for row, columns in zip(rows, texts, strict=True):
            glyph = row.status.ascii_glyph if row.status and self.ascii_only else row.status.glyph if row.status else ""
            fitting = [padded(self.clipped(text, room), room) for text, room in zip(columns, rooms, strict=True)]
            lines.append((padded(f"  {glyph}", lead) + _GAP.join(fitting)).rstrip())
        return lines


def _outline(definition: Definition) -> Iterator[tuple[NodePlan | str, int]]:
    """Nodes and the titles of groups with their depths, sources first, what stands in one group together."""
    nodes = {node.id: node for node in definition.nodes}
    index = {node.id: at for at, node in enumerate(definition.nodes)}
    awaits = definition.plan.awaits

    def walk(cluster: Cluster, depth: int) -> Iterator[tuple[NodePlan | str, int]]:
        for member in _ordered(cluster, index, awaits):
            if isinstance(member, Cluster):
                yield member.title, depth
                yield from walk(member, depth + 1)
            else:
                yield nodes[NodeId(member)], depth

    return walk(grouped(definition), 0)


def _ordered(
    cluster: Cluster, index: Mapping[NodeId, int], awaits: Mapping[NodeId, tuple[NodeId, ...]]
) -> list[str | Cluster]:
    """What stands directly in a cluster, sources first, else in the order of writing."""
    members: list[str | Cluster] = [*cluster.nodes, *cluster.children]
    inside = [{member} if isinstance(member, str) else member.members for member in members]
    owner = {node: at for at, nodes in enumerate(inside) for node in nodes}
    before = [
        {owner[source] for node in nodes for source in awaits[NodeId(node)] if owner.get(source, at) != at}
        for at, nodes in enumerate(inside)
    ]
    after: list[list[int]] = [[] for _ in members]
    for at, sources in enumerate(before):
        for source in sources:
            after[source].append(at)
    written = [min(index[NodeId(node)] for node in nodes) for nodes in inside]
    missing = [len(sources) for sources in before]
    ready = [(written[at], at) for at, count in enumerate(missing) if not count]
    heapify(ready)
    order: list[str | Cluster] = []
    while ready:
        _, at = heappop(ready)
        order.append(members[at])
        for follower in after[at]:
            missing[follower] -= 1
            if not missing[follower]:
                heappush(ready, (written[follower], follower))
    return order


def _group_row(title: str, depth: int) -> _Row:
    return _Row(f"{'  ' * depth}[{one_line(title)}]", "", "")


def _node_row(node: NodePlan, depth: int, mark: NodeMark | None) -> _Row:
    said = " · ".join(part for part in (f"{node.label} {_given(node)}".strip(), shards_of(node)) if part)
    if mark and mark.status != NodeStatus.PENDING:
        said = _state(mark)
    return _Row("  " * depth + one_line(node.id), _sources(node), said, mark.status if mark else None)


def _state(mark: NodeMark) -> str:
    """What came of a node: its counts and its time, or its status and why."""
    counts = ", ".join(
        f"{count:,}" if port == MAIN else f"{one_line(port)} {count:,}" for port, count in mark.counts.items()
    )
    took = mark.how if mark.seconds is None else readable(mark.seconds)
    if mark.status == NodeStatus.SUCCEEDED:
        return " · ".join(part for part in (f"→ {counts}" if counts else "", took) if part) or mark.status.value
    return " · ".join(part for part in (one_line(mark.error) or mark.status.value, took) if part)


def shards_of(node: NodePlan) -> str:
    """In how many parts a node works, or how large they are; nothing where it works on the whole."""
    if node.policy.shard_size:
        return f"shards of {node.policy.shard_size:,}"
    return f"{node.policy.shards:,} shards" if node.policy.shards else ""


def _sources(node: NodePlan) -> str:
    """Where a node's items come from, and what it only waits for; that a source waits for the start is not said."""
    data = [end for given in node.inputs if not given.ordering and not given.back for end in given.sources]
    back = [end for given in node.inputs if given.back for end in given.sources]
    waits = [end for given in node.inputs if given.ordering for end in given.sources if end.node != START]
    said = f"← {_ends(data)}" if data else ""
    said = f"{said} after {_ends(waits)}".strip() if waits else said
    return f"{said}, again ← {_ends(back)}" if back else said


def _ends(ends: Sequence[Source]) -> str:
    """`a, b (yes), c`, each once."""
    said = (end.node if end.port == MAIN else f"{end.node} ({end.port})" for end in ends)
    return ", ".join(dict.fromkeys(map(one_line, said)))


def _given(node: NodePlan) -> str:
    ports = node.ports if node.gives else [port for port in node.ports if port != MAIN]
    types = {port: one_line(node.types.get(f"out:{port}", "")) for port in ports}
    named = [types[port] or (port if len(ports) > 1 else "") if port == MAIN else one_line(port) for port in ports]
    said = ", ".join(name for name in named if name)
    return f"→ {said}" if said else ""


def _params(definition: Definition) -> list[str]:
    schema = definition.params_schema or {}
    required = schema.get("required", ())
    return [_param(name, field, name in required) for name, field in schema.get("properties", {}).items()]


def _param(name: str, field: Mapping[str, object], required: bool) -> str:
    kind = field.get("type")
    said = f"{name}: {one_line(kind)}" if isinstance(kind, str) else name
    if "default" in field:
        return f"{said} = {one_line(json.dumps(field['default'], ensure_ascii=False, default=str))}"
    return f"{said} (required)" if required else said


def _outputs(definition: Definition) -> list[str]:
    return [f"{name} ← {_ends(ends)}" for name, ends in definition.outputs.items()]
