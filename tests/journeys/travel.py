"""The booking of the journeys: a payment within seconds or seats are released, a ticket, a reminder after a while."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

import codemation as cm
from tests.journeys.ledger import note

IN_TIME = 2.0
"""Seconds within which a booking has to be paid."""
WAYS = ("early", "in time", "late", "twice", "any time", "never")
"""When the payment of a booking comes."""


class Trip(cm.Params):
    """What a run is asked for."""

    ledger: Path
    """Where the effects go."""


class Booking(BaseModel):
    """Some seats."""

    id: str


class Payment(BaseModel):
    """What comes from outside."""

    amount: float


class Ticket(BaseModel):
    """What is had for it."""

    id: str
    amount: float


paid = cm.event("journeys.paid", Payment)


@cm.node
def reserve(booking: Booking, params: Trip, ctx: cm.Context) -> Booking:
    note(params.ledger, ctx)
    return booking


@cm.node
def release(booking: Booking, params: Trip, ctx: cm.Context) -> str:
    note(params.ledger, ctx)
    return booking.id


@cm.node
def issue(received: cm.Received[Booking, Payment], params: Trip, ctx: cm.Context) -> Ticket:
    note(params.ledger, ctx)
    return Ticket(id=received.item.id, amount=received.event.amount)


@cm.node
def remind(ticket: Ticket, params: Trip, ctx: cm.Context) -> Ticket:
    note(params.ledger, ctx)
    return ticket


travel = (
    cm.workflow("journeys.travel", params=Trip, input=Booking, timeout="30d")
    .then(reserve)
    .wait_for_event(
        paid, key=lambda booking: booking.id, timeout=f"{IN_TIME}s", on_timeout=lambda late: late.then(release).end()
    )
    .then(issue)
    .wait("700ms")
    .then(remind)
    .build()
)


def bookings(key: str) -> list[Booking]:
    """What a run of this key books: one for each way in which a payment may come."""
    return [Booking(id=f"{key} {way}") for way in WAYS]
