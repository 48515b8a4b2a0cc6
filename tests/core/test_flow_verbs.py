"""Every verb on its own: what is written becomes the plan that the engine runs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.definition import Input, NodeKind, NodePlan, RetryPlan, Source


class Order(BaseModel):
    id: str
    total: float = 0.0


class Params(cm.Params):
    factor: int = 2


class Flight(BaseModel):
    carrier: str


class Checked(cm.Ports):
    valid: Order = cm.port()
    suspect: Order = cm.port("looks odd")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@cm.node
def price(order: Order, factor: float = 1.0) -> Order:
    """Price an order. Then go home."""
    return order.model_copy(update={"total": order.total * factor})


@cm.node
def load() -> list[Order]:
    return []


@cm.node
def table(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


@cm.node
def book(orders: list[Order]) -> None: ...


@cm.node
def check(order: Order) -> Checked:
    return Checked(valid=order)


@cm.node
def notify(order: Order) -> None: ...


@cm.node
def both(left: list[Order], right: pl.DataFrame) -> list[Order]:
    return left


def is_big(order: Order) -> bool:
    return order.total > 10


def start(**options: Any) -> cm.Start[Order]:
    return cm.workflow("orders.test", input=Order, **options)


def sources(plan: NodePlan) -> dict[str, list[str]]:
    return {given.name: [f"{source.node}.{source.port}" for source in given.sources] for given in plan.inputs}


def test_the_first_node_stands_for_what_the_run_was_given() -> None:
    first = start().then(price).build().definition.nodes[0]
    assert (first.id, first.kind, first.inputs, first.ports) == ("start", NodeKind.START, (), ("main",))
    assert first.types == {"out:main": "Order"}


def test_then_gives_the_batch_to_the_first_parameter() -> None:
    plan = start().then(price).build().nodes["price"]
    assert plan.inputs == (Input(name="order", sources=(Source(node="start"),)),)
    assert (plan.kind, plan.grain, plan.ports, plan.gives) == (NodeKind.THEN, "item", ("main",), True)
    assert plan.summary == "Price an order."
    assert plan.types == {"in:order": "Order", "out:main": "Order"}
    assert re.fullmatch(r".*test_flow_verbs\.py:\d+", plan.place)


@pytest.mark.parametrize(("node", "grain"), [(price, "item"), (book, "batch"), (table, "batch"), (load, "once")])
def test_the_first_parameter_says_how_often_a_node_is_called(node: Any, grain: str) -> None:
    assert start().then(node, id="it").build().nodes["it"].grain == grain


def test_a_source_only_waits_for_what_stands_before_it() -> None:
    plan = start().then(price).then(load).build().nodes["load"]
    assert plan.inputs == (Input(name="", sources=(Source(node="price"),), ordering=True),)


def test_a_node_that_returns_nothing_ends_its_line() -> None:
    workflow = start().then(price).then(book).build()
    assert not workflow.nodes["book"].gives
    assert workflow.definition.outputs == {}


def test_plain_functions_and_lambdas_are_called_by_the_verb() -> None:
    def twice(order: Order) -> Iterator[Order]:
        yield order
        yield order

    workflow = (
        start()
        .filter(is_big)
        .map(lambda order: order)
        .split(twice)
        .aggregate(lambda orders: orders[0])
        .filter(lambda order, least: order.total > least, least=3)
        .build()
    )
    assert list(workflow.nodes) == ["is_big", "map", "twice", "aggregate", "filter"]
    assert [plan.grain for plan in workflow.nodes.values()] == ["item", "item", "item", "batch", "item"]
    assert [plan.inputs[0].name for plan in workflow.nodes.values()] == ["main"] * 5
    assert workflow.nodes["filter"].config == {"least": 3}
    assert workflow.nodes["is_big"].types["out:main"] == "Order"
    assert workflow.code["twice"].signature.result.item_type is Order


def test_tap_passes_its_items_on() -> None:
    workflow = start().tap(notify).then(price).build()
    assert workflow.nodes["notify"].kind is NodeKind.TAP
    assert workflow.nodes["notify"].gives
    assert workflow.nodes["notify"].types["out:main"] == "Order"
    assert sources(workflow.nodes["price"]) == {"order": ["notify.main"]}


def test_tap_on_a_source_still_passes_its_items_on() -> None:
    plan = start().tap(load).build().nodes["load"]
    assert plan.inputs == (Input(name="main", sources=(Source(node="start"),)),)
    assert plan.grain == "once"


def test_parse_reads_untyped_records() -> None:
    workflow = cm.workflow("orders.raw").parse(Order, on_error="drop").then(price).build()
    plan = workflow.nodes["parse"]
    assert (plan.kind, plan.policy.on_error, plan.types["out:main"]) == (NodeKind.PARSE, "drop", "Order")
    code = workflow.code["parse"]
    assert code.model is Order
    assert code.function({"id": "1"}) == Order(id="1")


def test_branches_join_at_the_next_verb() -> None:
    workflow = start().branch(is_big, yes=lambda big: big.map(lambda order: order)).then(price).build()
    assert workflow.nodes["is_big"].ports == ("yes", "no")
    assert sources(workflow.nodes["price"]) == {"order": ["map.main", "is_big.no"]}


def test_a_branch_that_ends_does_not_join() -> None:
    workflow = start().branch(is_big, yes=notify, no=lambda small: small.then(price)).then(book).build()
    assert sources(workflow.nodes["book"]) == {"orders": ["price.main"]}


def test_switch_has_a_port_for_each_case() -> None:
    def country(order: Order) -> Literal["DE", "AT", "US", ""]:
        return "DE"

    workflow = (
        start().switch(country, {("DE", "AT"): price, "US": notify}, default=lambda rest: rest).then(book).build()
    )
    plan = workflow.nodes["country"]
    assert plan.ports == ("DE,AT", "US", "default")
    assert workflow.code["country"].cases == {"DE": "DE,AT", "AT": "DE,AT", "US": "US"}
    assert sources(workflow.nodes["book"]) == {"orders": ["price.main", "country.default"]}


def test_switch_on_an_enum_names_its_ports_by_the_values() -> None:
    def colour(order: Order) -> Colour:
        return Colour.RED

    branches: dict[Any, Any] = {Colour.RED: lambda red: red, Colour.BLUE: lambda blue: blue.end()}
    workflow = start().switch(colour, branches).then(book).build()
    assert workflow.nodes["colour"].ports == ("red", "blue")
    assert workflow.code["colour"].cases == {Colour.RED: "red", Colour.BLUE: "blue"}


def test_an_empty_value_has_a_readable_port() -> None:
    branches: dict[Any, Any] = {"": notify}
    assert start().switch(lambda order: order.id, branches).build().nodes["switch"].ports == ("(empty)",)


def test_route_follows_ports_by_name() -> None:
    workflow = start().then(check).route(valid=price, suspect=notify).then(book).build()
    assert workflow.nodes["check"].ports == ("valid", "suspect")
    assert workflow.nodes["check"].types["out:valid"] == "Order"
    assert sources(workflow.nodes["price"]) == {"order": ["check.valid"]}
    assert sources(workflow.nodes["book"]) == {"orders": ["price.main"]}


def test_a_port_is_followed_by_its_name_in_brackets() -> None:
    flow = start().then(check)
    workflow = flow["valid"].then(price).also(lambda _: flow["suspect"].then(notify)).build()
    assert sources(workflow.nodes["price"]) == {"order": ["check.valid"]}
    assert sources(workflow.nodes["notify"]) == {"order": ["check.suspect"]}


def test_a_single_port_need_not_be_named() -> None:
    class Only(cm.Ports):
        kept: Order = cm.port()

    def only(order: Order) -> Only:
        return Only(kept=order)

    only.__annotations__ = {"order": Order, "return": Only}
    workflow = start().then(cm.node(only)).then(price).build()
    assert sources(workflow.nodes["price"]) == {"order": ["only.kept"]}


def test_parallel_branches_lead_to_the_arguments_of_their_names() -> None:
    workflow = start().parallel(left=price, right=table).into(both).build()
    plan = workflow.nodes["both"]
    assert sources(plan) == {"left": ["price.main"], "right": ["table.main"]}
    assert plan.grain == "batch"


def test_a_flow_given_by_name_is_an_input_of_its_own() -> None:
    begin = start()
    right = begin.then(table)
    workflow = begin.then(price).then(both, right=right).build()
    assert sources(workflow.nodes["both"]) == {"left": ["price.main"], "right": ["table.main"]}


def test_also_belongs_to_the_workflow_and_never_joins() -> None:
    workflow = start().also(lambda side: side.then(price)).then(book).build()
    assert sources(workflow.nodes["book"]) == {"orders": ["start.main"]}
    assert workflow.definition.outputs == {"price": (Source(node="price"),)}


def test_merge_has_an_input_for_each_flow() -> None:
    begin = start()
    other = begin.map(lambda order: order)
    workflow = begin.then(price).merge(other, by="origin", prefer=["2"]).build()
    plan = workflow.nodes["merge"]
    assert sources(plan) == {"1": ["price.main"], "2": ["map.main"]}
    assert plan.config == {"by": "origin", "prefer": ["2"]}
    assert (plan.code, plan.grain) == ("", "batch")
    assert "merge" not in workflow.code


def test_merge_names_its_inputs_by_the_branches_of_a_fork() -> None:
    begin = start()
    forked = begin.parallel(a=price, b=lambda same: same)
    workflow = forked.merge(begin.map(lambda order: order), forked, by="position").build()
    assert list(sources(workflow.nodes["merge"])) == ["a", "b", "3", "4", "5"]


def test_merge_finds_a_free_number_for_a_flow_without_a_name() -> None:
    begin = start()
    branches: dict[str, Any] = {"2": price}
    workflow = begin.parallel(**branches).merge(begin).build()
    assert list(sources(workflow.nodes["merge"])) == ["2", "3"]


def test_join_matches_flows_by_key() -> None:
    begin = start()
    workflow = begin.then(price).join(begin.then(table), begin.map(lambda o: o), on="id", how="left", id="wide").build()
    plan = workflow.nodes["wide"]
    assert sources(plan) == {"left": ["price.main"], "right1": ["table.main"], "right2": ["map.main"]}
    assert plan.config == {"on": ["id"], "how": "left"}
    assert plan.types["out:main"] == "Any"


def test_a_piece_is_drawn_as_a_group() -> None:
    def outer(flow: cm.Flow[Order]) -> cm.Flow[Order]:
        return flow.then(price).pipe(inner, title="Inside").filter(is_big)

    def inner(flow: cm.Flow[Order]) -> cm.Flow[Order]:
        return flow.branch(lambda order: True, yes=lambda big: big.map(lambda order: order))

    workflow = start().pipe(outer).then(book).build()
    assert {name: plan.groups for name, plan in workflow.nodes.items()} == {
        "price": ("outer",),
        "branch": ("outer", "Inside"),
        "map": ("outer", "Inside"),
        "is_big": ("outer",),
        "book": (),
    }


def test_a_lambda_is_a_group_without_brackets_in_its_name() -> None:
    assert start().pipe(lambda flow: flow.then(price)).build().nodes["price"].groups == ("lambda",)


def test_errors_go_to_a_branch_that_joins_again() -> None:
    def mended(failure: cm.Failure[Order]) -> Order:
        return failure.item

    workflow = start().then(price, on_error=lambda failed: failed.map(mended)).then(book).build()
    assert workflow.nodes["price"].ports == ("main", "error")
    assert workflow.nodes["price"].policy.on_error == "port"
    assert workflow.nodes["price"].types["out:error"] == "Failure[Order]"
    assert sources(workflow.nodes["mended"]) == {"main": ["price.error"]}
    assert sources(workflow.nodes["book"]) == {"orders": ["price.main", "mended.main"]}


def test_errors_of_a_whole_batch_may_be_of_anything() -> None:
    plan = start().then(table, on_error="port").build().nodes["table"]
    assert plan.types["out:error"] == "Failure[Any]"


def test_an_error_port_does_not_hinder_a_bare_then() -> None:
    workflow = start().then(price, on_error="port").then(book).build()
    assert sources(workflow.nodes["book"]) == {"orders": ["price.main"]}


def test_errors_of_a_routed_node_are_one_of_its_ports() -> None:
    workflow = start().then(check, on_error="port").route(valid=price, error=lambda failed: failed.end()).build()
    assert workflow.nodes["check"].ports == ("valid", "suspect", "error")


def test_an_end_that_gives_nothing_may_have_its_errors_handled() -> None:
    @cm.node
    def cry(failures: list[cm.Failure[Order]]) -> None: ...

    workflow = start().then(notify, on_error=cry).build()
    assert sources(workflow.nodes["cry"]) == {"failures": ["notify.error"]}
    assert workflow.definition.outputs == {}


def test_options_of_the_workflow_are_overruled_by_the_node_and_by_the_verb() -> None:
    quick = price.options(timeout="2s", on_error="drop")
    workflow = (
        start(defaults={"timeout": "1m", "retry": cm.Retry(4, delay="2s"), "on_error": "port", "queue": "slow"})
        .then(quick, id="a")
        .then(quick, id="b", on_error="fail")
        .then(price, id="c")
        .build()
    )
    policies = {name: plan.policy for name, plan in workflow.nodes.items()}
    assert [(p.timeout, p.on_error, p.queue) for p in policies.values()] == [
        (2.0, "drop", "slow"),
        (2.0, "fail", "slow"),
        (60.0, "port", "slow"),
    ]
    assert policies["a"].retry == RetryPlan(attempts=4, backoff="exponential", delay=2.0)
    assert workflow.code["a"].retry == cm.Retry(4, delay="2s")


def test_what_is_not_asked_for_has_the_usual_policy() -> None:
    assert start().then(price).build().nodes["price"].policy.retry == RetryPlan()


def test_a_node_carries_its_title_and_icon() -> None:
    node = price.options(title="Price", icon="€", priority=3, concurrency=4, run_on_empty=True, keep_attachments=True)
    plan = start().then(node).build().nodes["price"]
    assert (plan.title, plan.icon, plan.policy.priority, plan.policy.concurrency) == ("Price", "€", 3, 4)
    assert plan.policy.run_on_empty
    assert plan.policy.keep_attachments


def test_what_nobody_follows_is_an_output_of_the_workflow() -> None:
    begin = start()
    workflow = begin.then(price).also(lambda o: o.then(check)).also(lambda o: o.map(lambda x: x)).build()
    assert workflow.definition.outputs == {
        "main": (Source(node="price"),),
        "check": (Source(node="check", port="valid"), Source(node="check", port="suspect")),
        "map": (Source(node="map"),),
    }


def test_a_flow_that_has_several_ends_gives_them_together() -> None:
    workflow = start().branch(is_big, yes=price).build()
    assert workflow.definition.outputs["main"] == (Source(node="price"), Source(node="is_big", port="no"))


def test_an_ended_flow_gives_its_last_node_by_name() -> None:
    workflow = start().then(price).end().build()
    assert workflow.definition.outputs == {"price": (Source(node="price"),)}


def test_flows_are_values_that_can_be_used_twice() -> None:
    begin = start()
    late = begin.then(price)
    first, second = late.then(book).build(), late.then(notify).build()
    assert list(first.nodes) == ["price", "book"]
    assert list(second.nodes) == ["price", "notify"]
    assert first.digest == late.then(book).build().digest


def test_inserting_a_node_leaves_the_ids_of_the_others_alone() -> None:
    before = start().then(price).filter(is_big).then(book).build()
    after = start().then(price).map(lambda order: order).filter(is_big).then(book).build()
    assert [name for name in after.nodes if name != "map"] == list(before.nodes)


def test_an_argument_may_be_bound_before() -> None:
    plan = start().then(price.bind(factor=2)).build().nodes["price"]
    assert plan.config == {"factor": 2.0}
    assert start().then(price.bind(factor=2), factor=3).build().nodes["price"].config == {"factor": 3.0}


def test_an_argument_may_be_a_parameter_of_the_run() -> None:
    workflow = start(params=Params).then(price, factor=Params.factor).build()
    assert workflow.nodes["price"].config == {"factor": {"$param": "factor"}}
    assert repr(workflow.code["price"].arguments["factor"]) == "Params.factor"


def test_a_flow_may_be_bound_before() -> None:
    begin = start()
    workflow = begin.then(price).then(both.bind(right=begin.then(table))).build()
    assert sources(workflow.nodes["both"])["right"] == ["table.main"]


def test_binding_gives_arguments_that_a_verb_would_take_for_its_own() -> None:
    @cm.node
    def named(order: Order, *, id: str, on_error: str) -> Order:
        return order

    plan = start().then(named.bind(id="x", on_error="y")).build().nodes["named"]
    assert plan.config == {"id": "x", "on_error": "y"}


def test_further_arguments_reach_a_function_that_takes_any() -> None:
    @cm.node
    def write(orders: list[Order], **options: Any) -> None: ...

    workflow = start().then(write, sep=";", header=True).build()
    assert workflow.nodes["write"].config == {"sep": ";", "header": True}
    assert workflow.code["write"].arguments == {"sep": ";", "header": True}


def test_a_flow_shows_where_it_stands() -> None:
    flow = start()
    assert repr(flow) == "<Flow orders.test: at start>"
    assert repr(flow.then(check)["valid"]) == "<Flow orders.test: at check[valid]>"
    assert repr(flow.end()) == "<Flow orders.test: at its end>"


def test_a_flow_is_no_sequence() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(start())  # type: ignore[call-overload]


def test_functions_of_all_kinds_can_be_mapped() -> None:
    class Doubler:
        def __call__(self, order: Order) -> Order:
            return order

    async def later(order: Order) -> Order:
        return order

    workflow = start().map(Doubler()).map(later).map(functools.partial(is_big)).map(str).map(str.upper).build()
    assert list(workflow.nodes) == ["Doubler", "later", "is_big", "str", "upper"]
    assert workflow.code["later"].signature.asynchronous


def test_everything_that_can_be_iterated_can_be_split() -> None:
    def letters(order: Order) -> Iterable[str]:
        return iter(order.id)

    assert start().split(letters).build().nodes["letters"].types["out:main"] == "str"


def test_items_of_unknown_types_join_as_anything() -> None:
    def odd(order: Order) -> Any: ...

    odd.__annotations__["return"] = [1]
    workflow = start().branch(is_big, yes=lambda big: big.map(odd), no=price).then(book).build()
    assert sources(workflow.nodes["book"]) == {"orders": ["odd.main", "price.main"]}
