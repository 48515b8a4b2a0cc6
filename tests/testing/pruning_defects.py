"""Pruning, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from codemation.core.ids import RunId
from codemation.core.items import Batch
from codemation.core.ports import RunRow, Swept
from codemation.host.memory.payloads import MemoryPayloads
from codemation.host.memory.pruning import MemoryPruning
from codemation.testing.conformance import FollowUpsContract, PruningContract
from tests.testing.defect import Defect, defects


class _PrunesTheUnfinished(MemoryPruning):
    def _end(self, row: RunRow) -> datetime | None:
        return super()._end(row) if row.finished_at else row.created_at


class _OneAgeForAll(MemoryPruning):
    def _end(self, row: RunRow) -> datetime | None:
        end = super()._end(row)
        ages = self._tables.ages.get(row.id, {})
        return end if end is None or not ages.get("succeeded") else row.finished_at and min(end, row.finished_at)


class _AllAtOnce(MemoryPruning):
    def prune(self, limit: int = 200) -> int:
        return super().prune(1_000)


class _ForgetsTheLogs(MemoryPruning):
    def _delete(self, gone: list[RunId]) -> int:
        kept = dict(self._tables.logs)
        deleted = super()._delete(gone)
        self._tables.logs.update(kept)
        return deleted


class _KeepsWhatWasToFollow(MemoryPruning):
    def prune(self, limit: int = 200) -> int:
        noted = dict(self._tables.follow_ups)
        gone = super().prune(limit)
        self._tables.follow_ups |= noted
        return gone


class _TakesWhatWasBorrowed(MemoryPruning):
    def _delete(self, gone: list[RunId]) -> int:
        self._tables.borrowed.clear()
        return super()._delete(gone)


class _SweepsWhatIsAboutToStart(MemoryPruning):
    def _lost(self, run: RunId) -> bool:
        return run not in self._tables.runs


class _KeepsEveryKey(MemoryPruning):
    def sweep(self, limit: int = 200) -> Swept:
        ends, self._tables.key_ends = self._tables.key_ends, {}
        swept = super().sweep(limit)
        self._tables.key_ends = ends
        return swept


class _BorrowsWhatIsGone(MemoryPayloads):
    def borrow(self, run: RunId, home: RunId, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        return tuple(batches)


PRUNING_DEFECTS: list[Defect] = [
    *defects(
        PruningContract,
        "pruning",
        prunes_the_unfinished=_PrunesTheUnfinished,
        one_age_for_all=_OneAgeForAll,
        all_at_once=_AllAtOnce,
        forgets_the_logs=_ForgetsTheLogs,
        takes_what_was_borrowed=_TakesWhatWasBorrowed,
        sweeps_what_is_about_to_start=_SweepsWhatIsAboutToStart,
        keeps_every_key=_KeepsEveryKey,
    ),
    *defects(FollowUpsContract, "pruning", keeps_what_was_to_follow=_KeepsWhatWasToFollow),
    *defects(PruningContract, "payloads", borrows_what_is_gone=_BorrowsWhatIsGone),
]
