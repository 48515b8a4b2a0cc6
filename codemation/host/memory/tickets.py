"""Live work in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports import Chunk, Claim, Holding, Lane, TakenOver
from codemation.host.memory.inbox import MemoryInbox
from codemation.host.memory.tables import Tables, Ticket


class MemoryTickets:
    """Live work."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        """Claim the most urgent of these lanes."""
        tables = self._tables
        with tables.lock:
            if worker in tables.buried:
                return None
            served = {*lanes, Lane(queue="", digest="")}
            ready = [
                one
                for one in tables.tickets.values()
                if one.state == "ready" and not one.stop and one.lane in served and ticket in (None, one.id)
            ]
            if not ready:
                return None
            best = min(ready, key=lambda one: -one.priority)
            best.state, best.owner, best.due_at = "running", worker, None
            best.fence += 1
            best.starts += 1
            return best.claim(worker, best.run)

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back."""
        with self._tables.lock:
            held = [(self._tables.tickets.get(holding.ticket), holding) for holding in holdings]
            mine = [ticket for ticket, holding in held if ticket and ticket.held(holding)]
            for ticket in mine:
                self._release(ticket)
                ticket.starts -= 1
            return len(mine)

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held."""
        tables = self._tables
        released, stopped, poisoned = 0, set[RunId](), list[tuple[RunId, ActivationId, int]]()
        with tables.lock:
            for ticket in [one for one in tables.tickets.values() if one.state == "running" and one.owner in dead]:
                ticket.lost += 1
                if ticket.stop:
                    stopped.add(ticket.run)
                    self._release(ticket)
                elif ticket.lost >= poison_after:
                    del tables.tickets[ticket.id]
                    poisoned.append((ticket.run, ticket.activation, ticket.lost))
                    body = f'{{"kind":"Lost","activation":"{ticket.activation}","times":{ticket.lost}}}'
                    MemoryInbox(tables).post(ticket.run, f"lost:{ticket.id}:{ticket.fence}", body, ticket.id)
                else:
                    released += 1
                    self._release(ticket)
                    if ticket.lost > 1:
                        ticket.state = "waiting"
                        ticket.due_at = tables.clock() + timedelta(seconds=2.0**ticket.lost)
        return TakenOver(released=released, stopped=tuple(stopped), poisoned=tuple(poisoned))

    def fire(self) -> float | None:
        """Make ready what is due."""
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            waiting = [one for one in tables.tickets.values() if one.state == "waiting" and one.due_at]
            for ticket in waiting:
                if ticket.due_at and ticket.due_at <= now:
                    ticket.ready()
            left = [one.due_at for one in waiting if one.due_at]
            return max(0.0, (min(left) - now).total_seconds()) if left else None

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait."""
        with self._tables.lock:
            ticket = self._tables.tickets.get(holding.ticket)
            if ticket is None or not ticket.held(holding):
                return False
            ticket.state, ticket.owner = "waiting", None
            ticket.due_at = self._tables.clock() + timedelta(seconds=delay)
            return True

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that should stop."""
        with self._tables.lock:
            mine = [one for one in self._tables.tickets.values() if one.owner == worker and one.stop]
            return tuple({ticket.run for ticket in mine})

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items."""
        with self._tables.lock:
            ticket = self._tables.tickets.get(holding.ticket)
            if ticket is None or not ticket.held(holding):
                return False
            self._tables.progress.setdefault((ticket.id, activation), []).append(chunk)
            return True

    def progress(self, ticket: TicketId, activation: ActivationId) -> tuple[Chunk, ...]:
        """What was recorded."""
        with self._tables.lock:
            chunks = self._tables.progress.get((ticket, activation), [])
            return tuple(sorted(chunks, key=lambda chunk: chunk.number))

    def _release(self, ticket: Ticket) -> None:
        if ticket.stop:
            del self._tables.tickets[ticket.id]
        else:
            ticket.ready()
