"""A definition is plain data with a digest; a plan is what follows from it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from codemation.core.definition import (
    BrokenDefinition,
    Definition,
    Input,
    NodeKind,
    NodePlan,
    Policy,
    RetryPlan,
    Source,
)
from codemation.core.ids import AGAIN, MAIN, START, NodeId, WorkflowId
from tests.core.simulation.strategies import Story, stories

FULL = NodePlan(
    id=NodeId("full"),
    kind=NodeKind.SWITCH,
    inputs=(Input(name="in", sources=(Source(node=START),), ordering=True),),
    ports=("a", "b"),
    grain="batch",
    gives=False,
    policy=Policy(retry=RetryPlan(attempts=3, backoff="fixed", delay=2.0), timeout=1.5, on_error="port"),
    config={"limit": 3, "by": {"$param": "x"}},
    code="abc",
    title="Full",
    groups=("outer", "inner"),
    place="w.py:3",
)


def node(name: str, *before: str, port: str = "main") -> NodePlan:
    """A node that waits for others."""
    sources = tuple(Source(node=NodeId(one), port=port) for one in before)
    given = (Input(name="in", sources=sources),) if sources else ()
    return NodePlan(id=NodeId(name), kind=NodeKind.THEN, inputs=given)


def defined(*nodes: NodePlan) -> Definition:
    """A workflow of these nodes after the start."""
    return Definition(workflow=WorkflowId("w"), nodes=(NodePlan(id=START, kind=NodeKind.START, inputs=()), *nodes))


@settings(deadline=None, max_examples=30)
@given(stories())
def test_a_definition_survives_json_with_its_digests(story: Story) -> None:
    definition = story.definition
    again = Definition.from_json(json.loads(json.dumps(definition.to_json())))
    assert again == definition
    assert again.digest == definition.digest


def test_every_field_survives_json() -> None:
    definition = replace(defined(FULL), max_parallel=3, outputs={"main": (Source(node=FULL.id, port="a"),)}, title="T")
    assert Definition.from_json(json.loads(json.dumps(definition.to_json()))) == definition


@pytest.mark.parametrize(
    ("change", "graph", "code"),
    [
        (
            {"place": "elsewhere.py:9", "title": "Other", "icon": "x", "summary": "s", "types": {"in:a": "B"}},
            True,
            True,
        ),
        ({"code": "def"}, True, False),
        ({"config": {"limit": 4}}, False, True),
        ({"ports": ("a",)}, False, True),
        ({"policy": Policy(timeout=9.0)}, False, True),
    ],
)
def test_the_two_digests_see_what_they_are_about(change: dict[str, object], graph: bool, code: bool) -> None:
    before, after = defined(FULL), defined(replace(FULL, **change))  # type: ignore[arg-type]
    assert (before.graph_digest == after.graph_digest) is graph
    assert (before.code_digest == after.code_digest) is code
    assert (before.digest == after.digest) is (graph and code)


@settings(deadline=None, max_examples=30)
@given(stories())
def test_sources_come_first_in_the_rank_and_followers_are_in_its_order(story: Story) -> None:
    plan = story.definition.plan
    for name, before in plan.awaits.items():
        assert all(plan.rank[one] < plan.rank[name] for one in before)
        assert all(name in plan.followers[one] for one in before)
    for after in plan.followers.values():
        assert list(after) == sorted(set(after), key=plan.rank.__getitem__)


def test_what_stands_on_a_node_is_found_each_once() -> None:
    plan = defined(node("a", "start"), node("b", "a"), node("c", "a"), node("d", "b", "c"), node("e", "start")).plan
    assert plan.downstream(NodeId("a")) == {"a", "b", "c", "d"}
    assert plan.downstream(NodeId("e")) == {"e"}


def test_a_circle_is_shown_from_end_to_end() -> None:
    definition = defined(node("a", "start", "c"), node("b", "a"), node("c", "b"), node("late", "c"))
    with pytest.raises(BrokenDefinition, match='workflow "w" waits for itself: a → b → c → a'):
        assert definition.plan


def test_an_unknown_node_or_port_is_named() -> None:
    with pytest.raises(BrokenDefinition, match='"a" waits for "nobody", which the definition does not have'):
        assert defined(node("a", "nobody")).plan
    with pytest.raises(BrokenDefinition, match='"a" waits for port "side" of "start", which has main'):
        assert defined(node("a", "start", port="side")).plan


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"workflow": "w", "nodes": [{"kind": "teleport"}], "outputs": {}}, 'of "w" cannot be read: KeyError'),
        ({**defined(node("a", "start")).to_json(), "hyper": 1}, 'of "w" cannot be read: TypeError: .*hyper'),
        (["nonsense"], "cannot be read: TypeError"),
    ],
)
def test_a_definition_of_a_later_release_is_refused_with_what_is_unknown(body: Any, what: str) -> None:
    with pytest.raises(BrokenDefinition, match=what) as refused:
        Definition.from_json(body)
    assert "newer release" in refused.value.way_out


def gate(name: str, before: str, back: str) -> NodePlan:
    """A gate that only what comes back closes."""
    inputs = (
        Input(name="main", sources=(Source(node=NodeId(before)),)),
        Input(name="back", sources=(Source(node=NodeId(back)),), back=True),
    )
    return NodePlan(id=NodeId(name), kind=NodeKind.LOOP, inputs=inputs, ports=(MAIN, AGAIN))


def inside(name: str, *before: str) -> NodePlan:
    """A node that follows what goes round."""
    given = Input(name="main", sources=tuple(Source(node=NodeId(one), port=AGAIN) for one in before))
    return NodePlan(id=NodeId(name), kind=NodeKind.THEN, inputs=(given,))


def test_a_gate_closes_a_circle_that_the_plan_knows() -> None:
    plan = defined(gate("g", "start", "b"), inside("a", "g"), node("b", "a"), node("c", "a"), node("after", "g")).plan
    assert (list(plan.loops["g"].body), plan.loops["g"].returns) == (["a", "b", "c"], ("b", "c"))
    assert (plan.followers["b"], plan.awaits["g"]) == (("g",), ("start",))
    assert plan.downstream(NodeId("b")) == {"g", "a", "b", "c", "after"}


def test_a_loop_inside_of_a_loop_ends_its_turns_with_the_inner_gate() -> None:
    plan = defined(
        gate("g", "start", "h"),
        replace(gate("h", "g", "x"), inputs=inside("h", "g").inputs + gate("h", "g", "x").inputs[1:]),
        inside("x", "h"),
    ).plan
    assert (list(plan.loops["g"].body), plan.loops["g"].returns) == (["h", "x"], ("h",))
    assert (list(plan.loops["h"].body), plan.loops["h"].returns) == (["x"], ("x",))


@pytest.mark.parametrize(
    "nodes",
    [
        [gate("g", "start", "a"), node("a", "start")],
        [gate("g", "start", "a"), inside("a", "g"), node("b", "a", "g")],
        [gate("g", "start", "b"), inside("a", "g"), node("b", "start")],
    ],
)
def test_a_loop_that_is_entered_or_left_by_another_way_is_broken(nodes: list[NodePlan]) -> None:
    with pytest.raises(BrokenDefinition, match='the loop of "g" is not closed'):
        assert defined(*nodes).plan
