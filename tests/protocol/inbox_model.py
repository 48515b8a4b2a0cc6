"""Signals arrive in a run's inbox while somebody folds it.

A sender inserts its signal and makes sure that the run has a fold ticket, in one transaction. The folder claims the
ticket, reads the signals in a later statement, and ends by deleting exactly those and the ticket. A signal that
commits between reading and ending must not be left behind. Whoever inserts or updates the ticket holds its row
until the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from tests.protocol.exploration import Move


class Waking(Enum):
    """What a sender does with a fold ticket that exists, and what the folder does with it in the end."""

    COUNTED = "the sender raises a counter on it; the folder deletes it only if nobody raised it since the claim"
    LEFT_ALONE = "the sender leaves it alone; the folder deletes it"
    LOOKED_AFTER = "the sender leaves it alone; the folder deletes it unless its ending statement sees another signal"


class Sending(Enum):
    """How far a sender is."""

    BEFORE = "not begun"
    INSERTED = "inserted and the fold ticket left alone, not committed"
    WOKE = "inserted and the fold ticket written, not committed"
    COMMITTED = "committed"


class Folding(Enum):
    """How far the folder of the ticket is."""

    UNCLAIMED = "unclaimed"
    CLAIMED = "claimed"
    READ = "it has read the inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTicket:
    """The run's one fold ticket: its counter, and what its folder remembers."""

    wakes: int = 0
    folding: Folding = Folding.UNCLAIMED
    wakes_at_claim: int = 0
    signals_read: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The committed inbox and fold ticket, and the transactions of two senders."""

    inbox: frozenset[int] = frozenset()
    ticket: FoldTicket | None = None
    senders: tuple[Sending, Sending] = (Sending.BEFORE, Sending.BEFORE)
    kills: int = 1

    def sent(self, index: int, sending: Sending) -> World:
        """Return the world with one sender further on."""
        first, second = self.senders
        return replace(self, senders=(sending, second) if index == 0 else (first, sending))


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxModel:
    """Two signals, one fold ticket, one kill of its folder."""

    waking: Waking = Waking.COUNTED

    def initial(self) -> World:
        """The inbox is empty and nobody has anything to fold."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what the senders and the folder can do next."""
        for index, sending in enumerate(world.senders):
            yield from self._send(world, index, sending)
        if world.ticket is not None:
            yield from self._fold(world, world.ticket)

    def _send(self, world: World, index: int, sending: Sending) -> Iterator[Move[World]]:
        locked = Sending.WOKE in world.senders
        leaves_alone = world.ticket is not None and self.waking is not Waking.COUNTED
        match sending:
            case Sending.BEFORE if leaves_alone:
                label = f"sender {index} inserts its signal and finds the fold ticket"
                yield Move(label=label, after=world.sent(index, Sending.INSERTED))
            case Sending.BEFORE if not locked:
                label = f"sender {index} inserts its signal and writes the fold ticket"
                yield Move(label=label, after=world.sent(index, Sending.WOKE))
            case Sending.INSERTED | Sending.WOKE:
                after = replace(world.sent(index, Sending.COMMITTED), inbox=world.inbox | {index})
                if sending is Sending.WOKE:
                    ticket = world.ticket or FoldTicket()
                    after = replace(after, ticket=replace(ticket, wakes=ticket.wakes + 1))
                yield Move(label=f"sender {index} commits", after=after)
            case Sending.BEFORE | Sending.COMMITTED:
                return
            case _:
                assert_never(sending)

    def _fold(self, world: World, ticket: FoldTicket) -> Iterator[Move[World]]:
        locked = Sending.WOKE in world.senders
        match ticket.folding:
            case Folding.UNCLAIMED if not locked:
                claimed = replace(ticket, folding=Folding.CLAIMED, wakes_at_claim=ticket.wakes)
                yield Move(label="the folder claims the fold ticket", after=replace(world, ticket=claimed))
            case Folding.CLAIMED:
                read = replace(ticket, folding=Folding.READ, signals_read=world.inbox)
                yield Move(label=f"the folder reads {len(world.inbox)} signals", after=replace(world, ticket=read))
            case Folding.READ if not locked:
                yield self._end(world, ticket)
            case Folding.UNCLAIMED | Folding.READ:
                return
            case _:
                assert_never(ticket.folding)
        if ticket.folding is not Folding.UNCLAIMED and world.kills and not locked:
            freed = FoldTicket(wakes=ticket.wakes)
            after = replace(world, ticket=freed, kills=world.kills - 1)
            yield Move(label="the folder IS KILLED and taken over", after=after, fault=True)

    def _end(self, world: World, ticket: FoldTicket) -> Move[World]:
        inbox = world.inbox - ticket.signals_read
        match self.waking:
            case Waking.COUNTED:
                again = ticket.wakes != ticket.wakes_at_claim
            case Waking.LEFT_ALONE:
                again = False
            case Waking.LOOKED_AFTER:
                again = bool(inbox)
            case _:
                assert_never(self.waking)
        after = replace(world, inbox=inbox, ticket=FoldTicket(wakes=ticket.wakes) if again else None)
        label = f"the folder ends and {'leaves the ticket ready' if again else 'deletes the ticket'}"
        return Move(label=label, after=after)

    def violation(self, world: World) -> str | None:
        """Name a signal in the inbox of a run that has no fold ticket, nor one under way."""
        if world.inbox and world.ticket is None and Sending.WOKE not in world.senders:
            return "a signal lies in the inbox, and nobody will fold it"
        return None

    def unsettled(self, world: World) -> str | None:
        """Name a signal that was committed and never folded."""
        return "a signal was never folded" if world.inbox else None
