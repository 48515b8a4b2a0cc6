"""What a process has to do next: tickets that are ready, and those that will be when their time has come."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Mapping

from msgspec import Struct, field

from codemation.core.ids import RunId, TicketId
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim, Holding
from codemation.host.runtime.clock import REAL, Clock
from codemation.host.runtime.watched import Watched


class Ready(Struct):
    """A ticket that may be claimed, or that is held already."""

    priority: int
    """The lower goes first."""
    run: RunId
    ticket: TicketId | None
    claim: Claim | None = None
    since: float = field(default_factory=time.monotonic)
    """When it became ready, or was asked for, on the monotonic clock of the machine."""


class Agenda:
    """Pieces of work in the order of their urgency; whoever asks holds the scheduler's lock."""

    def __init__(self, clock: Clock = REAL) -> None:
        self._clock = clock
        self._ready: list[tuple[int, int, Ready]] = []
        """By priority, and by a number that rises."""
        self._later: list[tuple[float, int, Ready]] = []
        self._number = itertools.count()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, run: RunId, outcome: Outcome) -> None:
        """Note what a delivery led to."""
        if outcome.next is not None:
            self.hold(run, outcome.next)
        for ticket in outcome.ready:
            priority = outcome.priorities.get(ticket, 0)
            self._push(Ready(-priority, run, ticket))
        if outcome.later is not None:
            ticket, delay = outcome.later
            one = Ready(-outcome.priorities.get(ticket, 0), run, ticket)
            heapq.heappush(self._later, (self._clock.monotonic() + delay, next(self._number), one))

    def hold(self, run: RunId, claim: Claim) -> None:
        """Note what is held already, and to be gone on with."""
        self._push(Ready(-claim.priority, run, None, claim))

    def pop(self, runs: Mapping[RunId, Watched]) -> tuple[Watched, Ready] | None:
        """The most urgent work of a run that may have one more activation under way."""
        if self._later:
            self._awake()
        left: list[tuple[int, int, Ready]] = []
        found = None
        while self._ready and found is None:
            one = heapq.heappop(self._ready)
            watched = runs.get(one[2].run)
            if watched is not None and watched.has_room:
                found = (watched, one[2])
            elif watched is not None:
                left.append(one)
        for one in left:
            heapq.heappush(self._ready, one)
        return found

    def oldest(self) -> float:
        """For how many seconds something waits here to be taken; 0 where nothing does."""
        now = time.monotonic()
        return max((now - one.since for _, _, one in self._ready), default=0.0)

    def knows(self, run: RunId) -> bool:
        """Whether anything of a run is ready."""
        return any(one.run == run for _, _, one in self._ready)

    def held(self, run: RunId) -> list[Holding]:
        """The tickets of a run that are held already, but not worked on."""
        return [one.claim.holding for _, _, one in self._ready if one.run == run and one.claim]

    def withdraw(self, run: RunId) -> list[Holding]:
        """What `held` gives, which is not to be worked on any more."""
        held = self.held(run)
        self._ready = [one for one in self._ready if one[2].run != run or one[2].claim is None]
        heapq.heapify(self._ready)
        return held

    def forget(self, run: RunId) -> None:
        """Have nothing more to do with a run."""
        self._ready = [one for one in self._ready if one[2].run != run]
        self._later = [one for one in self._later if one[2].run != run]
        heapq.heapify(self._ready)
        heapq.heapify(self._later)

    def until_next(self) -> float:
        """Seconds until a ticket's time has come; infinite if none waits."""
        return max(0.0, self._later[0][0] - self._clock.monotonic()) if self._later else float("inf")

    def _push(self, one: Ready) -> None:
        heapq.heappush(self._ready, (one.priority, next(self._number), one))

    def _awake(self) -> None:
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            _, number, one = heapq.heappop(self._later)
            heapq.heappush(self._ready, (one.priority, number, one))
