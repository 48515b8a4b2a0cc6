"""Shards, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codemation.core.ids import ActivationId, TicketId
from codemation.core.ports import Chunk, Claim, Shard, ShardEnd
from codemation.host.memory.shards import MemoryShards
from codemation.host.memory.tickets import MemoryTickets
from codemation.testing.conformance import ShardsContract
from tests.testing.defect import Defect, defects


class _SplitsAfterACancel(MemoryShards):
    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        row = self._tables.runs[claim.run]
        self._tables.runs[claim.run] = replace(row, stop=False)
        try:
            return super().split(claim, shards)
        finally:
            self._tables.runs[claim.run] = row


class _SplitsWhatIsSplit(MemoryShards):
    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        self._tables.tickets[claim.holding.ticket].give_to(claim.holding.worker)
        self._tables.tickets[claim.holding.ticket].left = None
        held = replace(claim, holding=self._tables.tickets[claim.holding.ticket].claim(claim.holding.worker).holding)
        return super().split(held, shards)


class _CountsTwice(MemoryShards):
    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        return super().end(claim, chunk) or ShardEnd(left=0)


class _EndsWithoutAFence(MemoryShards):
    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        ticket = self._tables.tickets.get(claim.holding.ticket)
        if ticket is not None and ticket.owner is not None:
            claim = replace(claim, holding=ticket.claim(ticket.owner).holding)
        return super().end(claim, chunk)


class _EndsAfterACancel(MemoryShards):
    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        for ticket in self._tables.of_run(claim.run):
            ticket.stop = False
        return super().end(claim, chunk)


class _NobodyJoins(MemoryShards):
    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        end = super().end(claim, chunk)
        return end and replace(end, join=None)


class _ErrorsSpareNobody(MemoryShards):
    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        return super().end(claim, replace(chunk, error=None))


class _AgainAtOnce(MemoryShards):
    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        return super().again(claim, attempt, 0.0)


class _ForgetsTheAttempt(MemoryShards):
    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        return super().again(claim, 1, delay)


class _ReadsTheProgressOfAll(MemoryTickets):
    def progress(self, ticket: TicketId, activation: ActivationId, shard: Shard | None = None) -> tuple[Chunk, ...]:
        return super().progress(shard.parent if shard else ticket, activation)


SHARD_DEFECTS: list[Defect] = [
    *defects(
        ShardsContract,
        "shards",
        splits_after_a_cancel=_SplitsAfterACancel,
        splits_what_is_split=_SplitsWhatIsSplit,
        counts_twice=_CountsTwice,
        ends_without_a_fence=_EndsWithoutAFence,
        ends_after_a_cancel=_EndsAfterACancel,
        nobody_joins=_NobodyJoins,
        errors_spare_nobody=_ErrorsSpareNobody,
        again_at_once=_AgainAtOnce,
        forgets_the_attempt=_ForgetsTheAttempt,
    ),
    *defects(ShardsContract, "tickets", reads_the_progress_of_all=_ReadsTheProgressOfAll),
]
