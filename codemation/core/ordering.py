"""The order of nodes that wait for one another, and what stands on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codemation.core.errors import CodemationError
from codemation.core.ids import NodeId


class BrokenDefinition(CodemationError):
    """The definition names what it does not have, or its nodes wait for one another in a circle."""


def ordered(
    awaits: Mapping[NodeId, tuple[NodeId, ...]], followers: Mapping[NodeId, Iterable[NodeId]], workflow: str
) -> list[NodeId]:
    """Kahn's order; ties keep the order of writing.

    Raises:
        BrokenDefinition: the nodes wait for one another in a circle.
    """
    missing = {node: len(before) for node, before in awaits.items()}
    order = [node for node, count in missing.items() if not count]
    for node in order:
        for after in followers.get(node, ()):
            missing[after] -= 1
            if not missing[after]:
                order.append(after)
    if len(order) < len(awaits):
        circle = _circle(awaits, {node for node, count in missing.items() if count})
        raise BrokenDefinition(
            f'workflow "{workflow}" waits for itself: {" → ".join(circle)}',
            way_out="remove one of these edges; a definition made with the verbs of a flow cannot have such a circle",
        )
    return order


def reached(first: Iterable[NodeId], followers: Mapping[NodeId, Iterable[NodeId]]) -> set[NodeId]:
    """Every node that stands on one of these, themselves included."""
    found = set(first)
    frontier = list(found)
    while frontier:
        for after in followers.get(frontier.pop(), ()):
            if after not in found:
                found.add(after)
                frontier.append(after)
    return found


def _circle(awaits: Mapping[NodeId, tuple[NodeId, ...]], stuck: set[NodeId]) -> list[NodeId]:
    path = [min(stuck)]
    while True:
        before = next(node for node in awaits[path[-1]] if node in stuck)
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)
