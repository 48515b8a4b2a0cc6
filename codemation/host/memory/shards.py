"""Parts of activations in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codemation.core.ids import TicketId
from codemation.core.ports import Chunk, Claim, Shard, ShardEnd
from codemation.core.states import FINISHED
from codemation.host.memory.tables import Tables, Ticket


class MemoryShards:
    """Parts of activations."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        """Give an activation up for its shards."""
        tables = self._tables
        with tables.lock:
            parent, run = tables.held(claim.holding), tables.runs.get(claim.run)
            if parent is None or run is None or parent.kind != "work" or parent.left is not None:
                return False
            if run.stop or run.status in FINISHED:
                return False
            parent.state, parent.owner, parent.due_at = "waiting", None, None
            parent.left = parent.shards = len(shards)
            for name, shard in shards.items():
                ticket = Ticket(name, parent.run, parent.activation, parent.lane, parent.priority, tables.clock())
                ticket.kind, ticket.shard, ticket.pool = "shard", shard, parent.pool
                tables.tickets[name] = ticket
            return True

    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        """Be done with a shard, and count it."""
        tables = self._tables
        with tables.lock:
            ticket = tables.held(claim.holding)
            if ticket is None or ticket.shard is None or ticket.stop:
                return None
            del tables.tickets[ticket.id]
            parent = tables.tickets.get(ticket.shard.parent)
            if parent is None or parent.state != "waiting" or parent.stop:
                return ShardEnd(left=0)
            if chunk.error is not None:
                tables.end_idle_shards(parent)
            tables.count_shard(parent, chunk)
            left = parent.left or 0
            return ShardEnd(left=left, join=None if left else parent.give_to(claim.holding.worker))

    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        """Let a shard wait for another attempt."""
        with self._tables.lock:
            ticket = self._tables.held(claim.holding)
            if ticket is None or ticket.shard is None or ticket.stop:
                return False
            ticket.shard = replace(ticket.shard, attempt=attempt)
            ticket.starts = ticket.lost = 0
            self._tables.free(ticket, delay)
            return True
