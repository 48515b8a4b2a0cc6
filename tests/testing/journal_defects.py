"""Journals that do one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from codemation.core.errors import InputError
from codemation.core.ids import Head, RunId, TicketId
from codemation.core.ports import (
    Commit,
    Holding,
    Leave,
    Look,
    NewRun,
    Reopening,
    RunRow,
    nothing,
)
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.journal import MemoryJournal
from codemation.testing.conformance import (
    JournalContract,
)
from tests.testing.defect import defects


class _BeginsTwiceMeanwhile(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        meanwhile()
        return super().start(run, meanwhile)


class _TakesItsTimeTwice(MemoryJournal):
    def step(self, commit: Commit, meanwhile: Callable[[], object] = nothing) -> bool:
        meanwhile()
        return super().step(commit, meanwhile)


class _NoFence(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        ticket = self._tables.tickets.get(commit.holding.ticket)
        if ticket is None or ticket.owner is None:
            return super()._step(commit)
        holding = replace(commit.holding, worker=ticket.owner, fence=ticket.fence)
        return super()._step(replace(commit, holding=holding))


class _FenceByWorkerAlone(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        ticket = self._tables.tickets.get(commit.holding.ticket)
        if ticket is None or ticket.owner != commit.holding.worker:
            return super()._step(commit)
        return super()._step(replace(commit, holding=replace(commit.holding, fence=ticket.fence)))


class _NoCompare(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        row = self._tables.runs.get(commit.run)
        return super()._step(replace(commit, revision=row.revision, head=row.head) if row else commit)


class _CompareWithoutHead(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        row = self._tables.runs.get(commit.run)
        return super()._step(replace(commit, head=row.head) if row else commit)


class _WritesWhenRefused(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        written = super()._step(commit)
        row = self._tables.runs.get(commit.run)
        if not written and row is not None:
            self._tables.write(replace(row, revision=row.revision + 1), commit.new_head, commit.delta, None)
        return written


class _ForgetsProgressWhenRefused(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        written = super()._step(commit)
        if not written:
            self._tables.forget_progress(commit.holding.ticket)
        return written


class _HalfAStep(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, more=()))


class _IgnoresTheStop(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        row = self._tables.runs.get(commit.run)
        return super()._step(replace(commit, cancelling=row.stop) if row else commit)


class _ProgressLost(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        written = super()._step(commit)
        if written:
            self._tables.forget_progress(commit.holding.ticket)
        return written


class _ProgressForEver(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        before = {place: dict(chunks) for place, chunks in self._tables.progress.items()}
        written = super()._step(commit)
        self._tables.progress.update(before)
        return written


class _ConsumesEverything(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        written = super()._step(commit)
        if written and commit.consumed:
            self._tables.letters[commit.run] = []
        return written


class _LeavesWithoutDelay(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        then = replace(commit.then, delay=0.0) if isinstance(commit.then, Leave) else commit.then
        return super()._step(replace(commit, then=then))


class _NeverFinished(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        written = super()._step(commit)
        if written and commit.status in FINISHED:
            self._tables.runs[commit.run] = replace(self._tables.runs[commit.run], finished_at=None)
        return written


class _EndLeavesTickets(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        others = [one for one in self._tables.of_run(commit.run) if one.id != commit.holding.ticket]
        written = super()._step(commit)
        self._tables.tickets.update({ticket.id: ticket for ticket in others})
        return written


class _StaleLook(MemoryJournal):
    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        return replace(super().look(run, holding, after), tail=())


class _LookGivesAnybodysClaim(MemoryJournal):
    def look(self, run: RunId, holding: Holding, after: int) -> Look:
        look, ticket = super().look(run, holding, after), self._tables.tickets.get(holding.ticket)
        return replace(look, claim=ticket.claim(holding.worker) if ticket else None)


class _KeyForgotten(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        return super().start(replace(run, key=None), meanwhile)


class _KeyForgottenWithItsRun(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        over = {row.id for row in self._tables.runs.values() if row.status in FINISHED}
        for key, (known, _) in list(self._tables.keys.items()):
            if known in over:
                del self._tables.keys[key]
        return super().start(run, meanwhile)


class _KeyWithoutInput(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        return super().start(replace(run, input_digest=b""), meanwhile)


class _KeyRefusedWhenRepeated(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        if (run.workflow, run.key) in self._tables.keys:
            raise InputError(f"the key {run.key} was used")
        return super().start(run, meanwhile)


class _StartsAgain(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        self._tables.runs.pop(run.id, None)
        self._tables.journal.pop(run.id, None)
        return super().start(run, meanwhile)


class _CancelByFlag(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        done = super().cancel(run, row, new_head, delta, fold)
        for ticket in self._tables.of_run(run):
            ticket.stop = False
        return done


class _CancelMissesWhatWaits(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        done = super().cancel(run, row, new_head, delta, fold)
        for ticket in self._tables.of_run(run):
            ticket.stop = ticket.stop and ticket.state != "waiting"
        return done


class _CancelOfAnyRevision(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        return super().cancel(run, self._tables.runs.get(run, row), new_head, delta, fold)


class _CancelWithoutFold(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        done = super().cancel(run, row, new_head, delta, fold)
        self._tables.tickets.pop(fold, None)
        return done


class _ReopensForOldHolders(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        old = self._tables.of_run(reopening.run)
        done = super().reopen(reopening)
        self._tables.tickets.update({ticket.id: ticket for ticket in old})
        return done


class _ReopensSuccess(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        row = self._tables.runs.get(reopening.run)
        if row is not None and row.status is RunStatus.SUCCEEDED:
            self._tables.runs[row.id] = replace(row, status=RunStatus.FAILED)
        return super().reopen(reopening)


class _CancelsEveryRun(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        done = super().cancel(run, row, new_head, delta, fold)
        for ticket in self._tables.tickets.values():
            ticket.stop = done and not ticket.is_fold
        return done


class _CancelLetsTheFoldWait(MemoryJournal):
    def cancel(self, run: RunId, row: RunRow, new_head: Head, delta: bytes, fold: TicketId) -> bool:
        known = self._tables.fold_of(run)
        before = None if known is None else replace(known)
        done = super().cancel(run, row, new_head, delta, fold)
        if before is not None:
            self._tables.tickets[before.id] = before
        return done


class _ReopensAnyRevision(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        row = self._tables.runs.get(reopening.run)
        return super().reopen(replace(reopening, revision=row.revision, head=row.head) if row else reopening)


class _KeepsTheOldLanes(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        row = self._tables.runs.get(reopening.run)
        return super().reopen(replace(reopening, digest=row.digest) if row else reopening)


class _TheDeadAreRefused(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        return commit.holding.worker not in self._tables.buried and super()._step(commit)


class _GroupAllOrNothing(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        with self._tables.lock:
            rows = [self._tables.runs.get(commit.run) for commit in commits]
            known = all(row and row.head == commit.head for row, commit in zip(rows, commits, strict=True))
            return super().steps(commits, meanwhile) if known else frozenset()


class _GroupWritesARunTwice(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        return frozenset(commit.new_head for commit in commits if self.step(commit))


class _GroupWritesTheLast(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        return super().steps(commits[::-1], meanwhile)


class _GroupSaysThatAllStand(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        super().steps(commits, meanwhile)
        return frozenset(commit.new_head for commit in commits)


class _GroupWithoutMore(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        return super().steps([replace(commit, more=()) for commit in commits], meanwhile)


class _GroupWithoutFolds(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        return super().steps([commit for commit in commits if not (commit.consumed or commit.cancelling)], meanwhile)


class _GroupTakesItsTimeTwice(MemoryJournal):
    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        meanwhile()
        return super().steps(commits, meanwhile)


JOURNAL_DEFECTS = [
    *defects(
        JournalContract,
        "journal",
        no_fence=_NoFence,
        begins_twice_meanwhile=_BeginsTwiceMeanwhile,
        takes_its_time_twice=_TakesItsTimeTwice,
        fence_by_worker_alone=_FenceByWorkerAlone,
        no_compare_and_set=_NoCompare,
        compare_without_head=_CompareWithoutHead,
        journal_written_when_refused=_WritesWhenRefused,
        progress_forgotten_when_refused=_ForgetsProgressWhenRefused,
        half_a_step=_HalfAStep,
        steps_ignore_stop=_IgnoresTheStop,
        progress_lost=_ProgressLost,
        progress_for_ever=_ProgressForEver,
        consumes_letters_that_nobody_read=_ConsumesEverything,
        leaves_without_delay=_LeavesWithoutDelay,
        end_without_time=_NeverFinished,
        end_leaves_tickets=_EndLeavesTickets,
        look_reads_stale=_StaleLook,
        look_gives_anybodys_claim=_LookGivesAnybodysClaim,
        key_forgotten=_KeyForgotten,
        key_forgotten_with_its_run=_KeyForgottenWithItsRun,
        key_without_input=_KeyWithoutInput,
        key_refused_when_repeated=_KeyRefusedWhenRepeated,
        start_begins_anew=_StartsAgain,
        cancel_by_flag=_CancelByFlag,
        cancel_misses_what_waits=_CancelMissesWhatWaits,
        cancel_of_any_revision=_CancelOfAnyRevision,
        cancel_without_fold=_CancelWithoutFold,
        reopens_for_old_holders=_ReopensForOldHolders,
        reopens_success=_ReopensSuccess,
        cancels_every_run=_CancelsEveryRun,
        cancel_lets_the_fold_wait=_CancelLetsTheFoldWait,
        reopens_any_revision=_ReopensAnyRevision,
        keeps_the_old_lanes=_KeepsTheOldLanes,
        the_dead_are_refused=_TheDeadAreRefused,
        group_all_or_nothing=_GroupAllOrNothing,
        group_writes_a_run_twice=_GroupWritesARunTwice,
        group_writes_the_last=_GroupWritesTheLast,
        group_says_that_all_stand=_GroupSaysThatAllStand,
        group_without_more=_GroupWithoutMore,
        group_without_folds=_GroupWithoutFolds,
        group_takes_its_time_twice=_GroupTakesItsTimeTwice,
    ),
]
