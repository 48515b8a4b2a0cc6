"""Rates as people write them, and where a node says one."""

from __future__ import annotations

from typing import Any

import pytest

import codemation as cm
from codemation.core.rates import spacing


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [("20/s", 0.05), ("300/m", 0.2), ("1/h", 3600.0), ("50/10s", 0.2), (" 3 / 1h 30m ", 1800.0), ("9/900ms", 0.1)],
)
def test_a_rate_says_how_far_two_calls_are_apart(rate: str, seconds: float) -> None:
    assert spacing(rate) == pytest.approx(seconds)


@pytest.mark.parametrize("rate", ["", "20", "0/s", "20/", "/s", "20/x", "-1/s", "1.5/s", 20, None, "20/0s"])
def test_what_is_no_rate_is_said_with_the_way_to_write_it(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"is no rate.*write it like"):
        spacing(rate)


def test_a_node_has_a_rate_and_a_pool() -> None:
    @cm.node(rate="20/s", pool="gpu")
    def ask(item: int) -> int:
        return item

    @cm.node
    def plain(item: int) -> int:
        return item

    flow = cm.workflow("flow", input=int).map(plain).build()
    asking = cm.workflow("flow", input=int).map(ask).build()
    policy = asking.nodes[asking.find(ask)].policy
    assert (policy.rate, policy.pool) == ("20/s", "gpu")
    assert "rate" not in str(flow.definition.graph_digest)
    assert (flow.nodes[flow.find(plain)].policy.rate, flow.nodes[flow.find(plain)].policy.pool) == ("", "")


@pytest.mark.parametrize(
    ("options", "said"), [({"rate": "often"}, "'often' is no rate"), ({"pool": ""}, "give the name of a pool")]
)
def test_what_is_wrong_with_them_is_said_at_build(options: Any, said: str) -> None:
    @cm.node(**options)
    def ask(item: int) -> int:
        return item

    with pytest.raises(cm.AuthorError) as refused:
        cm.workflow("flow", input=int).map(ask).build()
    assert said in str(refused.value)
