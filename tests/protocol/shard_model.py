"""The life of an activation that is split: given up, worked on in parts, lost, stopped, joined and recorded.

Two workers and two shards. A worker may die, or be condemned although it lives; an answer may be lost; somebody may
cancel the run. What `join_model` asks of one statement, this asks of the order of all of them: is the activation
recorded once, after every shard has ended, and is nobody left waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from tests.protocol.exploration import Move


class Way(Enum):
    """What is done in which order."""

    RECOMMENDED = "split under the run's lock; a fenced end counts down and claims the activation in one statement"
    UNFENCED_END = "an end counts down whoever holds the shard"
    SPLIT_WITHOUT_THE_RUN = "a split locks the ticket alone"
    END_IGNORES_A_CANCEL = "an end claims the activation although it is marked"
    CLAIM_APART = "an end counts down, and claims the activation in a second statement"
    POISON_WITHOUT_COUNTING = "a shard that is given up is deleted, and not counted"


class Place(Enum):
    """Where a ticket stands."""

    ABSENT = "not there"
    READY = "ready"
    HELD = "held"
    WAITING = "waiting"
    GONE = "done with"


class Cancel(Enum):
    """How far a cancel is."""

    NONE = "nobody asks"
    SEEN = "the run is stopped, and what is there to mark has been looked for, in one transaction"
    DONE = "acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A row: its place, who holds it at which fence, whether a cancel has marked it, how many shards it waits for."""

    place: Place = Place.ABSENT
    owner: int | None = None
    fence: int = 0
    marked: bool = False
    left: int = 0
    split: bool = False


PARENT = 0
SHARDS = (1, 2)
NAMES = ("the activation", "shard 1", "shard 2")
DEAD = -1
"""Who holds what a dead or condemned worker held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The three tickets, what each worker believes to hold (a ticket and its fence), and the faults still to come."""

    tickets: tuple[Ticket, ...] = (Ticket(place=Place.HELD, owner=0, fence=1), Ticket(), Ticket())
    hands: tuple[tuple[int, int] | None, ...] = ((PARENT, 1), None)
    claims: tuple[int | None, ...] = (None, None)
    """Of a worker that has counted to nothing and not yet claimed the activation."""
    recorded: int = 0
    ended: frozenset[int] = frozenset()
    cancel: Cancel = Cancel.NONE
    seen: frozenset[int] = frozenset()
    wrong: str = ""
    kills: int = 0
    condemnations: int = 0
    cancels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardModel:
    """One activation in two parts."""

    way: Way = Way.RECOMMENDED
    kills: int = 1
    condemnations: int = 1
    cancels: int = 0
    poison: bool = field(default=False)
    """A shard that is lost once is given up."""

    def initial(self) -> World:
        """One worker holds the activation."""
        return World(kills=self.kills, condemnations=self.condemnations, cancels=self.cancels)

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what workers, caretaker and whoever cancels can do next."""
        for worker in range(len(world.hands)):
            yield from self._worker(world, worker)
        yield from self._caretaker(world)
        yield from self._canceller(world)

    def _worker(self, world: World, worker: int) -> Iterator[Move[World]]:
        hand = world.hands[worker]
        if world.claims[worker] is not None:
            yield Move(label=f"worker {worker} claims what it has counted out", after=_claimed_apart(world, worker))
        elif hand is None:
            yield from self._claims(world, worker)
        elif hand[0] == PARENT:
            yield from self._with_parent(world, worker, hand[1])
        else:
            yield Move(label=f"worker {worker} ends {NAMES[hand[0]]}", after=self._ended(world, worker, *hand))
        if world.kills and hand is not None:
            down = replace(_condemned(_handed(world, worker, None), worker), kills=world.kills - 1)
            down = replace(down, claims=_with(down.claims, worker, None))
            yield Move(label=f"worker {worker} IS KILLED and starts anew", after=down, fault=True)
        if world.condemnations and hand is not None:
            condemned = replace(_condemned(world, worker), condemnations=world.condemnations - 1)
            yield Move(label=f"worker {worker} IS CONDEMNED and lives", after=condemned, fault=True)

    def _claims(self, world: World, worker: int) -> Iterator[Move[World]]:
        for number, ticket in enumerate(world.tickets):
            if ticket.place is Place.READY and not ticket.marked:
                after = _given(world, number, worker)
                if world.cancel is Cancel.DONE:
                    after = replace(after, wrong=f"{NAMES[number]} was claimed after the cancel was acknowledged")
                yield Move(label=f"worker {worker} claims {NAMES[number]}", after=after)

    def _with_parent(self, world: World, worker: int, fence: int) -> Iterator[Move[World]]:
        parent, free = world.tickets[PARENT], _handed(world, worker, None)
        if (parent.place, parent.owner, parent.fence) != (Place.HELD, worker, fence):
            yield Move(label=f"worker {worker} is refused the activation", after=free)
        elif world.cancel is not Cancel.NONE and parent.split:
            yield Move(label=f"worker {worker} hands the join back", after=_placed(free, PARENT, Place.GONE))
        elif parent.split:
            early = "" if world.ended == frozenset(SHARDS) else "the join was recorded before every shard had ended"
            done = replace(_placed(free, PARENT, Place.GONE), recorded=world.recorded + 1, wrong=early)
            yield Move(label=f"worker {worker} records the join", after=done)
        elif world.cancel is Cancel.NONE or (
            world.cancel is Cancel.SEEN and self.way is Way.SPLIT_WITHOUT_THE_RUN and not parent.marked
        ):
            yield Move(label=f"worker {worker} splits the activation", after=_split(free))
        elif world.cancel is Cancel.DONE:
            yield Move(label=f"worker {worker} hands the activation back", after=_placed(free, PARENT, Place.GONE))

    def _ended(self, world: World, worker: int, number: int, fence: int) -> World:
        ticket, free = world.tickets[number], _handed(world, worker, None)
        holds = (ticket.place, ticket.owner, ticket.fence) == (Place.HELD, worker, fence)
        if self.way is not Way.UNFENCED_END and not holds:
            return free
        if ticket.marked and self.way is not Way.END_IGNORES_A_CANCEL:
            return _placed(free, number, Place.GONE)
        after = _placed(replace(free, ended=free.ended | {number}), number, Place.GONE)
        return self._counted(after, worker)

    def _counted(self, world: World, worker: int | None) -> World:
        """Count down, and let the worker have the activation if nothing is left; without a worker, anybody."""
        parent = world.tickets[PARENT]
        if parent.place is not Place.WAITING:
            return world
        left = parent.left - 1
        world = _changed(world, PARENT, replace(parent, left=left))
        if left > 0:
            return world
        if worker is None:
            return _placed(world, PARENT, Place.READY)
        if self.way is Way.CLAIM_APART:
            return replace(_handed(world, worker, (PARENT, 0)), claims=_with(world.claims, worker, PARENT))
        given = _given(world, PARENT, worker)
        if world.cancel is Cancel.DONE:
            return replace(given, wrong="the activation was claimed after the cancel was acknowledged")
        return given

    def _caretaker(self, world: World) -> Iterator[Move[World]]:
        for number, ticket in enumerate(world.tickets):
            if ticket.place is not Place.HELD or ticket.owner != DEAD:
                continue
            if ticket.marked:
                yield Move(label=f"{NAMES[number]} is taken over, and goes", after=_placed(world, number, Place.GONE))
            elif number != PARENT and self.poison:
                gone = _placed(replace(world, ended=world.ended | {number}), number, Place.GONE)
                counts = self.way is not Way.POISON_WITHOUT_COUNTING
                after = self._counted(gone, None) if counts else gone
                yield Move(label=f"{NAMES[number]} is given up", after=after)
            else:
                yield Move(label=f"{NAMES[number]} is taken over", after=_placed(world, number, Place.READY))

    def _canceller(self, world: World) -> Iterator[Move[World]]:
        if world.cancel is Cancel.NONE and world.cancels and not world.recorded:
            there = frozenset(at for at, one in enumerate(world.tickets) if one.place is not Place.ABSENT)
            seen = replace(world, cancel=Cancel.SEEN, seen=there, cancels=world.cancels - 1)
            yield Move(label="somebody CANCELS: the run is stopped, the tickets are looked for", after=seen, fault=True)
        if world.cancel is Cancel.SEEN:
            marked = [replace(one, marked=at in world.seen) for at, one in enumerate(world.tickets)]
            after = replace(world, cancel=Cancel.DONE, tickets=tuple(marked), seen=frozenset())
            yield Move(label="the tickets that were found are marked, and the cancel is acknowledged", after=after)

    def violation(self, world: World) -> str | None:
        """Name what must never be."""
        return world.wrong or ("the join was recorded twice" if world.recorded > 1 else None)

    def unsettled(self, world: World) -> str | None:
        """Name an activation that nobody goes on with."""
        return None if world.recorded or world.cancel is Cancel.DONE else "the activation is stuck"


def _with(values: tuple[int | None, ...], at: int, value: int | None) -> tuple[int | None, ...]:
    return tuple(value if number == at else one for number, one in enumerate(values))


def _handed(world: World, worker: int, hand: tuple[int, int] | None) -> World:
    return replace(world, hands=tuple(hand if at == worker else one for at, one in enumerate(world.hands)))


def _changed(world: World, number: int, ticket: Ticket) -> World:
    return replace(world, tickets=tuple(ticket if at == number else one for at, one in enumerate(world.tickets)))


def _placed(world: World, number: int, place: Place) -> World:
    return _changed(world, number, replace(world.tickets[number], place=place, owner=None))


def _given(world: World, number: int, worker: int) -> World:
    ticket = world.tickets[number]
    held = replace(ticket, place=Place.HELD, owner=worker, fence=ticket.fence + 1)
    return _handed(_changed(world, number, held), worker, (number, held.fence))


def _claimed_apart(world: World, worker: int) -> World:
    world = replace(world, claims=_with(world.claims, worker, None))
    parent = world.tickets[PARENT]
    if parent.place is Place.WAITING and not parent.left:
        return _given(world, PARENT, worker)
    return _handed(world, worker, None)


def _condemned(world: World, worker: int) -> World:
    return replace(
        world, tickets=tuple(replace(one, owner=DEAD) if one.owner == worker else one for one in world.tickets)
    )


def _split(world: World) -> World:
    parent = replace(world.tickets[PARENT], place=Place.WAITING, owner=None, left=len(SHARDS), split=True)
    return replace(world, tickets=(parent, *(Ticket(place=Place.READY) for _ in SHARDS)))
