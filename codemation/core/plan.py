"""What follows from a definition and is never stored: who waits for whom, and in which order nodes can work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codemation.core.errors import CodemationError
from codemation.core.ids import NodeId
from codemation.core.nodeplan import NodePlan, Source


class BrokenDefinition(CodemationError):
    """The definition names what it does not have, or its nodes wait for one another in a circle."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Adjacency and order of a definition; everything here is looked up, never searched."""

    nodes: Mapping[NodeId, NodePlan]
    rank: Mapping[NodeId, int]
    """Position in an order in which sources come first."""
    followers: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that wait for a node, each once, by rank."""
    awaits: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that a node waits for, each once."""

    @classmethod
    def of(cls, given: Sequence[NodePlan], workflow: str) -> Plan:
        """Derive the plan of these nodes.

        Raises:
            BrokenDefinition: the nodes wait for one another, or for a node or port that is not there.
        """
        nodes = {node.id: node for node in given}
        awaits: dict[NodeId, tuple[NodeId, ...]] = {}
        followers: dict[NodeId, dict[NodeId, None]] = defaultdict(dict)
        for node in given:
            sources = [source for given in node.inputs for source in given.sources]
            for source in sources:
                _known(nodes, node, source)
                followers[source.node][node.id] = None
            awaits[node.id] = tuple(dict.fromkeys(source.node for source in sources))
        rank = {node: at for at, node in enumerate(_ordered(awaits, followers, workflow))}
        ordered = {node: tuple(sorted(after, key=rank.__getitem__)) for node, after in followers.items()}
        return cls(nodes=nodes, rank=rank, followers=ordered, awaits=awaits)

    def downstream(self, node: NodeId) -> set[NodeId]:
        """Every node that stands on `node`, itself included."""
        found, frontier = {node}, [node]
        while frontier:
            for after in self.followers.get(frontier.pop(), ()):
                if after not in found:
                    found.add(after)
                    frontier.append(after)
        return found


def _known(nodes: Mapping[NodeId, NodePlan], node: NodePlan, source: Source) -> None:
    if source.node not in nodes:
        raise BrokenDefinition(f'"{node.id}" waits for "{source.node}", which the definition does not have')
    if source.port not in nodes[source.node].ports:
        ports = ", ".join(nodes[source.node].ports)
        raise BrokenDefinition(f'"{node.id}" waits for port "{source.port}" of "{source.node}", which has {ports}')


def _ordered(
    awaits: Mapping[NodeId, tuple[NodeId, ...]], followers: Mapping[NodeId, Mapping[NodeId, None]], workflow: str
) -> list[NodeId]:
    """Kahn's order; ties keep the order of writing."""
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


def _circle(awaits: Mapping[NodeId, tuple[NodeId, ...]], stuck: set[NodeId]) -> list[NodeId]:
    path = [min(stuck)]
    while True:
        before = next(node for node in awaits[path[-1]] if node in stuck)
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)
