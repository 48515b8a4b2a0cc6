"""Tickets that wait in this process for a slot of a pool.

Theory of operation. Who holds a slot is known to the database alone, and nobody is told when one becomes free. So of
all tickets of a pool that wait here only the most urgent one is tried again from time to time; when it comes through,
the next one is tried at once. A slot that is given back in this process is tried for at once as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from codemation.core.engine import Engine
from codemation.core.ids import TicketId, node_of
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim
from codemation.host.runtime.agenda import Ready
from codemation.host.runtime.watched import Watched

PAUSE = 0.25
"""Seconds between two tries."""
LOST = 20 * PAUSE
"""Seconds after which a try that nobody has heard of is begun anew."""


@dataclass(slots=True)
class _Pool:
    """What waits for the slots of one pool."""

    waiting: dict[TicketId, tuple[int, Watched]] = field(default_factory=dict)
    """By ticket: how urgent it is, the lowest first."""
    tried: TicketId | None = None
    tried_at: float = 0.0

    def is_idle(self, refused: TicketId) -> bool:
        """Whether nothing of it is tried any more, now that a ticket was refused."""
        return self.tried in (None, refused) or time.monotonic() - self.tried_at > LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """A ticket to be claimed."""

    watched: Watched
    ticket: TicketId
    priority: int

    def submit(self, submit: Callable[[Watched, Outcome], None], pause: float = 0.0) -> None:
        """Have it claimed by whoever is free, after a pause if there is to be one."""
        priorities = {self.ticket: self.priority}
        if pause:
            submit(self.watched, Outcome(later=(self.ticket, pause), priorities=priorities))
        else:
            submit(self.watched, Outcome(ready=(self.ticket,), priorities=priorities))


class SlotQueues:
    """Tickets that wait for slots."""

    def __init__(self, engine: Engine, submit: Callable[[Watched, Outcome], None]) -> None:
        self._engine = engine
        self._submit = submit
        self._pools: dict[str, _Pool] = {}
        self._guard = threading.Lock()

    def refused(self, watched: Watched, ready: Ready) -> None:
        """Take note of a ticket that could not be claimed: it waits for a slot, or it is not there any more."""
        if ready.ticket is None or not any(node.policy.pool for node in watched.run.definition.nodes):
            return
        pool = self._wanted(watched, ready.ticket)
        with self._guard:
            if pool:
                self._pools.setdefault(pool, _Pool()).waiting[ready.ticket] = (ready.priority, watched)
            again = [self._first(queue) for queue in self._pools.values() if queue.is_idle(ready.ticket)]
        for first in filter(None, again):
            first.submit(self._submit, PAUSE)

    def claimed(self, watched: Watched, claim: Claim) -> None:
        """Take note of a ticket that came through: there may be a slot for another one."""
        if pool := pool_of(watched, claim):
            self._next(pool, claim.holding.ticket)

    def released(self, watched: Watched, claim: Claim) -> None:
        """Take note of a ticket that is held here no longer."""
        if pool := pool_of(watched, claim):
            self._next(pool)

    def _next(self, pool: str, claimed: TicketId | None = None) -> None:
        with self._guard:
            queue = self._pools.get(pool)
            if queue is None:
                return
            if claimed is not None:
                queue.waiting.pop(claimed, None)
            first = self._first(queue)
        if first is not None:
            first.submit(self._submit)

    def _first(self, queue: _Pool) -> _Try | None:
        """The most urgent ticket of a run that is worked on still, which is tried now."""
        queue.waiting = {one: held for one, held in queue.waiting.items() if not (held[1].settled or held[1].stop())}
        queue.tried = min(queue.waiting, key=lambda one: queue.waiting[one][0], default=None)
        queue.tried_at = time.monotonic()
        if queue.tried is None:
            return None
        urgency, watched = queue.waiting.pop(queue.tried)
        return _Try(watched=watched, ticket=queue.tried, priority=-urgency)

    def _wanted(self, watched: Watched, ticket: TicketId) -> str:
        """The pool whose slot a ticket waits for; empty if it waits for none."""
        rows = self._engine.persist(self._engine.stores.runs.tickets, watched.run.id)
        return next((row.pool for row in rows if row.id == ticket and row.state == "ready"), "")


def pool_of(watched: Watched, claim: Claim) -> str:
    """The pool whose slot a claim has."""
    node = watched.run.snapshot.plan.nodes.get(node_of(claim.activation))
    return "" if node is None else node.policy.pool
