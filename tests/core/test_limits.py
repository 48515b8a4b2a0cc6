"""What a run may use at the most, and what becomes of one that wants more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import codemation as cm
from codemation.core.advance import advance
from codemation.core.ids import ActivationId
from codemation.core.items import Batch
from codemation.core.limits import UNLIMITED, Limits
from codemation.core.signals import Resumed, Started, Succeeded
from codemation.core.sizes import in_bytes, readable_size
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from tests.core.test_definition import defined, node

ONE = Batch(ref="", count=1, size=1)
LIMITS = st.builds(
    Limits,
    activations=st.none() | st.integers(1, 9),
    items=st.none() | st.integers(1, 9),
    payload=st.none() | st.integers(1, 9),
    depth=st.none() | st.integers(1, 9),
)


@given(LIMITS, LIMITS)
def test_of_two_limits_the_smaller_counts_and_they_survive_json(one: Limits, other: Limits) -> None:
    both = one.within(other)
    assert both == other.within(one)
    assert both.within(one) == both
    assert one.within(UNLIMITED) == one
    assert Limits.from_json(both.to_json()) == both


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"activations": 0}, "activations=0 is no limit"),
        ({"items": True}, "items=True is no limit"),
        ({"depth": "3"}, "depth='3' is no limit"),
        ({"payload": "much"}, "'much' is no size"),
        ({"payload": -1}, "-1 is no size"),
        ({"payload": "5 parsecs"}, "'5 parsecs' is no size"),
    ],
)
def test_what_is_no_limit_is_refused_with_how_to_write_it(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Limits(**given)


def test_sizes_are_read_and_written_as_people_do() -> None:
    assert [in_bytes(size) for size in ("500kB", "1.5 MB", "2GiB", 7)] == [500_000, 1_500_000, 2 * 2**30, 7]
    assert [readable_size(size) for size in (0, 340, 1_500_000, 2_000_000_000)] == ["0 B", "340 B", "1.5 MB", "2 GB"]


def test_an_output_beyond_a_limit_is_objected_to_with_both_numbers() -> None:
    limits = Limits(items=1000, payload="1MB")
    assert limits.objection(items=1000, payload=10**6) == ""
    assert limits.objection(items=1001) == "1,001 items, and the limit is 1,000"
    assert limits.objection(payload=1_500_000) == "1.5 MB, and the limit is 1 MB"
    assert UNLIMITED.objection(items=10**12, payload=10**12) == ""


def test_a_run_that_asks_nodes_to_work_too_often_fails_with_the_node_that_was_next() -> None:
    snapshot = Snapshot(defined(node("a", "start"), node("b", "a"), node("c", "b")).plan)
    steps = [advance(snapshot, Started(input=ONE, limits=Limits(activations=2)))]
    for activation in ("a/1", "b/1"):
        assert steps[-1] is not None
        snapshot.apply(steps[-1].delta)
        steps.append(advance(snapshot, Succeeded(activation=ActivationId(activation), outputs={"main": ONE})))
    last = steps[-1]
    assert last is not None
    assert (last.status, last.due) == (RunStatus.FAILED, ())
    assert last.reason == 'it may ask nodes to work 2 times, and "c" would be the next'
    snapshot.apply(last.delta)
    resumed = advance(snapshot, Resumed())
    assert resumed is not None
    assert resumed.due == ("c/1",), "whoever resumes it means it to go on"


@cm.node
def load() -> list[int]:
    return [1]


def test_mistakes_in_limits_and_timeouts_are_said_at_once() -> None:
    wrong: Any = {"timeout": "soon", "limits": 5}
    with pytest.raises(cm.AuthorError) as refused:
        cm.workflow("limits.wrong", **wrong).then(load.options(total_timeout="0s")).build()
    said = str(refused.value)
    assert "timeout='soon' is no timeout" in said
    assert "limits=5 are no limits" in said
    assert "total_timeout='0s' of \"load\" is no total_timeout" in said


def test_limits_and_timeouts_are_part_of_the_definition_and_of_its_digest() -> None:
    plain = cm.workflow("limits.some").then(load).build().definition
    some = cm.workflow("limits.some", timeout="2h", limits=cm.Limits(items=5)).then(load).build().definition
    assert (some.timeout, some.limits) == (7200.0, {"items": 5})
    assert plain.digest != some.digest
    assert type(some).from_json(some.to_json()) == some
