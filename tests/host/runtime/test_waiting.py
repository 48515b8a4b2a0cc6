"""What waits for the world: times, people and events; what they answer, too late, twice and in part."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import (
    AlreadyDecided,
    DecisionExpired,
    InputError,
    InvalidDecision,
    InvalidLink,
    RunError,
    RunFailed,
    UnknownWait,
)
from codemation.core.launch import Launch
from codemation.host import asking, links
from codemation.host.app import App
from codemation.host.connecting import Connection
from codemation.host.handles import RunHandle
from tests.host.runtime.conftest import opened

SOON = 20.0


class Order(BaseModel):
    """What is decided about."""

    id: str
    total: int = 0


class Verdict(BaseModel):
    """What people fill in."""

    note: str = ""
    grade: int = 0


class Payment(BaseModel):
    """What an event brings."""

    amount: float


PAID = cm.event("payment.received", Payment)
ORDERS = [Order(id="a", total=1), Order(id="b", total=2), Order(id="c", total=3)]


@cm.node
def seen(decided: cm.Decided[Order, Verdict]) -> dict[str, Any]:
    return {"id": decided.item.id, "note": decided.decision.note, "by": decided.by, "yes": decided.approved}


@cm.node
def paid(received: cm.Received[Order, Payment]) -> dict[str, Any]:
    return {"id": received.item.id, "amount": received.event.amount}


def begun(app: App, flow: Any, items: Any = ORDERS) -> RunHandle:
    """A run that has gone as far as it can."""
    return app.launch(Launch(workflow=flow.build(), items=items)).go()


def orders() -> Any:
    return cm.workflow("orders", input=Order)


def test_a_run_comes_back_when_it_waits_for_a_time_and_goes_on_by_itself(app: App) -> None:
    handle = begun(app, orders().wait("1500ms").map(lambda order: order.id))
    assert handle.status == "waiting"
    (wait,) = handle.waits
    assert (wait.kind, wait.node, wait.item) == ("timer", "wait", None)
    assert handle.result(timeout=SOON) == ["a", "b", "c"]
    assert handle.waits == []


def test_a_batch_waits_for_the_latest_of_the_times_of_its_items(app: App) -> None:
    now = datetime.now(UTC)
    late = cm.expr(lambda order: now + timedelta(hours=order.total))
    handle = begun(app, orders().wait(late))
    (wait,) = handle.waits
    assert wait.due_at is not None
    assert abs(wait.due_at - now - timedelta(hours=3)) < timedelta(seconds=1)


def test_a_batch_waits_for_a_while_and_for_a_date_when_its_items_want_either(app: App) -> None:
    now = datetime.now(UTC)
    either = cm.expr(lambda order: timedelta(hours=2) if order.id == "a" else now + timedelta(minutes=1))
    (wait,) = begun(app, orders().wait(either)).waits
    assert wait.due_at is not None
    assert abs(wait.due_at - now - timedelta(hours=2)) < timedelta(minutes=1)


def test_the_end_of_time_is_a_date_that_can_be_waited_for(app: App) -> None:
    for never in (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))):
        (wait,) = begun(app, orders().wait(never)).waits
        assert wait.due_at == datetime(9000, 1, 1, tzinfo=UTC)
    assert begun(app, orders().wait(datetime.min.replace(tzinfo=UTC))).result(timeout=SOON)


def test_a_key_that_is_too_long_to_be_found_by_fails_its_item_and_is_not_sent(app: App) -> None:
    with pytest.raises(RunFailed, match=r"computes a key of 1,001 characters from item 0"):
        begun(app, orders().wait_for_event(PAID, key=lambda order: order.id * 1001)).result()
    for key, dedup, what in (("x" * 1001, None, "key"), ("x", "x" * 1001, "dedup")):
        with pytest.raises(InputError, match=f"the {what} of the event .* has 1,001 characters"):
            asking.send(app, PAID, key, {"amount": 1}, dedup)


def test_a_time_that_is_past_is_waited_for_no_longer_than_it_takes(app: App) -> None:
    handle = begun(app, orders().wait(datetime(2020, 1, 1, tzinfo=UTC)).map(lambda order: order.id))
    assert handle.result(timeout=SOON) == ["a", "b", "c"]


def test_people_decide_about_each_item_and_the_rejected_end(app: App) -> None:
    title = cm.expr(lambda order: f"Order {order.id}")
    handle = begun(app, orders().approve(Verdict, title=title, to=["sales"], expires="48h").then(seen))
    assert [(wait.item, wait.title, wait.to, wait.about) for wait in handle.waits] == [
        (0, "Order a", ("sales",), "Order a"),
        (1, "Order b", ("sales",), "Order b"),
        (2, "Order c", ("sales",), "Order c"),
    ]
    form = handle.waits[0].form
    assert form is not None
    assert set(form["properties"]) == {"note", "grade"}
    first, second, third = handle.waits
    handle.approve(first, note="fine", who="ann")
    handle.reject(second, who="bob")
    assert (handle.status, len(handle.waits)) == ("waiting", 1)
    handle.approve(third.id, who="ann")
    assert handle.result(timeout=SOON) == [
        {"id": "a", "note": "fine", "by": "ann", "yes": True},
        {"id": "c", "note": "", "by": "ann", "yes": True},
    ]
    (rejected,) = handle["approve"]["rejected"].items
    assert (rejected.item.id, rejected.by, rejected.approved) == ("b", "bob", False)
    assert abs(rejected.at - datetime.now(UTC)) < timedelta(hours=1)


def test_people_decide_about_the_batch_as_a_whole_and_the_rejected_go_their_own_way(app: App) -> None:
    title = cm.expr(lambda orders: f"{len(orders)} orders")
    flow = orders().approve(Verdict, title=title, per="batch", rejected=lambda no: no.then(seen, id="told"))
    handle = begun(app, flow)
    (wait,) = handle.waits
    assert (wait.title, wait.item) == ("3 orders", None)
    handle.reject(note="no", who="ann")
    handle.result(timeout=SOON)
    assert [one["id"] for one in handle["told"].items] == ["a", "b", "c"]
    assert {one["note"] for one in handle["told"].items} == {"no"}


def test_who_decides_again_is_told_who_was_faster(app: App) -> None:
    handle = begun(app, orders().approve(Verdict))
    first = handle.waits[0]
    handle.approve(first, who="ann")
    with pytest.raises(AlreadyDecided, match="approved by ann") as caught:
        handle.reject(first)
    assert caught.value.status == 409


def test_what_does_not_fit_the_form_is_refused_and_the_wait_stays_open(app: App) -> None:
    handle = begun(app, orders().approve(Verdict), ORDERS[:1])
    with pytest.raises(InvalidDecision, match="grade") as caught:
        handle.approve(grade="best")
    assert caught.value.status == 422
    assert len(handle.waits) == 1
    plain = begun(app, orders().approve(), ORDERS[:1])
    with pytest.raises(InvalidDecision, match="no more than yes or no"):
        plain.approve(note="x")


def test_a_decision_must_be_about_something_that_is_open(app: App) -> None:
    handle = begun(app, orders().approve(Verdict))
    with pytest.raises(RunError, match="3 decisions are open"):
        handle.approve()
    with pytest.raises(UnknownWait, match="'other'") as caught:
        handle.approve("other")
    assert caught.value.status == 404
    with pytest.raises(UnknownWait):
        asking.decide(app, f"{handle.id}/approve/1/77", approved=True, who="me", fields={})
    with pytest.raises(UnknownWait):
        asking.decide(app, "nonsense", approved=True, who="me", fields={})


@pytest.mark.parametrize(("on_expiry", "port"), [("reject", "rejected"), ("accept", "main")])
def test_what_nobody_decides_in_time_goes_as_its_author_has_said(app: App, on_expiry: Any, port: str) -> None:
    handle = begun(app, orders().approve(Verdict, expires="300ms", on_expiry=on_expiry), ORDERS[:1])
    waits = handle.waits
    handle.result(timeout=SOON)
    (decided,) = handle["approve"][port].items
    assert (decided.by, decided.decision, decided.approved) == ("", Verdict(), on_expiry == "accept")
    for wait in waits:
        with pytest.raises(RunError):
            handle.approve(wait)


def test_who_decides_after_the_time_is_told_so(app: App) -> None:
    handle = begun(app, orders().approve(Verdict, expires="300ms"), ORDERS[:1])
    wait = handle.waits[0]
    app.scheduler.pause(handle.watched)  # type: ignore[arg-type]
    time.sleep(0.4)
    with pytest.raises(DecisionExpired) as caught:
        app.attach(handle.id).approve(wait)
    assert caught.value.status == 410


def test_an_item_that_nobody_decides_about_may_fail_the_node(app: App) -> None:
    handle = begun(app, orders().approve(Verdict, expires="300ms", on_expiry="fail"), ORDERS[:1])
    with pytest.raises(RunFailed, match="nobody has decided about item 0"):
        handle.result(timeout=SOON)


def test_half_of_a_batch_stays_decided_when_the_run_is_cancelled_and_resumed(app: App) -> None:
    workflow = orders().approve(Verdict).then(seen).build()
    handle = app.launch(Launch(workflow=workflow, items=ORDERS)).go()
    handle.approve(handle.waits[0], note="kept", who="ann")
    handle.cancel()
    app.caretaker.fold()
    assert app.attach(handle.id).waits == []
    again = app.resume(handle.id, workflow).go()
    assert [wait.item for wait in again.waits] == [1, 2]
    for wait in again.waits:
        again.approve(wait, who="bob")
    assert [(one["note"], one["by"]) for one in again.result(timeout=SOON)] == [
        ("kept", "ann"),
        ("", "bob"),
        ("", "bob"),
    ]


def test_an_event_wakes_the_item_whose_key_it_has(app: App) -> None:
    handle = begun(app, orders().wait_for_event(PAID, key=lambda order: order.id).then(paid))
    assert [wait.event for wait in handle.waits] == [f"payment.received:{key}" for key in "abc"]
    for at, key in enumerate("cab"):
        assert asking.send(app, PAID, key, {"amount": at}, None)
    assert handle.result(timeout=SOON) == [
        {"id": "a", "amount": 1.0},
        {"id": "b", "amount": 2.0},
        {"id": "c", "amount": 0.0},
    ]


def test_an_event_that_comes_early_is_kept_and_one_that_comes_twice_is_one(app: App) -> None:
    assert asking.send(app, PAID, "a", Payment(amount=5), "p1")
    assert not asking.send(app, PAID, "a", Payment(amount=6), "p1")
    handle = begun(app, orders().wait_for_event(PAID, key=lambda order: order.id).then(paid), ORDERS[:1])
    assert handle.status == "succeeded"
    assert handle.output == [{"id": "a", "amount": 5.0}]


def test_an_event_that_comes_too_late_leaves_the_item_to_its_branch(app: App) -> None:
    late = cm.node(id="late")(lambda order: order)
    flow = orders().wait_for_event(
        PAID, key=lambda order: order.id, timeout="300ms", on_timeout=lambda o: o.map(lambda order: order.id, id="late")
    )
    handle = begun(app, flow, ORDERS[:1])
    handle.result(timeout=SOON)
    assert handle["late"].items == ["a"]
    assert asking.send(app, PAID, "a", Payment(amount=5), None)
    assert late.id == "late"


def test_an_item_that_waits_in_vain_without_a_branch_is_an_error(app: App) -> None:
    handle = begun(app, orders().wait_for_event(PAID, key=lambda order: order.id, timeout="300ms"), ORDERS[:1])
    with pytest.raises(RunFailed, match=r'no event "payment\.received" has come for item 0'):
        handle.result(timeout=SOON)


def test_what_does_not_fit_an_event_is_not_sent(app: App) -> None:
    with pytest.raises(InputError, match="amount"):
        asking.send(app, PAID, "a", {"amount": "much"}, None)
    assert app.stores.events.kept() == ()


def test_another_process_goes_on_when_the_wait_is_over(app: App, tmp_path: Path) -> None:
    workflow = orders().approve(Verdict).then(seen).build()
    handle = app.launch(Launch(workflow=workflow, items=ORDERS[:1])).go()
    app.scheduler.pause(handle.watched)  # type: ignore[arg-type]
    with opened(app.stores, tmp_path) as other:
        other.know(workflow)
        other.attach(handle.id).approve(note="ok", who="ann")
        resumed = other.resume(handle.id, workflow)
        assert resumed.result(timeout=SOON) == [{"id": "a", "note": "ok", "by": "ann", "yes": True}]


def test_a_token_is_given_out_by_a_run_and_taken_by_a_connection(app: App) -> None:
    handle = begun(app, orders().approve(Verdict, to=["sales"]).then(seen), ORDERS[:1])
    database = Connection(app, owned=False)
    assert [(wait.run, wait.to) for wait in database.waits("approval")] == [(handle.id, ("sales",))]
    assert database.waits("event") == []
    token = handle.decision_token(who="ann")
    with pytest.raises(InvalidDecision, match="did you mean 'note'"):
        database.decide(token, approved=True, nte="x")
    database.decide(token, approved=True, note="ok")
    with pytest.raises(AlreadyDecided, match="was approved by ann"):
        database.decide(token, approved=False)
    assert handle.result(timeout=SOON) == [{"id": "a", "note": "ok", "by": "ann", "yes": True}]
    with pytest.raises(UnknownWait):
        handle.decision_token(who="bob")


def test_a_link_lets_its_bearer_decide_and_nobody_else(app: App, tmp_path: Any) -> None:
    handle = begun(app, orders().approve(Verdict), ORDERS[:1])
    token = links.link_token(tmp_path, handle.waits[0].id, "ann@example.com")
    wait, who = links.read_link(tmp_path, token)
    asking.decide(app, wait, approved=True, who=who, fields={})
    with pytest.raises(AlreadyDecided, match=r"ann@example\.com"):
        asking.decide(app, wait, approved=True, who=who, fields={})
    head, _, tail = token.partition(".")
    for forged in (f"{head}x.{tail}", f"{head}.{tail[:-4]}AAAA", "…", head):
        with pytest.raises(InvalidLink):
            links.read_link(tmp_path, forged)
    assert (tmp_path / "links.key").stat().st_mode & 0o077 == 0
