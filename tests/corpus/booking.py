"""10. Booking: long wait, event, time-out, compensation."""

# pyright: strict

from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class Booking(BaseModel):
    id: str
    seats: int


class Payment(BaseModel):
    amount: float


class Ticket(BaseModel):
    id: str


DONE = Deeds("booking")
"""What the workflow has done to the world."""

paid = cm.event("payment.received", Payment)


@cm.node
async def reserve(b: Booking) -> Booking:
    DONE.append(f"reserved {b.id}")
    return b


@cm.node
async def release(b: Booking) -> Booking:
    DONE.append(f"released {b.id}")
    return b


@cm.node
async def refund(f: cm.Failure[cm.Received[Booking, Payment]]) -> Booking:
    DONE.append(f"refunded {f.item.event.amount} to {f.item.item.id}")
    return f.item.item


@cm.node
async def issue(r: cm.Received[Booking, Payment]) -> Ticket:
    return Ticket(id=r.item.id)


@cm.node
async def print_ticket(t: Ticket) -> Ticket:
    if t.id.startswith("jam"):
        raise OSError("paper jam")
    DONE.append(f"printed {t.id}")
    return t


@cm.node
async def remind(t: Ticket) -> None:
    DONE.append(f"reminded {t.id}")


def ticketing(f: cm.Flow[cm.Received[Booking, Payment]]) -> cm.Flow[Ticket]:
    return f.then(issue).then(print_ticket)


def cancel(f: cm.Flow[Booking]) -> cm.Flow[Booking]:
    return f.then(release, id="release_late")


booking = (
    cm.workflow("travel.booking", input=Booking, timeout="30d")
    .on(cm.webhook("/bookings"))
    .then(reserve)
    .wait_for_event(paid, key=lambda b: b.id, timeout="7d", on_timeout=lambda b: cancel(b).end())
    .pipe(ticketing, on_error=lambda f: f.then(refund).then(release, id="release_failed").end())
    .wait("24h")
    .then(remind)
    .build()
)
