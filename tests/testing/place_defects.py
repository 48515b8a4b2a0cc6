"""Turnstiles, pools, rates and follow-ups, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from codemation.core.ids import RunId, TicketId, WorkerId, WorkflowId
from codemation.core.ports import Claim, Commit, FollowUp, Lane, NewRun, Reopening, RunRow, nothing
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.following import MemoryFollowUps
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.pools import MemoryPools
from codemation.host.memory.rates import MemoryRates
from codemation.host.memory.tables import Tables
from codemation.host.memory.tickets import MemoryTickets
from codemation.host.memory.turnstiles import MemoryTurnstiles, check_free, let_in
from codemation.testing.conformance import FollowUpsContract, PoolsContract, RatesContract, TurnstilesContract
from tests.testing.defect import Defect, defects


class _LetsEverybodyIn(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        return super().start(replace(run, turnstile=None), meanwhile)


class _ForgetsWhoIsQueued(MemoryJournal):
    """The place is free again, and nobody is told."""

    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, turnstile=None))


class _QueuesWhereItShouldRefuse(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        turnstile = run.turnstile
        return super().start(
            replace(run, turnstile=None if turnstile is None else replace(turnstile, refuses=False)), meanwhile
        )


class _RefusesTheRunOfItsKey(MemoryJournal):
    """It looks whether a place is free before it looks whether the run is there."""

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        check_free(self._tables, run)
        return super().start(run, meanwhile)


class _ResumesPastTheQueue(MemoryJournal):
    def reopen(self, reopening: Reopening) -> bool:
        return super().reopen(replace(reopening, turnstile=None))


class _AStepLetsTheRunIn(MemoryJournal):
    """The status that was written last stands, whatever the row says of its place."""

    def _step(self, commit: Commit) -> bool:
        queued = commit.status is RunStatus.QUEUED
        return super()._step(replace(commit, status=RunStatus.RUNNING) if queued else commit)


class _LastComeFirstServed(MemoryTurnstiles):
    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        return tuple(reversed(super().at(name, queued=queued)))


class _ReadsTheWholeQueue(MemoryTurnstiles):
    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        return super().at(name)


class _MendsTooMuch(MemoryTurnstiles):
    def mend(self, name: str | None = None) -> int:
        with self._tables.lock:
            if name is None:
                return super().mend()
            places = self._tables.turnstiles.get(name)
            if places is None:
                return 0
            self._tables.turnstiles[name] = places + 1
            return let_in(self._tables, name)


class _MendsOnlyWhatIsNamed(MemoryTurnstiles):
    def mend(self, name: str | None = None) -> int:
        return 0 if name is None else super().mend(name)


class _ClaimsWithoutASlot(MemoryTickets):
    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        with self._tables.lock:
            before = {one.id: one.pool for one in self._tables.tickets.values()}
            for one in self._tables.tickets.values():
                one.pool = ""
            claim = super().claim(worker, lanes, ticket)
            for name, pool in before.items():
                self._tables.tickets[name].pool = pool
            return claim


class _ClaimsWithoutBeingAskedTo(MemoryTickets):
    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        return super().claim(worker, lanes, ticket, pools=True)


class _KeepsTheSlotOfTheDone(MemoryPools):
    """A count that only ever rises."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._most: dict[str, int] = {}

    def all(self) -> Mapping[str, tuple[int, int]]:
        now = super().all()
        for name, (taken, _) in now.items():
            self._most[name] = max(taken, self._most.get(name, 0))
        return {name: (self._most[name], slots) for name, (_, slots) in now.items()}


class _EveryDeclarationIsTheWhole(MemoryPools):
    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        self._tables.pools.clear()
        super().declare(pools)


class _ADefaultGoesOverWhatWasSaid(MemoryPools):
    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        super().declare(pools)


class _BooksTheSameMomentTwice(MemoryRates):
    def book(self, name: str, calls: int, spacing: float) -> float:
        return 0.0 * super().book(name, calls, spacing)


class _BooksOneWhateverIsAskedFor(MemoryRates):
    def book(self, name: str, calls: int, spacing: float) -> float:
        return super().book(name, 1, spacing)


class _BooksThePast(MemoryRates):
    """Where nobody has called for long, all the calls of that time come at once."""

    def book(self, name: str, calls: int, spacing: float) -> float:
        with self._tables.lock:
            until = self._tables.rates.get(name)
            wait = super().book(name, calls, spacing)
            now = self._tables.clock()
            return wait if until is None else min(wait, (until - now).total_seconds())


class _OneRateForAll(MemoryRates):
    def book(self, name: str, calls: int, spacing: float) -> float:
        return super().book("", calls, spacing)


class _NotesBeforeTheEndStands(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        if commit.follow_up:
            self._tables.follow_ups[commit.run, commit.revision + 1] = commit.follow_up
        return super()._step(commit)


class _NotesNothing(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, follow_up="") if commit.status in FINISHED else commit)


class _GivesWhatOthersFollow(MemoryFollowUps):
    def due(self, workflows: Sequence[WorkflowId], limit: int = 100) -> tuple[FollowUp, ...]:
        every = {WorkflowId(name) for name in self._tables.follow_ups.values()}
        return super().due(list(every), limit)


class _ForgetsByRun(MemoryFollowUps):
    def done(self, follow_up: FollowUp) -> None:
        for run, revision in list(self._tables.follow_ups):
            if run == follow_up.run:
                super().done(replace(follow_up, revision=revision))


PLACE_DEFECTS: list[Defect] = [
    *defects(
        TurnstilesContract,
        "journal",
        everybody_is_let_in=_LetsEverybodyIn,
        who_is_queued_is_forgotten=_ForgetsWhoIsQueued,
        a_run_too_many_is_queued_where_it_should_be_refused=_QueuesWhereItShouldRefuse,
        the_run_of_a_key_is_refused=_RefusesTheRunOfItsKey,
        a_resumed_run_goes_past_the_queue=_ResumesPastTheQueue,
        a_step_lets_a_queued_run_in=_AStepLetsTheRunIn,
    ),
    *defects(
        TurnstilesContract,
        "turnstiles",
        who_came_last_stands_first=_LastComeFirstServed,
        mending_lets_one_more_in=_MendsTooMuch,
        mends_only_what_is_named=_MendsOnlyWhatIsNamed,
        reads_the_whole_queue=_ReadsTheWholeQueue,
    ),
    *defects(
        PoolsContract,
        "tickets",
        slots_are_not_looked_at=_ClaimsWithoutASlot,
        slots_are_taken_without_being_asked_for=_ClaimsWithoutBeingAskedTo,
    ),
    *defects(
        PoolsContract,
        "pools",
        the_count_only_rises=_KeepsTheSlotOfTheDone,
        what_is_not_declared_again_is_gone=_EveryDeclarationIsTheWhole,
        a_default_goes_over_what_was_said=_ADefaultGoesOverWhatWasSaid,
    ),
    *defects(
        RatesContract,
        "rates",
        a_moment_is_given_twice=_BooksTheSameMomentTwice,
        one_call_is_booked_for_many=_BooksOneWhateverIsAskedFor,
        moments_of_the_past_are_given=_BooksThePast,
        one_rate_counts_for_all=_OneRateForAll,
    ),
    *defects(
        FollowUpsContract,
        "journal",
        what_follows_is_noted_before_the_end_stands=_NotesBeforeTheEndStands,
        nothing_is_noted=_NotesNothing,
    ),
    *defects(
        FollowUpsContract,
        "follow_ups",
        what_follows_others_is_given=_GivesWhatOthersFollow,
        all_of_a_run_is_forgotten=_ForgetsByRun,
    ),
]
