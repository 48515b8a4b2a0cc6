"""What delivering a signal led to: what its bringer goes on with, what anybody may claim, or why it was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import StrEnum

from codemation.core.ids import TicketId
from codemation.core.ports import Claim, Commit, GoOn, Leave, NewTicket
from codemation.core.sealed import sealed

DEFAULT = "default"
"""The queue of what names none."""
SESSION = "(session)"
"""The queue of all that is due in a session: it goes on when it is told to, by whoever has it open."""


class Refusal(StrEnum):
    """Why a result was not recorded."""

    SILENCE = "silence"
    """It was late or said twice."""
    STOPPING = "stopping"
    """The run was asked to stop."""
    TAKEN_OVER = "taken over"
    """Somebody else holds the ticket now."""
    OVERTAKEN = "overtaken"
    """Another revision was written first; the signal has to be folded again. Never seen outside of the engine."""


@sealed
class Outcome:
    """What delivering a signal led to."""

    next: Claim | None = None
    """What the same worker goes on with."""
    ready: tuple[TicketId, ...] = ()
    """Other tickets that may be claimed now."""
    priorities: Mapping[TicketId, int] = field(default_factory=dict)
    """Of those that have one: the higher goes first."""
    queues: Mapping[TicketId, str] = field(default_factory=dict)
    """Of those that are not in the queue `default`."""
    later: tuple[TicketId, float] | None = None
    """A ticket that waits, and the seconds."""
    refusal: Refusal | None = None


def priorities(tickets: Iterable[NewTicket]) -> Mapping[TicketId, int]:
    """The priorities of those tickets that have one."""
    return {ticket.id: ticket.priority for ticket in tickets if ticket.priority}


def queues(tickets: Iterable[NewTicket]) -> Mapping[TicketId, str]:
    """The queues of those tickets that are not in the default one."""
    return {ticket.id: ticket.queue for ticket in tickets if ticket.queue != DEFAULT}


def outcome_of(claim: Claim, commit: Commit) -> Outcome:
    """What a commit has led to that stands."""
    if not commit.more and isinstance(commit.then, GoOn):
        return Outcome(next=claim.going_on(commit.then.activation))
    ready = tuple(ticket.id for ticket in commit.more)
    urgent, named = priorities(commit.more), queues(commit.more)
    match commit.then:
        case GoOn(activation=activation):
            return Outcome(next=claim.going_on(activation), ready=ready, priorities=urgent, queues=named)
        case Leave(delay=delay, queue=queue):
            ticket = claim.holding.ticket
            named = {**named, ticket: queue} if queue != DEFAULT else named
            return Outcome(later=(ticket, delay), ready=ready, priorities=urgent, queues=named)
        case _:
            return Outcome(ready=ready, priorities=urgent, queues=named)
