"""Workflow 10 of the API, and decisions: what people and events bring is typed, whichever branch it comes from."""

# pyright: strict

from datetime import timedelta

import codemation as cm
from pydantic import BaseModel
from typing_extensions import TypeVar, assert_type

T = TypeVar("T")


def item(flow: cm.Flow[T]) -> T: ...


class Booking(BaseModel):
    id: str
    seats: int


class Payment(BaseModel):
    amount: float


class Ticket(BaseModel):
    id: str


class Verdict(BaseModel):
    note: str = ""


paid = cm.event("payment.received", Payment)


@cm.node
def issue(received: cm.Received[Booking, Payment]) -> Ticket: ...


@cm.node
def release(booking: Booking) -> Booking: ...


@cm.node
def accepted(decided: cm.Decided[Booking, Verdict]) -> Booking: ...


@cm.node
def refused(decided: cm.Decided[Booking, Verdict]) -> None: ...


start = cm.workflow("travel.booking", input=Booking, timeout="30d")
assert_type(item(start.wait("24h")), Booking)
assert_type(item(start.wait(timedelta(days=1))), Booking)
assert_type(item(start.wait_for_event(paid, key=lambda booking: booking.id)), cm.Received[Booking, Payment])
assert_type(item(start.approve(Verdict)), cm.Decided[Booking, Verdict])
assert_type(item(start.approve()), cm.Decided[Booking, None])

booking = (
    start.wait_for_event(
        paid, key=lambda booking: booking.id, timeout="7d", on_timeout=lambda late: late.then(release).end()
    )
    .then(issue)
    .wait("24h")
    .build()
)
decided = (
    cm.workflow("travel.decided", input=Booking)
    .approve(
        Verdict,
        title="A booking",
        to=["sales"],
        expires="48h",
        on_expiry="reject",
        rejected=lambda no: no.then(refused).end(),
    )
    .then(accepted)
    .build()
)
passed = cm.workflow("travel.passed", input=Booking).wait_for_event(
    paid, key=lambda booking: booking.id, timeout="7d", on_timeout=release
)
assert_type(item(passed), cm.Received[Booking, Payment] | Booking)


def answered(run: cm.Run) -> None:
    run.approve(note="fine", who="ann")
    run.reject(run.waits[0])
    assert_type(run.decision_token(who="ann"), str)
    assert_type(paid.send("a", Payment(amount=5), dedup="p1"), bool)
    assert_type(paid.send("a", {"amount": 5}), bool)
