"""Workers are asked to leave, again and again, while one long activation is at work.

A ticket counts how often its worker was lost, so that a node which kills its process is not started for ever
(*poison*, at three). A deploy is not a loss: a worker that is asked to leave hands its ticket back. By then
somebody else may have taken the ticket over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from tests.protocol.exploration import Move

POISON = 3


class HandBack(Enum):
    """What a worker does with its ticket when it is asked to leave."""

    BY_OWNER = "it frees the ticket that it still owns, and no loss is counted"
    BY_TICKET = "it frees the ticket, whoever owns it"
    NEVER = "it leaves, and the take-over finds it lost"


class Phase(Enum):
    """Where a worker stands."""

    IDLE = "idle"
    WORKING = "working"
    LEAVING = "asked to leave"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ticket (owner, losses counted), the workers, what really happened, and the faults still to come."""

    owner: int | None = None
    lost: int = 0
    finished: bool = False
    robbed: bool = False
    phases: tuple[Phase, Phase] = (Phase.IDLE, Phase.IDLE)
    losses: int = 0
    deploys: int = POISON
    kills: int = 1
    false_take_overs: int = 1

    def moved(self, index: int, phase: Phase) -> World:
        """Return the world with one worker elsewhere."""
        first, second = self.phases
        return replace(self, phases=(phase, second) if index == 0 else (first, phase))


@dataclass(frozen=True, slots=True, kw_only=True)
class HandBackModel:
    """One ticket, two workers, as many deploys as would be poison, one kill, one false take-over."""

    hand_back: HandBack = HandBack.BY_OWNER

    def initial(self) -> World:
        """The ticket is ready and both workers are idle."""
        return World()

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List what workers, caretaker and whoever deploys can do next."""
        for index in range(len(world.phases)):
            yield from self._worker(world, index)
            yield from self._leave(world, index)
            yield from self._take_over(world, index)

    def _worker(self, world: World, index: int) -> Iterator[Move[World]]:
        phase = world.phases[index]
        if phase is Phase.IDLE and world.owner is None and not world.finished:
            claimed = replace(world.moved(index, Phase.WORKING), owner=index)
            yield Move(label=f"worker {index} claims the ticket", after=claimed)
        if phase is Phase.WORKING:
            mine = world.owner == index
            after = world.moved(index, Phase.IDLE)
            after = replace(after, owner=None, finished=True) if mine else after
            yield Move(label=f"worker {index} {'commits' if mine else 'is refused'}", after=after)
        if phase is Phase.GONE and world.owner != index:
            yield Move(label=f"worker {index} is started anew", after=world.moved(index, Phase.IDLE))
        if phase in (Phase.WORKING, Phase.LEAVING) and world.kills:
            lost = world.losses + (world.owner == index)
            dead = replace(world.moved(index, Phase.GONE), kills=world.kills - 1, losses=lost)
            yield Move(label=f"worker {index} IS KILLED", after=dead, fault=True)

    def _leave(self, world: World, index: int) -> Iterator[Move[World]]:
        if world.phases[index] is Phase.WORKING and world.deploys:
            asked = replace(world.moved(index, Phase.LEAVING), deploys=world.deploys - 1)
            yield Move(label=f"worker {index} IS ASKED TO LEAVE", after=asked, fault=True)
        if world.phases[index] is not Phase.LEAVING:
            return
        gone = world.moved(index, Phase.GONE)
        match self.hand_back:
            case HandBack.BY_OWNER:
                after = replace(gone, owner=None) if world.owner == index else gone
                yield Move(label=f"worker {index} hands back what it owns and goes", after=after)
            case HandBack.BY_TICKET:
                robbed = world.owner not in (None, index)
                after = replace(gone, owner=None, robbed=robbed)
                yield Move(label=f"worker {index} hands the ticket back and goes", after=after)
            case HandBack.NEVER:
                yield Move(label=f"worker {index} goes", after=gone)
            case _:
                assert_never(self.hand_back)

    def _take_over(self, world: World, index: int) -> Iterator[Move[World]]:
        if world.owner != index:
            return
        freed = replace(world, owner=None, lost=world.lost + 1)
        if world.phases[index] is Phase.GONE:
            yield Move(label=f"caretaker takes over from worker {index}, which is gone", after=freed)
        elif world.false_take_overs:
            freed = replace(freed, false_take_overs=world.false_take_overs - 1, losses=world.losses + 1)
            yield Move(label=f"caretaker takes over from worker {index} ALTHOUGH IT LIVES", after=freed, fault=True)

    def violation(self, world: World) -> str | None:
        """Name a ticket that was taken from its worker by a stranger, or called poison without cause."""
        if world.robbed:
            return "a worker handed back a ticket that somebody else holds"
        if world.lost >= POISON > world.losses:
            return f"the ticket is poison after {world.losses} lost workers"
        return None

    def unsettled(self, world: World) -> str | None:
        """Name work that nobody finishes."""
        return None if world.finished else "the ticket is never finished"
