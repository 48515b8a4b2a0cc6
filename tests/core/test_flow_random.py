"""Whatever is written: it builds, or an `AuthorError` says why; building twice gives the same workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import codemation as cm
from codemation.core.definition import Definition


class Params(cm.Params):
    month: int = 1


class Order(BaseModel):
    id: str


class Checked(cm.Ports):
    valid: Order = cm.port()
    rejected: Order = cm.port()


@cm.node
def price(order: Order, factor: float = 1.0) -> Order:
    return order


@cm.node
def needy(order: Order, limit: int) -> Order | None:
    return order


@cm.node
def table(rows: pl.DataFrame, other: pl.DataFrame | None = None) -> pl.DataFrame:
    return rows


@cm.node
def load(params: Params) -> list[Order]:
    return []


@cm.node
def check(order: Order) -> Checked:
    return Checked(valid=order)


@cm.node
def archive(orders: list[Order]) -> None: ...


@cm.node
def handle(failure: cm.Failure[Order]) -> Order:
    return failure.item


NODES = st.sampled_from([price, needy, table, load, check, archive, handle, 42, len, None])
IDS = st.none() | st.sampled_from(["a", "b", "A", "start", "main", "x.y", "", "bad id", 3])
BRANCHES = st.sampled_from(
    [
        price,
        archive,
        lambda flow: flow,
        lambda flow: flow.end(),
        lambda flow: flow.map(lambda one: one, id="inner"),
        lambda flow: None,
        lambda flow: flow.nothing(),
        "no branch",
    ]
)
NAMES = st.sampled_from(["valid", "rejected", "order", "other", "yes", "error"])
Verb = Callable[[Any, Any], Any]
"""From a flow and the flow before it to the next flow."""


@st.composite
def verbs(draw: st.DrawFn) -> Verb:
    """One verb with some arguments, right or wrong."""
    node, identity, branch = draw(NODES), draw(IDS), draw(BRANCHES)
    ways = draw(st.dictionaries(NAMES, BRANCHES, max_size=2))
    value = draw(st.sampled_from([1, "many", object(), Params.month, price]))
    name, on_error = draw(NAMES), draw(st.sampled_from([None, "port", "drop", "prot", handle, 42]))
    options: list[Verb] = [
        lambda flow, last: flow.then(node, id=identity, on_error=on_error),
        lambda flow, last: flow.then(node, id=identity, **{name: value}),
        lambda flow, last: flow.then(node, id=identity, **{name: last}),
        lambda flow, last: flow.tap(node, id=identity),
        lambda flow, last: flow.map(node, id=identity),
        lambda flow, last: flow.filter(lambda one: True, id=identity),
        lambda flow, last: flow.split(lambda one: [one], id=identity),
        lambda flow, last: flow.aggregate(lambda all_of: all_of[0], id=identity),
        lambda flow, last: flow.parse(Order, id=identity, on_error=on_error),
        lambda flow, last: flow.branch(lambda one: True, yes=branch, id=identity),
        lambda flow, last: flow.switch(lambda one: one.id, {1: branch, ("b", "c"): price}, default=branch, id=identity),
        lambda flow, last: flow.route(**ways),
        lambda flow, last: flow[name],
        lambda flow, last: flow.parallel(**ways),
        lambda flow, last: flow.parallel(**ways).into(node, id=identity),
        lambda flow, last: flow.also(branch),
        lambda flow, last: flow.merge(last, id=identity),
        lambda flow, last: flow.merge(flow, last, by="position", prefer=[name], id=identity),
        lambda flow, last: flow.join(last, on=name, id=identity),
        lambda flow, last: flow.pipe(branch, title=name),
        lambda flow, last: flow.end(),
    ]
    return draw(st.sampled_from(options))


def outcome(flow: Any) -> Definition | str:
    try:
        return flow.build().definition  # type: ignore[no-any-return]
    except cm.AuthorError as error:
        return str(error)


@given(st.lists(verbs(), max_size=6))
def test_random_verbs_build_or_tell_why_and_do_so_alike_each_time(sequence: list[Verb]) -> None:
    last: Any = cm.workflow("w", input=Order, params=Params)
    flow = last
    for verb in sequence:
        last, flow = flow, verb(flow, last)
    first, second = outcome(flow), outcome(flow)
    assert first == second
    if isinstance(first, Definition):
        assert isinstance(second, Definition)
        assert first.digest == second.digest
        assert Definition.from_json(first.to_json()).digest == first.digest
        assert first.plan.rank["start"] == 0  # type: ignore[index]
        assert all(source.node in first.plan.nodes for ends in first.outputs.values() for source in ends)


@given(st.lists(verbs(), max_size=5))
def test_the_function_form_builds_what_the_chain_builds(sequence: list[Verb]) -> None:
    def write(start: Any) -> Any:
        last = flow = start
        for verb in sequence:
            last, flow = flow, verb(flow, last)
        return flow

    chained = outcome(write(cm.workflow("w", input=Order, params=Params)))
    try:
        formed: object = cm.workflow("w", input=Order, params=Params)(write).definition
    except cm.AuthorError as error:
        formed = str(error)
    assert isinstance(formed, str) or isinstance(chained, Definition)


@given(st.integers(0, 4))
def test_inserting_a_node_changes_no_other_id(position: int) -> None:
    def write(*, insert: bool) -> Any:
        flow: Any = cm.workflow("w", input=Order)
        for number, node in enumerate([price, needy.bind(limit=3), table, check.options(id="checked")]):
            if insert and number == position:
                flow = flow.map(lambda one: one, id="inserted")
            flow = flow.then(node)
        return flow.build()

    before, after = write(insert=False), write(insert=True)
    assert [node for node in after.nodes if node != "inserted"] == list(before.nodes)
