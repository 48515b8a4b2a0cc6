"""Each mistake that an author can make in a loop is said once, with what is wrong and the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm


class Order(BaseModel):
    id: str


class Flight(BaseModel):
    carrier: str


@cm.node
def clean(order: Order) -> Order:
    return order


@cm.node
def fly(order: Order) -> Flight:
    return Flight(carrier=order.id)


@cm.node
def archive(order: Order) -> None: ...


def done(order: Order) -> bool:
    return True


def follow(flight: Flight) -> Order | None:
    return None


def wrong(flight: Flight) -> str | None:
    return None


def many(flight: Flight) -> list[Order]:
    return []


def start() -> Any:
    return cm.workflow("w", input=Order)


def said(build: Callable[[], Any]) -> list[str]:
    with pytest.raises(cm.AuthorError) as raised:
        build()
    return [f"{mistake.what} → {mistake.way_out}" for mistake in raised.value.mistakes]


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: start().loop(clean, max=3).build(), ".loop() is given neither until= nor next="),
    (lambda: start().loop(clean, until=done, next=follow, max=3).build(), ".loop() is given both until= and next="),
    (lambda: start().loop(clean, until=done, max=0).build(), 'max=0 of "done" is no number of rounds'),
    (lambda: start().loop(clean, until=done, max=True).build(), 'max=True of "done" is no number of rounds'),
    (
        lambda: start().loop(clean, until=cm.node(shards=2, id="enough")(done), max=3).build(),
        '"enough" is asked by a loop, where shards= has no effect',
    ),
    (lambda: start().loop(clean, until="done", max=3).build(), ".loop() takes a function, and 'done' is none"),
    (lambda: start().loop(lambda f: f, until=done, max=3).build(), 'the body of the loop "done" does nothing'),
    (lambda: start().loop(fly, until=lambda flight: True, max=3).build(), "takes Order and gives Flight"),
    (lambda: start().loop(fly, next=wrong, max=3).build(), '"wrong" gives str, but its loop takes Order'),
    (lambda: start().loop(fly, next=many, max=3).build(), '"many" gives many items, and next= makes one of each'),
    (lambda: start().loop(archive, until=done, max=3).build(), 'nothing reaches "done": every branch before it ends'),
    (lambda: start().loop(lambda f: 7, until=done, max=3).build(), 'branch "loop" returned 7, which is no flow'),
]


@pytest.mark.parametrize(("build", "expected"), WRONG)
def test_a_loop_that_cannot_go_round_is_named_once(build: Callable[[], Any], expected: str) -> None:
    (only,) = said(build)
    assert expected in only


def test_what_leads_in_from_outside_would_come_in_each_round() -> None:
    flow = start()
    other = flow.then(clean, id="other")
    (only,) = said(lambda: flow.loop(lambda f: f.parallel(a=clean, b=lambda _: other), until=done, max=3).build())
    assert '"other" leads into the loop "done" from outside, and would do so in each round' in only


def leaked(follow_it: Callable[[Any, Any], Any]) -> list[str]:
    flow, inside = start(), []

    def body(f: Any) -> Any:
        inside.append(f.then(clean))
        return inside[0]

    return said(lambda: follow_it(flow.loop(body, until=done, max=3), inside[0]))


def test_what_is_inside_of_a_loop_is_not_followed_from_outside() -> None:
    (only,) = leaked(lambda after, inside: after.merge(inside.then(fly)).build())
    assert '"clean" is inside of the loop "done", and "fly" follows it from outside' in only


def test_what_is_inside_of_a_loop_is_no_output_of_the_workflow() -> None:
    def define(flow: cm.Flow[Order]) -> Any:
        inside: list[Any] = []
        flow.loop(lambda f: inside.append(f.then(clean)) or inside[0], until=done, max=3)
        return inside[0]

    (only,) = said(lambda: start()(define))
    assert "and the output of the workflow follows it from outside" in only


def test_a_flow_from_inside_of_a_loop_cannot_be_built_alone() -> None:
    (only,) = leaked(lambda after, inside: inside.build())
    assert 'this is inside of the loop "done", which is not closed' in only


def test_the_type_that_comes_out_of_a_loop_is_that_of_the_rounds() -> None:
    (only,) = said(lambda: start().loop(fly, next=follow, max=3).then(clean).build())
    assert '"clean" takes Order, but "follow" gives Flight' in only


def test_a_step_that_is_only_written_inside_of_a_body_is_no_part_of_it() -> None:
    flow = start()

    def define(begun: Any) -> Any:
        return begun.loop(lambda f: begun.then(fly) and f.then(clean), until=done, max=3)

    plan = flow(define).definition.plan
    assert list(plan.loops["done"].body) == ["clean"]


def test_a_loop_is_frozen_with_its_gate_before_its_body() -> None:
    workflow = start().loop(fly, next=follow, max=3).build()
    gate = workflow.definition.nodes[1]
    assert (gate.id, gate.ports, gate.config) == ("follow", ("main", "again"), {"form": "next", "max": 3})
    assert [(given.name, given.back, given.sources[0].node) for given in gate.inputs] == [
        ("main", False, "start"),
        ("back", True, "fly"),
    ]
    assert workflow.definition == type(workflow.definition).from_json(workflow.definition.to_json())


def test_another_number_of_rounds_is_another_definition() -> None:
    one, other = (start().loop(clean, until=done, max=most).build().definition for most in (3, 4))
    assert one.digest != other.digest
