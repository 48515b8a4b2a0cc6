"""A drawing with groups: each group is drawn by itself first, and stands in the drawing around it as one box.

A wire that enters or leaves a group passes a slot at the side of the group's own drawing, and the group's box has a
port where that slot is; so the pieces of the wire meet.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from codemation.views.clusters import Cluster, Shape, Wire, clustered
from codemation.views.layers import Box, Link
from codemation.views.placement import Path, Point, placed, shifted, straightened


@dataclass(frozen=True, slots=True, kw_only=True)
class Insets:
    """The room between a group's frame and what stands in it, along and across."""

    before: float
    behind: float
    above: float
    below: float
    least: Mapping[str, Point] = field(default_factory=dict)
    """The least length and breadth of a frame, by its title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A group's box."""

    title: str
    depth: int
    corner: Point
    length: float
    breadth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Where everything stands: nodes and frames by their nearest corner, one path for each end of a wire."""

    corners: Mapping[str, Point]
    frames: Sequence[Frame]
    """Outer ones first."""
    paths: Mapping[tuple[Wire, str], Path]
    length: float
    breadth: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """The slot where a wire comes into a group."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class _Exit:
    """The slot where a wire leaves a group."""

    wire: Wire


_Goal = str | _Exit


@dataclass(slots=True)
class _Sketch:
    """A cluster drawn by itself; its wires begin at their source or their entry and end at a target or an exit."""

    length: float = 0.0
    breadth: float = 0.0
    corners: dict[str, Point] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    paths: dict[tuple[Wire, _Goal], Path] = field(default_factory=dict)
    ports: dict[_Entry | _Exit, float] = field(default_factory=dict)
    """Where the slots at its sides are, across, from its centre."""


def drawn(shapes: Sequence[Shape], wires: Sequence[Wire], insets: Insets) -> Drawing:
    """Draw nodes in layers and groups in frames; the wires must not lead in a circle."""
    sketch = _sketched(clustered(shapes, wires), {shape.key: shape for shape in shapes}, wires, insets)
    return Drawing(
        corners=sketch.corners,
        frames=sketch.frames,
        paths={(wire, goal): path for (wire, goal), path in sketch.paths.items() if isinstance(goal, str)},
        length=sketch.length,
        breadth=sketch.breadth,
    )


def _sketched(cluster: Cluster, shapes: Mapping[str, Shape], wires: Sequence[Wire], insets: Insets) -> _Sketch:
    members = cluster.members
    passing = [wire for wire in wires if wire.source in members or not members.isdisjoint(wire.targets)]
    children = [_sketched(child, shapes, passing, insets) for child in cluster.children]
    owner = {node: index for index, child in enumerate(cluster.children) for node in child.members}
    circuit = _Circuit(shapes=shapes, members=members, owner=owner, children=children)
    nodes = [(key, one) for key, one in shapes.items() if key in members and key not in owner]
    entries = [_Entry(wire) for wire in passing if wire.source not in members]
    exits = [_Exit(wire) for wire in passing if circuit.leaves(wire)]
    boxes = [
        *(Box(key=node, length=one.length, breadth=one.breadth, room=one.room) for node, one in nodes),
        *(Box(key=index, length=child.length, breadth=child.breadth) for index, child in enumerate(children)),
        *(Box(key=slot, length=0, breadth=0, edge=-1) for slot in entries),
        *(Box(key=slot, length=0, breadth=0, edge=1) for slot in exits),
    ]
    links = [(wire, link, goals) for wire in passing for link, goals in circuit.links(wire).items()]
    placement = placed(boxes, [link for _, link, _ in links])
    corners = placement.corners
    sketch = _Sketch(length=placement.length, breadth=placement.breadth)
    sketch.corners = {node: corners[node] for node, _ in nodes}
    slots: list[_Entry | _Exit] = [*entries, *exits]
    sketch.ports = {slot: corners[slot][1] for slot in slots}
    for index, child in enumerate(children):
        _take_over(sketch, child, corners[index])
    for wire, link, goals in links:
        way_out = circuit.inside(link.source, wire, _Exit(wire), corners)
        for goal in goals:
            way_in = circuit.inside(link.target, wire, goal, corners)
            sketch.paths[wire, goal] = straightened((*way_out, *placement.paths[link], *way_in))
    return _framed(sketch, cluster, insets) if cluster.title else sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Circuit:
    """What the wires connect within one cluster: its own nodes, the boxes of its groups, the slots at its sides."""

    shapes: Mapping[str, Shape]
    members: set[str]
    owner: Mapping[str, int]
    children: Sequence[_Sketch]

    def leaves(self, wire: Wire) -> bool:
        """Whether the wire begins in the cluster and leads out of it."""
        return wire.source in self.members and not self.members.issuperset(wire.targets)

    def links(self, wire: Wire) -> dict[Link, list[_Goal]]:
        """The wire's links between the boxes of this cluster, and what each of them leads to in the end."""
        source, leaves = self._source(wire)
        links: dict[Link, list[_Goal]] = {}
        goals: list[_Goal] = [target for target in wire.targets if target in self.members]
        for goal in (*goals, *([_Exit(wire)] if self.leaves(wire) else ())):
            target: Hashable = self.owner.get(goal, goal) if isinstance(goal, str) else goal
            if target == source:
                continue
            enters = self.children[target].ports[_Entry(wire)] if isinstance(target, int) else 0.0
            link = Link(wire=wire, source=source, target=target, leaves=leaves, enters=enters)
            links.setdefault(link, []).append(goal)
        return links

    def _source(self, wire: Wire) -> tuple[Hashable, float]:
        if wire.source not in self.members:
            return _Entry(wire), 0.0
        if wire.source not in self.owner:
            return wire.source, self.shapes[wire.source].ports.get(wire.port, 0.0)
        inside = self.owner[wire.source]
        return inside, self.children[inside].ports.get(_Exit(wire), 0.0)

    def inside(self, box: Hashable, wire: Wire, goal: _Goal, corners: Mapping[Hashable, Point]) -> Path:
        """The piece of a wire inside the box of a group; nothing inside any other box."""
        return shifted(self.children[box].paths[wire, goal], corners[box]) if isinstance(box, int) else ()


def _take_over(sketch: _Sketch, child: _Sketch, corner: Point) -> None:
    """Put a group's sketch into the one around it, with the wires that run inside alone."""
    sketch.corners.update({key: (along + corner[0], over + corner[1]) for key, (along, over) in child.corners.items()})
    for (wire, goal), path in child.paths.items():
        if isinstance(goal, str) and wire.source in child.corners:
            sketch.paths[wire, goal] = shifted(path, corner)
    for frame in child.frames:
        at = (frame.corner[0] + corner[0], frame.corner[1] + corner[1])
        sketch.frames.append(
            Frame(title=frame.title, depth=frame.depth, corner=at, length=frame.length, breadth=frame.breadth)
        )


def _framed(sketch: _Sketch, cluster: Cluster, insets: Insets) -> _Sketch:
    """The sketch with room and a frame around it."""
    least = insets.least.get(cluster.title, (0.0, 0.0))
    framed = _Sketch(
        length=max(sketch.length + insets.before + insets.behind, least[0]),
        breadth=max(sketch.breadth + insets.above + insets.below, least[1]),
    )
    corner = (insets.before, insets.above)
    framed.frames.append(
        Frame(title=cluster.title, depth=cluster.depth, corner=(0.0, 0.0), length=framed.length, breadth=framed.breadth)
    )
    _take_over(framed, sketch, corner)
    for (wire, goal), path in sketch.paths.items():
        outer = shifted(path, corner)
        if wire.source not in sketch.corners:
            outer = ((0.0, outer[0][1]), *outer)
        if isinstance(goal, _Exit):
            outer = (*outer, (framed.length, outer[-1][1]))
        framed.paths[wire, goal] = outer
    framed.ports = {key: at + insets.above - framed.breadth / 2 for key, at in sketch.ports.items()}
    return framed
