"""What follows from a definition and is never stored: who waits for whom, and in which order nodes can work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from codemation.core.ids import AGAIN, NodeId
from codemation.core.nodeplan import NodeKind, NodePlan, Source
from codemation.core.ordering import BrokenDefinition, ordered, reached

_Followers = Mapping[NodeId, Mapping[NodeId, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What goes round with a gate node."""

    body: Mapping[NodeId, None]
    """The nodes that work anew in each turn, by rank."""
    returns: tuple[NodeId, ...]
    """Those that a turn ends with: when all of them have reported, the gate is due again."""
    within: Container[NodeId] = frozenset()
    """The nodes of the body that go round with a gate of their own inside of it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Adjacency and order of a definition; everything here is looked up, never searched."""

    nodes: Mapping[NodeId, NodePlan]
    rank: Mapping[NodeId, int]
    """Position in an order in which sources come first."""
    followers: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that wait for a node, each once, by rank; a gate among those of the nodes that its turns end with."""
    entering: Mapping[NodeId, tuple[Source, ...]]
    """All that leads to a node; to a gate, before its first turn."""
    awaits: Mapping[NodeId, tuple[NodeId, ...]]
    """The nodes that a node waits for, each once; of a gate those before its first turn."""
    loops: Mapping[NodeId, Loop]
    """By gate."""
    owing: Mapping[NodeId, int]
    """For how many reports a node waits at first; inside of a loop it waits for this to begin as well."""
    ends: frozenset[NodeId] = frozenset()
    """The nodes from which the outputs of the workflow come; others may stand on them as well."""

    @classmethod
    def of(cls, given: Sequence[NodePlan], workflow: str, ends: Iterable[NodeId] = ()) -> Plan:
        """Derive the plan of these nodes, from which the outputs of the workflow come.

        Raises:
            BrokenDefinition: the nodes wait for one another other than by a gate, or for what is not there.
        """
        nodes = {node.id: node for node in given}
        entering = {node.id: tuple(node.sources(back=False)) for node in given}
        awaits: dict[NodeId, tuple[NodeId, ...]] = {}
        followers: dict[NodeId, dict[NodeId, None]] = defaultdict(dict)
        for node in given:
            for source in node.sources():
                _known(nodes, node, source)
            awaits[node.id] = tuple(dict.fromkeys(source.node for source in entering[node.id]))
            for before in awaits[node.id]:
                followers[before][node.id] = None
        rank = {node: at for at, node in enumerate(ordered(awaits, followers, workflow))}
        loops = _loops(nodes, followers, rank)
        for gate, loop in loops.items():
            for last in loop.returns:
                followers[last][gate] = None
        by_rank = {node: tuple(sorted(after, key=rank.__getitem__)) for node, after in followers.items()}
        inside = {node for loop in loops.values() for node in loop.body}
        owing = {node: len(before) + (node in inside) for node, before in awaits.items()}
        return cls(
            nodes=nodes,
            rank=rank,
            followers=by_rank,
            entering=entering,
            awaits=awaits,
            loops=loops,
            owing=owing,
            ends=frozenset(ends),
        )

    def heard_by(self, node: NodeId, under_way: Container[NodeId]) -> Iterable[NodeId]:
        """The nodes that wait for what `node` reports; `under_way` are the gates of the loops that go round now."""
        followers, own = self.followers.get(node, ()), self.loops.get(node)
        if not self.loops:
            return followers
        return [
            after
            for after in followers
            if not (own and after in own.body)  # a gate that reports has nothing for its body any more
            and (after in under_way or after not in self.loops or node not in self.loops[after].body)
        ]

    def is_last(self, node: NodeId) -> bool:
        """Whether the workflow gives what the node does, or nothing stands on it but what goes round with it."""
        if node in self.ends:
            return True
        own = self.loops[node].body if node in self.loops else ()
        return all(
            after in own or (after in self.loops and node in self.loops[after].body)
            for after in self.followers.get(node, ())
        )

    def downstream(self, node: NodeId) -> set[NodeId]:
        """Every node that stands on `node`, itself included."""
        return reached([node], self.followers)


def _loops(nodes: Mapping[NodeId, NodePlan], followers: _Followers, rank: Mapping[NodeId, int]) -> dict[NodeId, Loop]:
    bodies: dict[NodeId, set[NodeId]] = {}
    for gate in nodes.values():
        if gate.kind is NodeKind.LOOP:
            again = Source(node=gate.id, port=AGAIN)
            bodies[gate.id] = reached(
                [after for after in followers.get(gate.id, ()) if again in nodes[after].sources()], followers
            )
    loops = {}
    for gate_id, body in bodies.items():
        inner = {node for within in bodies.keys() & body for node in bodies[within]}
        back = {source.node for given in nodes[gate_id].inputs if given.back for source in given.sources}
        done = Source(node=gate_id)
        if not body or not back <= {gate_id, *body} - inner or any(done in nodes[node].sources() for node in body):
            raise BrokenDefinition(
                f'the loop of "{gate_id}" is not closed: what goes round must come from it and return to it alone',
                way_out="write it with .loop(body, …), whose body takes a flow and returns where that flow ends",
            )
        by_rank = sorted(body, key=rank.__getitem__)
        ends = [
            node
            for node in by_rank
            if node in back or (node not in inner and bodies.get(node, set()).issuperset(followers.get(node, ())))
        ]
        loops[gate_id] = Loop(body=dict.fromkeys(by_rank), returns=tuple(ends), within=frozenset(inner))
    return loops


def _known(nodes: Mapping[NodeId, NodePlan], node: NodePlan, source: Source) -> None:
    if source.node not in nodes:
        raise BrokenDefinition(f'"{node.id}" waits for "{source.node}", which the definition does not have')
    if source.port not in nodes[source.node].ports:
        ports = ", ".join(nodes[source.node].ports)
        raise BrokenDefinition(f'"{node.id}" waits for port "{source.port}" of "{source.node}", which has {ports}')
