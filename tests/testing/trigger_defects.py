"""Duties and triggers, doing one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from codemation.core.ids import RunId, WorkerId, WorkflowId
from codemation.core.ports import (
    Arm,
    Commit,
    DueSchedule,
    DutyRow,
    Emitted,
    Firing,
    NewRun,
    PollClaim,
    Pulse,
    Tick,
    nothing,
)
from codemation.host.memory.armed import OwedRow, TriggerRow
from codemation.host.memory.duties import MemoryDuties
from codemation.host.memory.firings import MemoryFirings
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.triggers import MemoryArmory, MemoryPolls, MemorySchedules
from codemation.testing.conformance import (
    ArmoryContract,
    DutiesContract,
    FeedsContract,
    FiringsContract,
    PollsContract,
    SchedulesContract,
)
from tests.testing.defect import Defect, defects


class _GivesADutyToEverybody(MemoryDuties):
    """Whether the holder has beaten since is not looked at."""

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        return super().take(name, worker, self._row(name))


class _ComparesTheEpochAlone(MemoryDuties):
    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        return super().take(name, worker, replace(known, beat=self._row(name).beat))


class _BeatsForTheRobbed(MemoryDuties):
    """Whoever says that he holds a duty is believed."""

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        for name in held:
            row = self._row(name)
            self._tables.armed.duties[name] = replace(row, beat=row.beat + 1, worker=None)
        return super().beat(worker, {}, did=did, triggers=triggers)


class _LeavesNothing(MemoryDuties):
    def leave(self, worker: WorkerId) -> None: ...


class _TrustsTheBuried(MemoryDuties):
    def _row(self, name: str) -> DutyRow:
        return replace(super()._row(name), gone=False)


class _ArmsBesideTheOthers(MemoryArmory):
    """What is not named any more stays armed."""

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        there = [row.arm for row in self._tables.armed.triggers.values() if row.workflow == workflow and row.active]
        super().arm(workflow, digest, [*arms, *(one for one in there if one.id not in {arm.id for arm in arms})], by)


class _BeginsAnewEachTime(MemoryArmory):
    """New code forgets when the next tick is."""

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        for arm in arms:
            row = self._tables.armed.triggers.get(arm.id)
            if row is not None:
                row.next_at = None
        super().arm(workflow, digest, arms, by)


class _GoesOnWhereItWasDisarmed(MemoryArmory):
    def disarm(self, workflow: WorkflowId, by: str) -> bool:
        times = {id_: row.next_at for id_, row in self._tables.armed.triggers.items()}
        done = super().disarm(workflow, by)
        for id_, row in self._tables.armed.triggers.items():
            row.next_at, row.active = times[id_], row.active or row.workflow == workflow
        return done


class _MovesOnTwice(MemorySchedules):
    """The next time is not compared."""

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        row = self._tables.armed.triggers[schedule.trigger]
        now = replace(schedule, next_at=row.next_at) if row.next_at is not None else schedule
        return super().advance(now, ticks, next_at)


class _TicksWithoutRuns(MemorySchedules):
    """A crash between the tick and what is owed for it."""

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        done = super().advance(schedule, ticks, next_at)
        self._tables.armed.owed.clear()
        return done


class _OwesATickAgain(MemorySchedules):
    def owe(self, trigger: str, tick: Tick, *, serial: bool) -> bool:
        self._tables.armed.ticks.pop((trigger, tick.at), None)
        return super().owe(trigger, tick, serial=serial)


class _ForgetsWhatIsOwed(MemorySchedules):
    def forget(self, age: float, limit: int = 500) -> int:
        armed = self._tables.armed
        gone = [place for place, run in armed.ticks.items() if run not in self._tables.runs]
        for place in gone:
            del armed.ticks[place]
        return len(gone)


class _ClaimsAllTicksAtOnce(MemoryFirings):
    def _has_turn(self, row: OwedRow, now: datetime) -> bool:
        return True


class _ClaimsWhileOneIsClaimed(MemoryFirings):
    """Only the oldest that nobody has claimed is looked for."""

    def _has_turn(self, row: OwedRow, now: datetime) -> bool:
        rows = [one for one in self._tables.armed.owed.values() if one.trigger == row.trigger and one.owner is None]
        return not row.serial or min(rows, key=lambda one: (one.at, one.id)) is row


class _LetsNobodyPass(MemoryFirings):
    """A tick that fails stops all that come after it."""

    def _has_turn(self, row: OwedRow, now: datetime) -> bool:
        others = [one for one in self._tables.armed.owed.values() if one.trigger == row.trigger and one.serial]
        first = not row.serial or min(others, key=lambda one: (one.at, one.id)) is row
        return first and super()._has_turn(row, now)


class _ForgetsWhatFailed(MemoryFirings):
    def failed(self, firing: Firing, error: str, wait: float) -> None:
        self.dropped(firing, error)


class _KeepsTheClaimsOfTheDead(MemoryFirings):
    def free(self) -> int:
        return 0


class _FreesTheClaimsOfTheLiving(MemoryFirings):
    def free(self) -> int:
        mine = [row for row in self._tables.armed.owed.values() if row.owner is not None]
        for row in mine:
            row.owner, row.due_at = None, self._tables.clock()
        return len(mine)


class _TellsNoTick(MemoryFirings):
    """The tick does not know its run."""

    def started(self, firing: Firing, run: RunId) -> None:
        super().started(firing, run)
        self._tables.armed.ticks[firing.trigger, firing.at] = None


class _CountsABackfillAsTheLastRun(MemoryFirings):
    def started(self, firing: Firing, run: RunId) -> None:
        super().started(replace(firing, serial=True), run)


class _SavesForTheOvertaken(MemoryPolls):
    """The fence is not compared."""

    def _held(self, claim: PollClaim) -> TriggerRow | None:
        row = self._tables.armed.triggers.get(claim.trigger)
        return row if row is not None and row.revision == claim.revision else None


class _SavesTwice(MemoryPolls):
    """The revision is not compared."""

    def _held(self, claim: PollClaim) -> TriggerRow | None:
        row = self._tables.armed.triggers.get(claim.trigger)
        return row if row is not None and (row.owner, row.fence) == (claim.worker, claim.fence) else None


class _StartsKnownKeys(MemoryPolls):
    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        self._tables.armed.seen.clear()
        return super().save(claim, state, items, wait)


class _ForgetsByTheClock(MemoryPolls):
    """Keys go when they are old, whatever the source has given since."""

    def forget(self, age: float, limit: int = 500) -> int:
        armed, before = self._tables.armed, self._tables.clock() - timedelta(seconds=age)
        gone = [place for place, at in armed.seen.items() if at < before]
        for place in gone:
            del armed.seen[place]
        return len(gone)


class _NeverTouchesAKey(MemoryPolls):
    """What is given again and again is forgotten in the end."""

    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        before = dict(self._tables.armed.seen)
        done = super().save(claim, state, items, wait)
        self._tables.armed.seen.update(before)
        return done


class _SavesTheStateAlone(MemoryPolls):
    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        done = super().save(claim, state, items, wait)
        self._tables.armed.owed.clear()
        return done


class _AnnouncesNothing(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, announces=False))


class _ForgetsWhatWasWritten(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        return super()._step(replace(commit, written=()))


class _AnnouncesWhatWasOver(MemoryJournal):
    """Each late result of a run that is over ends it anew."""

    def _step(self, commit: Commit) -> bool:
        done = super()._step(commit)
        row = self._tables.runs[commit.run]
        if done and commit.announces:
            self._tables.armed.tell("finished", row.workflow, row, self._tables.clock())
        return done


class _AnnouncesBeforeTheStep(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        row = self._tables.runs[commit.run]
        self._tables.armed.tell("finished", row.workflow, replace(row, status=commit.status), self._tables.clock())
        return super()._step(replace(commit, announces=False))


class _ForgetsTheChain(MemoryJournal):
    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        return super().start(replace(run, origin=None), meanwhile)


TRIGGER_DEFECTS: list[Defect] = [
    *defects(
        DutiesContract,
        "duties",
        gives_a_duty_to_everybody=_GivesADutyToEverybody,
        compares_the_epoch_alone=_ComparesTheEpochAlone,
        beats_for_the_robbed=_BeatsForTheRobbed,
        leaves_nothing=_LeavesNothing,
        trusts_the_buried=_TrustsTheBuried,
    ),
    *defects(
        ArmoryContract,
        "armory",
        arms_beside_the_others=_ArmsBesideTheOthers,
        begins_anew_each_time=_BeginsAnewEachTime,
        goes_on_where_it_was_disarmed=_GoesOnWhereItWasDisarmed,
    ),
    *defects(
        SchedulesContract,
        "schedules",
        moves_on_twice=_MovesOnTwice,
        ticks_without_runs=_TicksWithoutRuns,
        owes_a_tick_again=_OwesATickAgain,
        forgets_what_is_owed=_ForgetsWhatIsOwed,
    ),
    *defects(
        FiringsContract,
        "firings",
        claims_all_ticks_at_once=_ClaimsAllTicksAtOnce,
        claims_while_one_is_claimed=_ClaimsWhileOneIsClaimed,
        lets_nobody_pass=_LetsNobodyPass,
        forgets_what_failed=_ForgetsWhatFailed,
        keeps_the_claims_of_the_dead=_KeepsTheClaimsOfTheDead,
        frees_the_claims_of_the_living=_FreesTheClaimsOfTheLiving,
        tells_no_tick=_TellsNoTick,
        counts_a_backfill_as_the_last_run=_CountsABackfillAsTheLastRun,
    ),
    *defects(
        PollsContract,
        "polls",
        saves_for_the_overtaken=_SavesForTheOvertaken,
        saves_twice=_SavesTwice,
        starts_known_keys=_StartsKnownKeys,
        forgets_by_the_clock=_ForgetsByTheClock,
        never_touches_a_key=_NeverTouchesAKey,
        saves_the_state_alone=_SavesTheStateAlone,
    ),
    *defects(
        FeedsContract,
        "journal",
        announces_nothing=_AnnouncesNothing,
        forgets_what_was_written=_ForgetsWhatWasWritten,
        announces_what_was_over=_AnnouncesWhatWasOver,
        announces_before_the_step=_AnnouncesBeforeTheStep,
        forgets_the_chain=_ForgetsTheChain,
    ),
]
