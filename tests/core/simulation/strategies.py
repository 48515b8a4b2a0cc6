"""Random workflows, and what their nodes do when they are asked to work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Policy, RetryPlan, Source
from codemation.core.ids import MAIN, START, NodeId, WorkflowId

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
def stories(draw: st.DrawFn, most: int = 12) -> Story:
    """Workflows of up to `most` nodes beside the start, sources first."""
    nodes = [NodePlan(id=START, kind=NodeKind.START, inputs=())]
    behaviours: dict[NodeId, Behaviour] = {}
    for number in range(draw(st.integers(1, most))):
        node = draw(_nodes(NodeId(f"n{number}"), nodes))
        behaviours[node.id] = draw(_behaviours(node))
        nodes.append(node)
    return Story(_defined(nodes), behaviours)


@st.composite
def _nodes(draw: st.DrawFn, name: NodeId, before: list[NodePlan]) -> NodePlan:
    ends = [Source(node=node.id, port=port) for node in before for port in node.ports]
    sources = st.lists(st.sampled_from(ends), min_size=1, max_size=2, unique=True).map(tuple)
    wanted = draw(st.lists(sources, min_size=1, max_size=2))
    return NodePlan(
        id=name,
        kind=NodeKind.THEN,
        inputs=tuple(Input(name=f"in{at}", sources=given) for at, given in enumerate(wanted)),
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
