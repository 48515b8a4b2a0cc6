"""Pieces whose failures are caught: the handler is given the item that entered the piece (api §4, semantics §5)."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from tests.host.runtime.conftest import Run


class Booking(BaseModel):
    id: int
    seats: int = 1


class Ticket(BaseModel):
    id: int


BOOKINGS = [Booking(id=1), Booking(id=2), Booking(id=3, seats=2)]


@cm.node
def issue(booking: Booking) -> Ticket:
    if booking.id == 2:
        raise ValueError("no seat")
    return Ticket(id=booking.id)


@cm.node
def print_ticket(ticket: Ticket) -> Ticket:
    if ticket.id == 3:
        raise OSError("no paper")
    return ticket


@cm.node
def refund(failure: cm.Failure[Booking]) -> str:
    return f"refund {failure.item.id}: {failure.type} at {failure.node}"


@cm.node
def each_seat(booking: Booking) -> list[Ticket]:
    return [Ticket(id=10 * booking.id + seat) for seat in range(booking.seats)]


@cm.node
def fussy(ticket: Ticket) -> int:
    if ticket.id in (30, 31, 10):
        raise ValueError(f"not {ticket.id}")
    return ticket.id


@cm.node
def all_at_once(tickets: list[Ticket]) -> int:
    raise RuntimeError("the printer burns")


@cm.node
def count(failure: cm.Failure[Any]) -> str:
    return f"{type(failure.item).__name__} of {len(failure.item)}: {failure.error}"


def absent() -> str:
    raise OSError("nothing there")


@cm.node
def with_tool(booking: Booking, tool: Annotated[str, cm.use(absent)]) -> int:
    return 1


def ticketing(flow: cm.Flow[Booking]) -> cm.Flow[Ticket]:
    return flow.then(issue).then(print_ticket)


def begun() -> Any:
    return cm.workflow("w", input=Booking)


def joined(flow: Any) -> Any:
    return flow.map(lambda value: value, id="joined").build()


def test_a_failure_comes_with_the_item_that_entered_the_piece(run: Run) -> None:
    done = run(joined(begun().pipe(ticketing, on_error=refund)), BOOKINGS)
    assert done.output == [Ticket(id=1), "refund 2: ValueError at issue", "refund 3: OSError at print_ticket"]
    assert done.status == "succeeded"


def test_a_handler_that_ends_does_not_join(run: Run) -> None:
    flow = begun().pipe(ticketing, on_error=lambda failed: failed.then(refund).end())
    assert run(joined(flow), BOOKINGS).output == [Ticket(id=1)]


def test_without_failures_the_handler_is_skipped(run: Run) -> None:
    done = run(joined(begun().pipe(ticketing, on_error=refund)), BOOKINGS[:1])
    assert done.output == [Ticket(id=1)]
    assert done["refund"].status == "skipped"


def test_items_are_found_again_through_filters_branches_and_splits_and_fail_once(run: Run) -> None:
    def piece(flow: Any) -> Any:
        return (
            flow.filter(lambda booking: booking.id != 2)
            .branch(lambda booking: booking.seats > 1, yes=lambda many: many.then(each_seat))
            .map(lambda one: Ticket(id=one.id * 10) if isinstance(one, Booking) else one)
            .then(fussy)
        )

    done = run(joined(begun().pipe(piece, on_error=refund)), BOOKINGS)
    assert done.output == ["refund 1: ValueError at fussy", "refund 3: ValueError at fussy"]


def test_the_failure_of_a_whole_batch_comes_with_the_batch_that_entered(run: Run) -> None:
    def piece(flow: Any) -> Any:
        return flow.map(lambda booking: Ticket(id=booking.id)).then(all_at_once)

    done = run(joined(begun().pipe(piece, on_error=count)), BOOKINGS)
    assert done.output == ["list of 3: the printer burns"]


def test_what_is_numbered_anew_inside_concerns_the_whole_batch(run: Run) -> None:
    def piece(flow: Any) -> Any:
        return flow.aggregate(lambda bookings: Ticket(id=10)).then(fussy)

    assert run(joined(begun().pipe(piece, on_error=count)), BOOKINGS).output == ["list of 3: not 10"]


def test_what_a_node_sees_to_itself_is_not_caught(run: Run) -> None:
    def piece(flow: Any) -> Any:
        return flow.then(issue, on_error="drop").then(print_ticket)

    done = run(joined(begun().pipe(piece, on_error=refund)), BOOKINGS)
    assert done.output == [Ticket(id=1), "refund 3: OSError at print_ticket"]


def test_the_innermost_piece_catches_and_its_handler_belongs_to_the_outer_one(run: Run) -> None:
    @cm.node
    def broken(failure: cm.Failure[Booking]) -> str:
        raise RuntimeError(f"cannot see to {failure.item.id}")

    def outer(flow: Any) -> Any:
        return flow.pipe(lambda inner: inner.then(issue), on_error=broken, title="inner")

    done = run(joined(begun().pipe(outer, on_error=refund)), BOOKINGS)
    assert done.output == [Ticket(id=1), "refund 2: RuntimeError at broken", Ticket(id=3)]


def test_what_goes_wrong_before_any_call_is_caught_as_well(run: Run) -> None:
    done = run(joined(begun().pipe(lambda flow: flow.then(with_tool), on_error=count)), BOOKINGS)
    assert done.output[0].startswith("list of 3: cm.use(absent) cannot be opened")

    @cm.node
    def unstorable(booking: Booking) -> Any:
        return object()

    done = run(joined(begun().pipe(lambda flow: flow.then(unstorable), on_error=count)), BOOKINGS)
    assert "object cannot be stored" in done.output[0]


def test_a_join_inside_of_a_piece_is_caught(run: Run) -> None:
    def piece(flow: Any) -> Any:
        return flow.map(lambda booking: {"a": booking.id}, id="left").join(
            flow.map(lambda booking: {"b": booking.id}, id="right"), on="a"
        )

    done = run(joined(begun().pipe(piece, on_error=count)), BOOKINGS)
    assert done.output == ["list of 3: a record to join has no field 'a'; it has 'b'"] or "no field" in done.output[0]


def test_retries_come_before_the_handler_and_a_failing_handler_fails_the_run(run: Run) -> None:
    tries: list[int] = []

    @cm.node(retry=cm.Retry(2))
    def flaky(booking: Booking) -> Ticket:
        tries.append(booking.id)
        raise ValueError("no")

    @cm.node
    def give_up(failure: cm.Failure[Booking]) -> None:
        raise RuntimeError("really no")

    with pytest.raises(RunFailed, match="really no"):
        run(begun().pipe(lambda flow: flow.then(flaky), on_error=give_up).build(), BOOKINGS[:1])
    assert tries == [1, 1]


def test_a_piece_that_catches_is_drawn_as_one_group_with_its_catch() -> None:
    workflow = joined(begun().pipe(ticketing, on_error=refund, title="Give tickets"))
    node = workflow.definition.plan.nodes["Give_tickets_failed"]
    assert (node.kind, node.groups) == ("catch", ("Give tickets",))
    assert workflow.definition.plan.nodes["issue"].caught_by == "Give_tickets_failed"
    assert "Give_tickets_failed" in workflow.text()
    assert "Give_tickets_failed" in workflow.mermaid()
    assert "catch" in workflow.svg()
    assert type(workflow.definition).from_json(workflow.definition.to_json()) == workflow.definition


def test_a_piece_in_which_nothing_can_be_caught_is_a_mistake() -> None:
    flow = begun().pipe(lambda flow: flow.then(issue, on_error="drop"), on_error=refund, title="calm")
    with pytest.raises(cm.AuthorError, match="nothing inside of the piece could come to") as caught:
        flow.build()
    assert len(caught.value.mistakes) == 1


def test_a_port_called_error_cannot_be_caught() -> None:
    class Split(cm.Ports):
        error: Booking = cm.port()

    @cm.node
    def parting(booking: Booking) -> Split:
        return Split(error=booking)

    def piece(flow: Any) -> Any:
        return flow.then(parting)["error"].then(issue)

    with pytest.raises(cm.AuthorError, match='"parting" has a port "error" of its own'):
        begun().pipe(piece, on_error=refund).build()
