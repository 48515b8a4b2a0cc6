"""The way back in a drawing: from the end of a loop's body under everything that stands between to its gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codemation.core.definition import NodePlan, Source
from codemation.views.clusters import Shape
from codemation.views.drawing import Drawing
from codemation.views.placement import Path

LANE = 16.0
"""Between a way back and what stands above it, and between two of them."""
TURN = 16.0
"""So far before and behind its nodes a way back goes down and up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """One port from which items return to a gate."""

    source: Source
    gate: NodePlan
    path: Path


def ways_back(nodes: Sequence[NodePlan], shapes: Mapping[str, Shape], drawing: Drawing) -> list[WayBack]:
    """All of them, those that reach least far in the inner lanes."""
    ends = [(end, gate) for gate in nodes for given in gate.inputs if given.back for end in given.sources]
    corners = drawing.corners
    taken = [
        *(
            (corners[key][0], corners[key][0] + one.length, corners[key][1] + one.breadth)
            for key, one in shapes.items()
        ),
        *((one.corner[0], one.corner[0] + one.length, one.corner[1] + one.breadth) for one in drawing.frames),
    ]
    ways = []
    for end, gate in sorted(ends, key=lambda one: corners[one[0].node][0] - corners[one[1].id][0]):
        source, target = shapes[end.node], shapes[gate.id]
        leaves = corners[end.node][0] + source.length
        out = corners[end.node][1] + source.breadth / 2 + source.ports.get(end.port, 0.0)
        enters, into = corners[gate.id][0], corners[gate.id][1] + target.breadth / 2
        begin, stop = enters - TURN, leaves + TURN
        lane = max(far for near, until, far in taken if near <= stop and begin <= until) + LANE
        taken.append((begin, stop, lane))
        path = ((leaves, out), (stop, out), (stop, lane), (begin, lane), (begin, into), (enters, into))
        ways.append(WayBack(source=end, gate=gate, path=path))
    return ways
