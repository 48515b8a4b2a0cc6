"""What differs between two definitions, and what of it matters to a run."""

from __future__ import annotations

from dataclasses import replace

from codemation.core.definition import Policy
from codemation.core.drift import drift
from codemation.core.ids import NodeId
from tests.core.test_definition import defined, node

BEFORE = defined(node("a", "start"), node("b", "a"), node("c", "b"))


def test_what_is_the_same_does_not_drift() -> None:
    moved = [replace(one, place="elsewhere.py:1", title="Other") for one in BEFORE.nodes[1:]]
    found = drift(BEFORE, defined(*moved))
    assert (found.nothing, found.lines(), found.spoils([NodeId("a")])) == (True, [], ())


def test_each_kind_of_change_is_told_apart_and_spoils_what_is_finished() -> None:
    a, b, _ = BEFORE.nodes[1:]
    after = defined(replace(a, code="other"), replace(b, config={"x": 1}), node("d", "b"))
    found = drift(BEFORE, after)
    assert found.lines() == ["added: d", "removed: c", "rewired: b", "rewritten: a"]
    assert not found.nothing
    assert found.spoils([NodeId("a"), NodeId("c"), NodeId("start")]) == ("a", "c")


def test_policies_that_change_no_result_are_no_drift() -> None:
    a, *rest = BEFORE.nodes[1:]
    assert drift(BEFORE, defined(replace(a, policy=Policy(timeout=3.0)), *rest)).nothing
    assert drift(BEFORE, defined(replace(a, policy=Policy(on_error="drop")), *rest)).rewired == ("a",)
