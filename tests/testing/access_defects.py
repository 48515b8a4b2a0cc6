"""Tokens, the audit and the gauges, doing one thing wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from codemation.core.ports import Deed, Reading, Token
from codemation.host.memory.access import MemoryAudit, MemoryTokens
from codemation.host.memory.gauges import MemoryGauges
from codemation.testing.conformance import AuditContract, GaugesContract, TokensContract
from tests.testing.defect import Defect, defects


class _CountsForEver(MemoryTokens):
    def holder(self, digest: bytes) -> Token | None:
        token = self._tables.tokens.get(digest)
        return super().holder(digest) or (token if token is not None and token.revoked_at is None else None)


class _RevokedCounts(MemoryTokens):
    def holder(self, digest: bytes) -> Token | None:
        return self._tables.tokens.get(digest)


class _RevokedAreGone(MemoryTokens):
    def revoke(self, id_: str) -> bool:
        found = [digest for digest, token in self._tables.tokens.items() if token.id == id_]
        for digest in found:
            del self._tables.tokens[digest]
        return bool(found)


class _NamesTwice(MemoryTokens):
    def create(self, token: Token, digest: bytes, lasts: float | None = None) -> None:
        super().create(replace(token, name=token.id), digest, lasts)
        self._tables.tokens[digest] = replace(self._tables.tokens[digest], name=token.name)


class _UseUnnoted(MemoryTokens):
    def holder(self, digest: bytes) -> Token | None:
        before = self._tables.tokens.get(digest)
        found = super().holder(digest)
        if before is not None:
            self._tables.tokens[digest] = before
        return found


class _LastOutcomeStands(MemoryAudit):
    def settle(self, id_: str, outcome: str, target: str) -> None:
        if (deed := self._tables.deeds.get(id_)) is not None:
            self._tables.deeds[id_] = replace(deed, outcome=outcome, target=target)


class _NotedWhenDone(MemoryAudit):
    def page(
        self, *, who: str | None = None, action: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[Deed, ...]:
        found = super().page(who=who, action=action, before=before, limit=limit)
        return tuple(deed for deed in found if deed.outcome)


class _CountsForDays(MemoryGauges):
    def read(self, bounds: Sequence[float]) -> Reading:
        ended = [one for one in self._tables.runs.values() if one.finished_at]
        return replace(super().read(bounds), finished=Counter(one.status for one in ended))


class _AgesOfAll(MemoryGauges):
    def read(self, bounds: Sequence[float]) -> Reading:
        reading = super().read(bounds)
        oldest = max((one.age for one in reading.queues), default=0.0)
        return replace(reading, queues=tuple(replace(one, age=oldest) for one in reading.queues))


ACCESS_DEFECTS: list[Defect] = [
    *defects(
        TokensContract,
        "tokens",
        counts_for_ever=_CountsForEver,
        revoked_counts=_RevokedCounts,
        revoked_are_gone=_RevokedAreGone,
        names_twice=_NamesTwice,
        use_unnoted=_UseUnnoted,
    ),
    *defects(AuditContract, "audit", last_outcome_stands=_LastOutcomeStands, noted_when_done=_NotedWhenDone),
    *defects(GaugesContract, "gauges", counts_for_days=_CountsForDays, ages_of_all=_AgesOfAll),
]
