"""An event arrives while a run begins to wait for it.

Each side stores its own row and looks for the other's. A statement sees what was committed when it *began*, even if
it then waits for a lock: so a lock that is taken in the looking statement comes too late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from tests.protocol.exploration import Move

SIDES = ("event", "wait")


class Meeting(Enum):
    """How the two sides keep out of each other's way."""

    LOCK_THEN_LOOK = "a lock in the first statement; the next one stores and looks"
    LOCK_AND_LOOK = "one statement takes the lock, stores and looks"
    NO_LOCK = "each side stores and looks, without a lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One transaction: what it has done, and whether its snapshot showed the other side's row."""

    locked: bool = False
    looked: bool = False
    saw_other: bool = False
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Both transactions."""

    sides: tuple[Side, Side] = (Side(), Side())

    def changed(self, index: int, side: Side) -> World:
        """Return the world with one side changed."""
        first, second = self.sides
        return World(sides=(side, second) if index == 0 else (first, side))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventModel:
    """One event, one wait, both at the same time."""

    meeting: Meeting = Meeting.LOCK_THEN_LOOK

    def initial(self) -> World:
        """Neither side has begun."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List the next move of each side; a side that waits for the lock has none."""
        for index, name in enumerate(SIDES):
            side, other = world.sides[index], world.sides[1 - index]
            if side.committed:
                continue
            may_lock = not (other.locked and not other.committed)
            looks = replace(side, looked=True, saw_other=other.committed)
            if not side.looked and self._may_look(side):
                yield Move(label=f"the {name} takes its snapshot and looks", after=world.changed(index, looks))
            elif not side.locked and self.meeting is not Meeting.NO_LOCK:
                if may_lock:
                    locked = replace(side, locked=True)
                    yield Move(label=f"the {name} gets the lock", after=world.changed(index, locked))
            else:
                done = replace(side, committed=True)
                yield Move(label=f"the {name} commits", after=world.changed(index, done))

    def _may_look(self, side: Side) -> bool:
        return side.locked or self.meeting is not Meeting.LOCK_THEN_LOOK

    def violation(self, world: World) -> str | None:
        """Nothing is wrong before both have committed."""
        return None

    def unsettled(self, world: World) -> str | None:
        """Name an event and a wait that are both stored although neither knows of the other."""
        met = any(side.saw_other for side in world.sides)
        return None if met else "event and wait are both stored, and neither saw the other"
