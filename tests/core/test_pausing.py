"""What authors get wrong with the verbs that wait, and what build says of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import InputError


class Order(BaseModel):
    """What waits."""

    id: str


class Shapeless:
    """Nothing that pydantic can read."""


class Strict(BaseModel):
    """A form that has to be filled in."""

    grade: int


class Payment(BaseModel):
    """What an event brings."""

    amount: float


PAID = cm.event("paid", Payment)


def orders() -> Any:
    return cm.workflow("orders", input=Order)


def told(flow: Any) -> str:
    with pytest.raises(cm.AuthorError) as caught:
        flow.build()
    return str(caught.value)


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (orders().wait("soon"), "'soon' is not a duration"),
        (orders().wait(datetime(2027, 1, 1)), "has no time zone"),  # noqa: DTZ001 - the mistake
        (orders().approve(on_expiry="rejct"), "on_expiry='rejct' of \"approve\" is unknown"),
        (orders().approve(per="day"), "per='day' of \"approve\" is unknown"),
        (orders().approve(expires="2 moons"), "expires= of \"approve\": '2 moons' is not a duration"),
        (orders().approve(Strict, on_expiry="accept"), "Strict has fields without a default"),
        (orders().approve(Shapeless), 'the form of "approve", Shapeless, cannot be shown to people'),
        (orders().approve(title=5), "title=5 does not fit title: str"),
        (orders().wait_for_event("paid", key=lambda order: order.id), "waits for 'paid', which is no event"),
        (orders().wait_for_event(PAID, key="id"), "takes a function, and 'id' is none"),
        (orders().wait_for_event(PAID, key=lambda o: o.id, on_timeout=lambda o: o.end()), "and no time"),
    ],
)
def test_a_mistake_is_told_at_build(flow: Any, said: str) -> None:
    assert said in told(flow)


def test_a_key_is_a_text_or_a_number_computed_at_once() -> None:
    def many(order: Order) -> list[str]:
        return [order.id]

    async def later(order: Order) -> str:
        return order.id

    def fine(order: Order) -> int:
        return len(order.id)

    assert "an event is found by a text" in told(orders().wait_for_event(PAID, key=many))
    assert "is asynchronous" in told(orders().wait_for_event(PAID, key=later))
    assert orders().wait_for_event(PAID, key=fine).build().nodes


def test_a_branch_for_the_rejected_must_take_what_was_decided() -> None:
    @cm.node
    def wrong(number: int) -> int:
        return number

    assert '"wrong" takes int' in told(orders().approve(Strict, rejected=wrong))


def test_an_unknown_word_is_refused_at_the_call() -> None:
    with pytest.raises(TypeError, match="'expire'"):
        orders().approve(expire="2h")


def test_what_nobody_wrote_has_no_code_and_what_was_written_changes_it() -> None:
    def code(flow: Any) -> str:
        return str(flow.build().definition.nodes[-1].code)

    assert code(orders().wait("2h")) == code(orders().approve()) == ""
    assert code(orders().approve(Strict)) != code(orders().approve(Payment)) != ""
    by_id, by_text = (orders().wait_for_event(PAID, key=key) for key in (lambda o: o.id, lambda o: str(o.id)))
    assert code(by_id) != code(by_text)


def test_an_event_has_a_name_and_says_what_does_not_fit() -> None:
    for name in ("", "a:b", "a" * 1001):
        with pytest.raises(InputError, match="cannot name an event"):
            cm.event(name, Payment)
    with pytest.raises(InputError, match="keep= of the event"):
        cm.event("paid", Payment, keep="long")
    assert repr(PAID) == "<event paid: Payment>"
    assert PAID.written({"amount": 3}) == '{"amount":3.0}'
    with pytest.raises(InputError, match="amount"):
        PAID.written({"amount": "much"})
    with pytest.raises(InputError, match="Unable to serialize"):
        cm.event("odd", dict[str, Any]).written({"what": object()})


def test_errors_of_items_that_waited_in_vain_can_go_to_a_port() -> None:
    flow = cm.workflow("orders", input=Order, defaults={"on_error": "port"})
    workflow = flow.wait_for_event(PAID, key=lambda order: order.id, timeout="2h").build()
    assert workflow.definition.nodes[-1].ports == ("main", "error")
