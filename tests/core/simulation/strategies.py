"""Random workflows, and what their nodes do when they are asked to work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Policy, RetryPlan, Source
from codemation.core.ids import AGAIN, MAIN, START, NodeId, WorkflowId

FOR_EVER = 1_000
"""Breaks of a node that no resume heals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a node does whenever it works; the same in every interleaving."""

    counts: Mapping[str, int]
    """Items that it gives, by port."""
    retries: int = 0
    """How often it fails and asks to be tried again, in each life of the run."""
    breaks: int = 0
    """How often it fails for good before a resume heals it."""
    items: int = 0
    """Items that it finishes one by one, recording each; none for a node that works on its batch as a whole."""
    rounds: int = 1
    """How often a gate lets items round."""
    large: bool = False
    """Whether what it gives is too large for the journal."""


class Story:
    """A workflow and the behaviour of its nodes; no dataclass, so that a failing example prints as its few lines."""

    def __init__(self, definition: Definition, behaviours: Mapping[NodeId, Behaviour]) -> None:
        self.definition = definition
        self.behaviours = behaviours

    def __repr__(self) -> str:
        """A line for each node."""
        return "\n".join(map(self._line, self.definition.nodes[1:]))

    def _line(self, node: NodePlan) -> str:
        ends = " & ".join(",".join(f"{end.node}.{end.port}" for end in given.sources) for given in node.inputs)
        policy = node.policy
        flags = [name for name in ("run_on_empty", "continue_when_empty") if getattr(policy, name)]
        return f"{node.id} <- {ends}; {policy.queue} {flags}; {self.behaviours[node.id]}"


@st.composite
def stories(draw: st.DrawFn, most: int = 12, *, loops: bool = True) -> Story:
    """Workflows of up to `most` nodes beside the start, sources first; some of them stand in loops, if there may be."""
    garden = _Garden(draw, most, loops=loops)
    garden.grow([Source(node=START)], [], draw(st.integers(1, most)), depth=0)
    return Story(_defined(garden.nodes), garden.behaviours)


class _Garden:
    """A workflow that grows node by node."""

    def __init__(self, draw: st.DrawFn, most: int, *, loops: bool) -> None:
        self.draw = draw
        self.deepest = 2 if loops else 0
        self.left = most
        self.nodes = [NodePlan(id=START, kind=NodeKind.START, inputs=())]
        self.behaviours: dict[NodeId, Behaviour] = {}

    def grow(self, inside: list[Source], outside: list[Source], most: int, depth: int) -> list[Source]:
        """Up to so many nodes, each of which stands on something inside; all ends that there are then."""
        for _ in range(most):
            if self.left <= 0:
                break
            name = NodeId(f"n{len(self.nodes)}")
            gated = depth < self.deepest and self.left > 1 and self.draw(st.integers(0, 5)) == 0
            node = self.draw(_nodes(name, inside, outside))
            self.left -= 1
            if gated:
                node = self._loop(node, [*inside, *outside], depth)
                inside = [*inside, Source(node=node.id)]
            else:
                self.behaviours[name] = self.draw(_behaviours(node))
                self.nodes.append(node)
                inside = [*inside, *(Source(node=name, port=port) for port in node.ports)]
        return inside

    def _loop(self, plain: NodePlan, around: list[Source], depth: int) -> NodePlan:
        """A gate in place of a node, and its body."""
        again = Source(node=plain.id, port=AGAIN)
        gate = replace(plain, kind=NodeKind.LOOP, ports=(MAIN, AGAIN))
        place = len(self.nodes)
        self.nodes.append(gate)
        self.behaviours[gate.id] = self.draw(_behaviours(gate))
        ends = self.grow([again], around, self.draw(st.integers(1, 3)), depth + 1)
        back = self.draw(st.lists(st.sampled_from(ends), min_size=1, max_size=2, unique=True).map(tuple))
        closed = replace(gate, inputs=(*gate.inputs, Input(name="back", sources=back, back=True)))
        self.nodes[place] = closed
        return closed


@st.composite
def _nodes(draw: st.DrawFn, name: NodeId, inside: list[Source], outside: list[Source]) -> NodePlan:
    first = draw(st.sampled_from(inside))
    sources = st.lists(st.sampled_from([*inside, *outside]), min_size=1, max_size=2, unique=True)
    wanted = draw(st.lists(sources, min_size=1, max_size=2))
    wanted[0] = list(dict.fromkeys([first, *wanted[0][1:]]))
    return NodePlan(
        id=name,
        kind=NodeKind.THEN,
        inputs=tuple(Input(name=f"in{at}", sources=tuple(given)) for at, given in enumerate(wanted)),
        ports=draw(st.sampled_from([(MAIN,), (MAIN,), (MAIN, "other")])),
        policy=Policy(
            retry=RetryPlan(attempts=3),
            run_on_empty=draw(st.sampled_from([False, False, False, True])),
            continue_when_empty=draw(st.sampled_from([False, False, False, True])),
            queue=draw(st.sampled_from(["default", "default", "gpu"])),
        ),
    )


@st.composite
def _behaviours(draw: st.DrawFn, node: NodePlan) -> Behaviour:
    return Behaviour(
        counts={port: draw(st.sampled_from([0, 1, 3])) for port in node.ports},
        retries=draw(st.sampled_from([0, 0, 0, 1, 2])),
        breaks=draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, FOR_EVER])),
        items=draw(st.sampled_from([0, 0, 3])),
        rounds=draw(st.sampled_from([1, 2, 3])),
        large=draw(st.sampled_from([False, False, False, True])),
    )


def _defined(nodes: list[NodePlan]) -> Definition:
    outputs: dict[str, tuple[Source, ...]] = {
        node.id: tuple(Source(node=node.id, port=port) for port in node.ports) for node in nodes[1:]
    }
    return Definition(workflow=WorkflowId("story"), nodes=tuple(nodes), outputs=outputs)


def changed(definition: Definition, finished: set[NodeId]) -> Definition:
    """The workflow after its author has worked on it: what is not finished has other code, and a node is new."""
    edited = [node if node.id in finished else replace(node, code="edited") for node in definition.nodes]
    last = Input(name="in0", sources=(Source(node=definition.nodes[-1].id),))
    return _defined([*edited, NodePlan(id=NodeId("added"), kind=NodeKind.THEN, inputs=(last,))])


def diamond() -> Story:
    """Two branches, one of them tried again and item by item, that meet in a node which a resume heals."""
    retry = Policy(retry=RetryPlan(attempts=3))
    nodes = [
        NodePlan(id=START, kind=NodeKind.START, inputs=()),
        _following("top", START),
        _following("left", "top", policy=retry),
        _following("right", "top"),
        _following("bottom", "left", "right"),
    ]
    behaviours = {
        NodeId("top"): Behaviour(counts={MAIN: 2}, large=True),
        NodeId("left"): Behaviour(counts={MAIN: 2}, retries=1, items=3),
        NodeId("right"): Behaviour(counts={MAIN: 1}),
        NodeId("bottom"): Behaviour(counts={MAIN: 1}, breaks=1, items=2),
    }
    return Story(_defined(nodes), behaviours)


def _following(name: str, *before: str, policy: Policy | None = None) -> NodePlan:
    sources = tuple(Source(node=NodeId(node)) for node in before)
    given = Input(name="in0", sources=sources)
    return NodePlan(id=NodeId(name), kind=NodeKind.THEN, inputs=(given,), policy=policy or Policy())
