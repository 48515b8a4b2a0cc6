"""What a worker takes from the table: claimed at once for all threads that wait, and read at once for all of them.

Theory of operation. A thread that comes for a ticket asks for those as well that wait for one, as far as the worker has
room. It keeps the first claim; the others are spare until somebody comes for them, which is soon, for there was a
thread for each of them. Their runs are read before that, and after their claims, so whoever takes one up knows it as it
is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import RunId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, Holding, Lane


class Intake:
    """The tickets that were claimed here and that nobody works on yet; whatever is changed is changed under a guard."""

    def __init__(self, engine: Engine, guard: AbstractContextManager[object]) -> None:
        self.arriving: dict[Holding, float] = {}
        """What was claimed and is not worked on yet, and when it was asked for on the monotonic clock."""
        self.spare: deque[Claim] = deque()
        """Those among them that are left to other threads than the one that has claimed them."""
        self.asking = 0
        """Tickets that are asked for now."""
        self.claimed = 0
        """Tickets that were taken from the table."""
        self.over = False
        """Whether nothing is begun any more, so that what is spare is given back."""
        self._engine = engine
        self._guard = guard
        self._ahead: dict[RunId, OpenRun] = {}
        """Runs that were read since a ticket of theirs was claimed."""

    def tickets(self) -> set[TicketId]:
        """What `arriving` is about."""
        return {holding.ticket for holding in self.arriving}

    def room(self, slots: int, hands: frozenset[TicketId], waiting: int) -> int:
        """How many tickets so many who wait may ask for, where these are in somebody's hands."""
        return max(0, min(waiting, slots - len(self.tickets() | hands) - self.asking))

    def ask(self, many: int, lanes: Sequence[Lane], *, slots: bool) -> Claim | None:
        """The most urgent ticket of these lanes, with up to so many in all claimed; where some need `slots`, just one.

        They are among those that are asked for already.
        """
        claims: Sequence[Claim] = ()
        now = time.monotonic()
        try:
            claims = self._asked(1 if slots else many, lanes, slots=slots)
        finally:
            with self._guard:
                self.asking -= many
                self.claimed += len(claims)
                self.arriving.update((claim.holding, now) for claim in claims)
                over = self.over
                self.spare.extend(() if over else claims[1:])
        if over:
            self.hand_back(claims[1:])
        return claims[0] if claims else None

    def end(self) -> None:
        """Begin nothing any more, and give back what nobody has begun."""
        with self._guard:
            self.over, spare = True, list(self.spare)
            self.spare.clear()
        self.hand_back(spare)

    def hand_back(self, claims: Collection[Claim]) -> None:
        """Give back what nobody has begun."""
        if claims:
            self._engine.persist(self._engine.stores.tickets.hand_back, [claim.holding for claim in claims])
        for claim in claims:
            self.arrived(claim)
            self._ahead.pop(claim.run, None)

    def arrived(self, claim: Claim) -> None:
        """Take note that a claim is worked on, or given up."""
        self.arriving.pop(claim.holding, None)

    def read(self, run: RunId) -> OpenRun | None:
        """A run as it is since a ticket of it was claimed here, if it was read ahead."""
        return self._ahead.pop(run, None)

    def _asked(self, many: int, lanes: Sequence[Lane], *, slots: bool) -> Sequence[Claim]:
        engine, tickets = self._engine, self._engine.stores.tickets
        if many == 1:
            claim = engine.persist(tickets.claim, engine.worker, lanes, pools=slots)
            return () if claim is None else (claim,)
        claims = engine.persist(tickets.claim_some, engine.worker, lanes, many)
        if len(claims) > 1:
            self._read_ahead({claim.run for claim in claims if not claim.is_fold})
        return claims

    def _read_ahead(self, runs: Collection[RunId]) -> None:
        try:
            self._ahead.update(self._engine.open_some(runs))
        except StoreUnavailable:  # who takes them up reads them one by one
            return
