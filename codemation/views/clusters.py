"""Which nodes stand together: the tree of groups, each of which can be drawn as one box.

What has one title but no connection becomes several groups. A group that could not be one box, because a way leads out
of it and back in, is taken apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from codemation.core.definition import Definition, NodePlan
from codemation.core.ids import MAIN
from codemation.views.lettering import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A node as the layout sees it; offsets of its ports are across, from its centre."""

    key: str
    length: float
    breadth: float
    room: float = 0.0
    groups: tuple[str, ...] = ()
    ports: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What one port of a node leads to."""

    source: str
    port: str
    targets: tuple[str, ...]


@dataclass(slots=True)
class Cluster:
    """A group and what stands directly in it; the whole drawing is a cluster without a title."""

    title: str
    depth: int
    nodes: list[str]
    children: list[Cluster] = field(default_factory=list)

    @property
    def members(self) -> set[str]:
        """Every node in it, at any depth."""
        return {*self.nodes, *(node for child in self.children for node in child.members)}


def clustered(shapes: Sequence[Shape], wires: Sequence[Wire]) -> Cluster:
    """The tree of groups; the wires must not lead in a circle."""
    sources: dict[str, list[str]] = defaultdict(list)
    for wire in wires:
        for target in wire.targets:
            sources[target].append(wire.source)
    groups = {shape.key: shape.groups for shape in shapes}
    return _cluster("", -1, [shape.key for shape in shapes], groups, sources)


def grouped(definition: Definition) -> Cluster:
    """The tree of a definition's groups."""
    shapes = [Shape(key=node.id, length=0, breadth=0, groups=group_titles(node)) for node in definition.nodes]
    awaits = definition.plan.awaits.items()
    return clustered(
        shapes, [Wire(source=one, port=MAIN, targets=(node,)) for node, before in awaits for one in before]
    )


def group_titles(node: NodePlan) -> tuple[str, ...]:
    """The titles of the groups that a node stands in, each fit to be drawn."""
    return tuple(one_line(title) or "group" for title in node.groups)


def _cluster(
    title: str,
    depth: int,
    nodes: list[str],
    groups: Mapping[str, tuple[str, ...]],
    sources: Mapping[str, Sequence[str]],
) -> Cluster:
    named: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if len(groups[node]) > depth + 1:
            named[groups[node][depth + 1]].append(node)
    cluster = Cluster(title, depth, [node for node in nodes if len(groups[node]) == depth + 1])
    for name, inside in named.items():
        for piece in _connected(inside, sources):
            cluster.children.append(_cluster(name, depth + 1, piece, groups, sources))
    while circular := _circular(cluster, sources):
        for child in circular:
            cluster.children.remove(child)
            cluster.nodes += child.nodes
            cluster.children += child.children
    return cluster


def _connected(nodes: Sequence[str], sources: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The nodes in pieces: two belong together when one follows the other or when both follow the same."""
    leader = {node: node for node in nodes}

    def find(node: str) -> str:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    first_after: dict[str, str] = {}
    for node in nodes:
        for source in sources.get(node, ()):
            other = source if source in leader else first_after.setdefault(source, node)
            leader[find(node)] = find(other)
    pieces: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        pieces[find(node)].append(node)
    return list(pieces.values())


def _circular(cluster: Cluster, sources: Mapping[str, Sequence[str]]) -> list[Cluster]:
    """The children that cannot each be one box, because they stand in a circle then."""
    if not cluster.children:
        return []
    owner: dict[str, int] = {}
    for index, child in enumerate(cluster.children):
        owner.update(dict.fromkeys(child.members, index))
    owner.update({node: index for index, node in enumerate(cluster.nodes, start=len(cluster.children))})
    arrows: set[tuple[int, int]] = {
        (owner[source], owner[node])
        for node in owner
        for source in sources.get(node, ())
        if source in owner and owner[source] != owner[node]
    }
    left = set(owner.values())
    while free := left - {target for _, target in arrows} or left - {source for source, _ in arrows}:
        left -= free
        arrows = {(one, other) for one, other in arrows if one in left and other in left}
    return [child for index, child in enumerate(cluster.children) if index in left]
