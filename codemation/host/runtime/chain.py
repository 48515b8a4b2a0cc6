"""A ticket as the process that holds it sees it: what was walked of it, and whether it is held still.

Theory of operation. The fence refuses the result of whoever has lost his ticket, but it comes after the call. A process
that stands still for seconds (stopped, swapped out, its machine paused) is taken for dead, and when it goes on it knows
nothing of that. So before each call it is seen to how much time has gone by since the ticket was known to be held, or
since it was last asked; only after a gap, in which others may have taken over, the database is asked. A process that
hears at a beat that it was taken for dead goes on under a new name, and what it held under the old one is lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ports import Claim
from codemation.host.runtime.performing import Performance
from codemation.host.runtime.watched import Watched

GAP = 0.25
"""Seconds in which a process may have stood still for so long that others have taken it for dead."""
LOOKS = 3
"""Times that the database is asked, should it take so long to answer each time."""


@dataclass(slots=True)
class Chain:
    """What was walked of a ticket since it was claimed."""

    engine: Engine
    watched: Watched
    claim: Claim
    """The one that it has come to. Whoever is done with an earlier one may be late to say so: as soon as the database
    has let go of a ticket, another thread of this process may have it."""
    sure: float
    """When it was known that the ticket is held here, or that no gap had gone by since; on the monotonic clock."""
    steps: int = 0
    began: float = field(default_factory=time.monotonic)
    lost: bool = False
    """Whether somebody else has taken the ticket over."""
    prepared: Performance | None = None
    """What comes next, made ready while the step before it was being recorded."""

    @property
    def fence(self) -> int:
        """Of the claim that it has come to."""
        return self.claim.holding.fence

    def taken(self, claim: Claim) -> Performance | None:
        """What was made ready for a claim, if it was for this one."""
        work, self.prepared = self.prepared, None
        return work if work is not None and (work.claim is claim or work.claim == claim) else None

    def stop(self) -> bool:
        """Whether its node should give up: the run stops, or the ticket is not held here any more."""
        if self.lost or self.watched.stop() or self.claim.holding.worker != self.engine.worker:
            return True
        now = time.monotonic()
        if now - self.sure < GAP:
            self.sure = now
            return False
        for _ in range(LOOKS):
            self.lost = not self._held()
            self.sure, now = now, time.monotonic()  # what was answered was so when it was asked, or later
            if self.lost or now - self.sure < GAP:
                break
        return self.lost

    def _held(self) -> bool:
        """Ask the database. Where it is away the ticket counts as held, for nobody else can take it over there."""
        claim, run = self.claim, self.watched.run
        try:
            look = self.engine.stores.journal.look(run.id, claim.holding, run.snapshot.revision)
        except StoreUnavailable:
            return True
        return look.claim is not None and look.claim.holding == claim.holding
