"""Live work in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.outcome import DEFAULT
from codemation.core.ports import Chunk, Claim, Hint, Holding, Lane, Shard, TakenOver
from codemation.host.memory.inbox import MemoryInbox
from codemation.host.memory.tables import FOLD_LANE, Tables, Ticket

LONGEST_PAUSE = 60.0
"""Seconds that a ticket waits at most after one more of its holders has died, or until others are told of it again."""
FIRST_PAUSE = 5.0
"""Seconds after which others are told again of a ticket that nobody has claimed."""


class MemoryTickets:
    """Live work."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._reminded: dict[TicketId, tuple[datetime, int]] = {}
        """When others were told of a ticket last, and how often since it was claimed."""

    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        """Claim the most urgent of these lanes."""
        tables = self._tables
        with tables.lock:
            if worker in tables.buried:
                return None
            served = frozenset((*lanes, FOLD_LANE))
            tables.served[worker] = tables.served.get(worker, served) | served  # a claim of folds alone takes none back
            ready = [one for one in tables.tickets.values() if one.state == "ready" and not one.stop]
            mine = [one for one in ready if one.lane in served and ticket in (None, one.id)]
            mine = [one for one in mine if not one.pool or (pools and tables.has_slot(one.pool))]
            if not mine:
                return None
            best = min(mine, key=lambda one: one.urgency)
            self._reminded.pop(best.id, None)
            return best.give_to(worker)

    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        """Claim one after the other, before anybody else does."""
        with self._tables.lock:
            claims: tuple[Claim, ...] = ()
            while len(claims) < many and (claim := self.claim(worker, lanes)) is not None:
                claims = (*claims, claim)
            return claims

    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        """What nobody has claimed for a while."""
        tables, found = self._tables, list[Ticket]()
        with tables.lock:
            now, taken = tables.clock(), Counter[Lane]()
            ready = [one for one in tables.tickets.values() if one.state == "ready" and not one.stop]
            for one in sorted(ready, key=lambda one: one.urgency):
                at, times = self._reminded.get(one.id, (one.due_at or now, 0))
                pause = timedelta(seconds=min(LONGEST_PAUSE, FIRST_PAUSE * 2**times))
                taken[one.lane] += 1
                if taken[one.lane] <= limit and now - max(at, one.due_at or at) >= pause:
                    self._reminded[one.id] = (now, times + 1)
                    found.append(one)
        return tuple(Hint(ticket=one.id, queue=DEFAULT if one.is_fold else one.lane.queue) for one in found)

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back."""
        with self._tables.lock:
            count = 0
            for holding in holdings:
                ticket = self._tables.held(holding)
                if ticket is None:
                    continue
                count += 1
                if ticket.stop:
                    self._stopped(ticket)
                elif self._tables.is_over(ticket.run):  # it ended under those who worked for it
                    self._tables.drop(ticket)
                else:
                    self._tables.free(ticket)
                    ticket.starts -= 1
            return count

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held."""
        released, stopped, poisoned = 0, dict[RunId, None](), list[tuple[RunId, ActivationId, int]]()
        with self._tables.lock:
            held = [one for one in self._tables.tickets.values() if one.state == "running" and one.owner in dead]
            for ticket in held:
                ticket.lost += 1
                if ticket.stop:
                    stopped[ticket.run] = None
                    self._stopped(ticket)
                elif self._tables.is_over(ticket.run):
                    self._tables.drop(ticket)
                elif ticket.lost >= poison_after and ticket.shard is not None:
                    poisoned.append((ticket.run, ticket.activation, ticket.lost))
                    self._poisoned_shard(ticket, ticket.shard)
                elif ticket.lost >= poison_after and not ticket.is_fold:
                    poisoned.append((ticket.run, ticket.activation, ticket.lost))
                    self._poisoned(ticket)
                else:
                    released += 1
                    self._tables.free(ticket, 0.0 if ticket.lost == 1 else min(LONGEST_PAUSE, 2.0**ticket.lost))
        return TakenOver(released=released, stopped=tuple(stopped), poisoned=tuple(poisoned))

    def fire(self) -> float | None:
        """Make ready what is due."""
        with self._tables.lock:
            now = self._tables.clock()
            waiting = [one for one in self._tables.tickets.values() if one.state == "waiting" and not one.stop]
            timed = [(one.due_at, one) for one in waiting if one.due_at is not None]
            for due_at, ticket in timed:
                if due_at <= now and ticket.is_wait:
                    self._tables.time_is_over(ticket)
                elif due_at <= now:
                    ticket.state = "ready"
            return min(((due_at - now).total_seconds() for due_at, _ in timed if due_at > now), default=None)

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait."""
        with self._tables.lock:
            ticket = self._tables.held(holding)
            if ticket is not None and self._tables.is_over(ticket.run):
                self._tables.drop(ticket)
            elif ticket is not None:
                self._tables.free(ticket, delay)
            return ticket is not None

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that should stop."""
        with self._tables.lock:
            mine = [one for one in self._tables.tickets.values() if one.owner == worker and one.stop]
            return tuple(dict.fromkeys(ticket.run for ticket in mine))

    def held(self, worker: WorkerId, *, folds: bool = False) -> tuple[Holding, ...]:
        """What a worker holds."""
        with self._tables.lock:
            mine = [one for one in self._tables.tickets.values() if one.owner == worker]
            return tuple(
                Holding(ticket=one.id, worker=worker, fence=one.fence) for one in mine if one.is_fold or not folds
            )

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items."""
        with self._tables.lock:
            ticket = self._tables.held(holding)
            if ticket is not None:
                kept_with = ticket.shard.parent if ticket.shard else ticket.id
                self._tables.progress.setdefault((kept_with, activation), {})[chunk.number] = chunk
            return ticket is not None

    def progress(self, ticket: TicketId, activation: ActivationId, shard: Shard | None = None) -> tuple[Chunk, ...]:
        """What was recorded."""
        with self._tables.lock:
            chunks = self._tables.progress.get((shard.parent if shard else ticket, activation), {})
            mine = [number for number in chunks if shard is None or number in shard.chunks]
            return tuple(chunks[number] for number in sorted(mine))

    def _stopped(self, ticket: Ticket) -> None:
        """Be done with a ticket of a run that has to stop; its fold may have waited for just this."""
        self._tables.drop(ticket)
        fold = self._tables.fold_of(ticket.run)
        if fold is not None and fold.state == "waiting":
            self._tables.free(fold)

    def _poisoned_shard(self, ticket: Ticket, shard: Shard) -> None:
        """Give a shard up, as if it had ended with an error."""
        tables = self._tables
        del tables.tickets[ticket.id]
        parent = tables.tickets.get(shard.parent)
        if parent is None:
            return
        tables.count_shard(parent, shard.given_up(ticket.lost))
        if not parent.left:
            tables.free(parent)

    def _poisoned(self, ticket: Ticket) -> None:
        """Give an activation up, and leave word of it in the run's inbox."""
        self._tables.drop(ticket)
        body = json.dumps({"kind": "Lost", "activation": ticket.activation, "times": ticket.lost})
        # An id of its own: under the old one, and a fence that begins anew, an old holding would be good again.
        fold = TicketId(-self._tables.number())
        MemoryInbox(self._tables).post(ticket.run, f"lost:{ticket.id}:{ticket.fence}", body, fold)
