"""What has changed between two versions of a workflow, and which results another version would not have given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import codemation as cm
from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Policy, RetryPlan, Source
from codemation.core.drift import drift
from codemation.core.ids import START, NodeId, WorkflowId

Change = Callable[[], Definition]


@cm.node
def load() -> list[int]:
    return [1]


@cm.node
def double(n: int, by: int = 2) -> int:
    return n * by


@cm.node
def keep(n: int) -> int:
    return n


@cm.node(id="double")
def double_anew(n: int, by: int = 2) -> int:
    return n + n * (by - 1)


def _built(*nodes: Any, **by: Any) -> Definition:
    flow: Any = cm.workflow("x")
    for node in nodes:
        flow = flow.then(node, **(by if node.id == "double" else {}))
    definition: Definition = flow.build().definition
    return definition


BEFORE = _built(load, double, keep)


def _changes(after: Definition) -> dict[str, tuple[NodeId, ...]]:
    found = drift(BEFORE, after)
    kinds = {"added": found.added, "removed": found.removed, "rewired": found.rewired, "rewritten": found.rewritten}
    return {kind: nodes for kind, nodes in kinds.items() if nodes}


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        (_built(load, double, keep), {}),
        (_built(load, double, keep, keep.options(id="more")), {"added": ("more",)}),
        (_built(load, double), {"removed": ("keep",)}),
        (_built(load, keep), {"removed": ("double",), "rewired": ("keep",)}),
        (_built(load, keep, double), {"rewired": ("double", "keep")}),
        (_built(load, double, keep, by=3), {"rewired": ("double",)}),
        (_built(load, double_anew, keep), {"rewritten": ("double",)}),
        (
            _built(load, double.options(id="twice"), keep),
            {"added": ("twice",), "removed": ("double",), "rewired": ("keep",)},
        ),
        (_built(load, double.options(on_error="drop"), keep), {"rewired": ("double",)}),
        (_built(load, double.options(keep_attachments=True), keep), {"rewired": ("double",)}),
        (_built(load, double.options(run_on_empty=True), keep), {"rewired": ("double",)}),
        (_built(load, double.options(continue_when_empty=True), keep), {"rewired": ("double",)}),
        (_built(load, double.options(retry=cm.Retry(5), timeout="9s", concurrency=4), keep), {}),
        (_built(load, double.options(title="Twice", icon="x"), keep), {}),
    ],
)
def test_every_change_that_could_change_a_result_is_named_and_no_other(
    after: Definition, changes: dict[str, tuple[str, ...]]
) -> None:
    assert _changes(after) == changes
    found = drift(BEFORE, after)
    assert found.nothing == (changes == {})
    assert found.lines() == [f"{kind}: {', '.join(nodes)}" for kind, nodes in changes.items()]


def test_finished_nodes_are_spoiled_by_what_was_changed_and_not_by_what_was_added() -> None:
    changed = drift(BEFORE, _built(load, double_anew, keep, keep.options(id="more")))
    assert changed.spoils([NodeId("load"), NodeId("keep")]) == ()
    assert changed.spoils([NodeId("load"), NodeId("double"), NodeId("keep")]) == ("double",)
    assert drift(BEFORE, _built(load, double)).spoils([NodeId("load"), NodeId("keep")]) == ("keep",)


@st.composite
def _lines(draw: st.DrawFn) -> tuple[Definition, Definition]:
    """Two versions of a workflow in which any node may stand on any earlier one."""
    names = [f"n{at}" for at in range(draw(st.integers(1, 6)))]
    return _version(draw, names), _version(draw, names)


def _version(draw: st.DrawFn, names: list[str]) -> Definition:
    nodes = [NodePlan(id=START, kind=NodeKind.START, inputs=(), grain="batch")]
    for name in names:
        if draw(st.booleans()) and len(nodes) > 1:
            continue
        before = draw(st.sampled_from([node.id for node in nodes]))
        nodes.append(
            NodePlan(
                id=NodeId(name),
                kind=NodeKind.THEN,
                inputs=(Input(name="x", sources=(Source(node=before),)),),
                code=draw(st.sampled_from("ab")),
                config={"by": draw(st.integers(0, 1))},
                policy=Policy(retry=RetryPlan(attempts=draw(st.integers(1, 2)))),
            )
        )
    return Definition(workflow=WorkflowId("x"), nodes=tuple(nodes), outputs={})


def _stands_on(definition: Definition, node: NodeId) -> list[tuple[object, ...]]:
    """All that a node's result follows from: itself and everything before it."""
    plan = definition.plan.nodes[node]
    before = [source.node for one in plan.inputs for source in one.sources]
    return [(node, plan.code, dict(plan.config), before), *(one for at in before for one in _stands_on(definition, at))]


@given(_lines())
def test_what_is_not_spoiled_would_have_been_given_by_the_other_version_as_well(
    versions: tuple[Definition, Definition],
) -> None:
    before, after = versions
    for node in before.plan.nodes:
        finished = list(dict.fromkeys(name for name, *_ in _stands_on(before, node)))
        spoiled = drift(before, after).spoils([NodeId(str(name)) for name in finished])
        same = node in after.plan.nodes and _stands_on(before, node) == _stands_on(after, node)
        assert (spoiled == ()) == same


@given(_lines())
def test_drift_seen_from_the_other_side_is_its_mirror(versions: tuple[Definition, Definition]) -> None:
    there, back = drift(*versions), drift(*reversed(versions))
    assert set(there.added) == set(back.removed)
    assert set(there.removed) == set(back.added)
    assert set(there.rewired) == set(back.rewired)
    assert set(there.rewritten) == set(back.rewritten)
    assert drift(versions[0], versions[0]).nothing
