"""Tickets that do one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports import (
    Chunk,
    Claim,
    Hint,
    Holding,
    Lane,
    TakenOver,
)
from codemation.host.memory.tickets import MemoryTickets
from codemation.testing.conformance import (
    JournalContract,
    TicketsContract,
)
from tests.testing.defect import defects


class _ClaimsIgnoreStop(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        for one in self._tables.tickets.values():
            one.stop = False
        return super().claim(worker, lanes, ticket)


class _ClaimsIgnoreLanes(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        return super().claim(worker, [one.lane for one in self._tables.tickets.values()], ticket)


class _ClaimsIgnorePriority(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        oldest = sorted(self._tables.tickets.values(), key=lambda one: (one.due_at, one.id))
        found = (super(_ClaimsIgnorePriority, self).claim(worker, lanes, one.id) for one in oldest)
        return super().claim(worker, lanes, ticket) if ticket else next((one for one in found if one), None)


class _ClaimsIgnoreAge(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        for one in self._tables.tickets.values():
            one.due_at = self._tables.clock()
        return super().claim(worker, lanes, ticket)


class _TheBuriedClaim(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        buried, self._tables.buried = self._tables.buried, set()
        try:
            return super().claim(worker, lanes, ticket)
        finally:
            self._tables.buried = buried


class _ClaimsOneMore(MemoryTickets):
    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        return super().claim_some(worker, lanes, many + 1)


class _ClaimsSomeOfEachLane(MemoryTickets):
    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        return tuple(
            claim for lane in lanes for claim in super(_ClaimsSomeOfEachLane, self).claim_some(worker, [lane], 1)
        )


class _ClaimsSomeWithSlots(MemoryTickets):
    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        claims = (super(_ClaimsSomeWithSlots, self).claim(worker, lanes, pools=True) for _ in range(many))
        return tuple(claim for claim in claims if claim)


class _ClaimsSomeWithoutHoldingThem(MemoryTickets):
    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        claims = super().claim_some(worker, lanes, many)
        self.hand_back([claim.holding for claim in claims[1:]])
        return claims


class _RemindsAtOnce(MemoryTickets):
    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        ready = [one for one in self._tables.tickets.values() if one.state == "ready"]
        return tuple(Hint(ticket=one.id, queue="default" if one.is_fold else one.lane.queue) for one in ready)


class _RemindsAgainAndAgain(MemoryTickets):
    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        found = super().remind(limit)
        self._reminded.clear()
        return found


class _RemindsOfTheDefaultQueue(MemoryTickets):
    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        return tuple(Hint(ticket=hint.ticket) for hint in super().remind(limit))


class _RemindsOfEverything(MemoryTickets):
    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        return super().remind(1_000_000)


class _FenceStandsStill(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        claim = super().claim(worker, lanes, ticket)
        if claim is not None:
            self._tables.tickets[claim.holding.ticket].fence = 1
            return replace(claim, holding=replace(claim.holding, fence=1))
        return None


class _HandBackCountsAsDeath(MemoryTickets):
    def hand_back(self, holdings: Sequence[Holding]) -> int:
        held = [ticket for holding in holdings if (ticket := self._tables.held(holding))]
        for ticket in held:
            ticket.lost += 1
        return super().hand_back(holdings)


class _HandBackCountsTheClaim(MemoryTickets):
    def hand_back(self, holdings: Sequence[Holding]) -> int:
        held = [ticket for holding in holdings if (ticket := self._tables.held(holding))]
        for ticket in held:
            ticket.starts += 1
        return super().hand_back(holdings)


class _HandBackByAnybody(MemoryTickets):
    def hand_back(self, holdings: Sequence[Holding]) -> int:
        tickets = [ticket for holding in holdings if (ticket := self._tables.tickets.get(holding.ticket))]
        for ticket in tickets:
            self._tables.free(ticket)
        return len(tickets)


class _TakeOverIgnoresCancel(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        for ticket in self._tables.tickets.values():
            ticket.stop = False
        return super().take_over(dead, poison_after)


class _PoisonWithoutWord(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        taken = super().take_over(dead, poison_after)
        for run, _, _ in taken.poisoned:
            self._tables.letters.pop(run, None)
        return taken


class _PoisonWithoutFold(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        taken = super().take_over(dead, poison_after)
        for run, _, _ in taken.poisoned:
            fold = self._tables.fold_of(run)
            if fold is not None:
                self._tables.drop(fold)
        return taken


class _LossesNeverEnd(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        return super().take_over(dead, 1_000)


class _LossesAreReadyAtOnce(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        taken = super().take_over(dead, poison_after)
        for ticket in self._tables.tickets.values():
            ticket.state = "ready" if ticket.state == "waiting" else ticket.state
        return taken


class _TakeOverOfEverybody(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        return super().take_over([one.owner for one in self._tables.tickets.values() if one.owner], poison_after)


class _FiresEverything(MemoryTickets):
    def fire(self) -> float | None:
        for ticket in self._tables.tickets.values():
            ticket.due_at = self._tables.clock()
        return super().fire()


class _FiresNothing(MemoryTickets):
    def fire(self) -> float | None:
        return 1.0


class _StoppingNobody(MemoryTickets):
    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        return ()


class _ProgressOfTheLate(MemoryTickets):
    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        self._tables.progress.setdefault((holding.ticket, activation), {})[chunk.number] = chunk
        return True


class _ProgressInAnyOrder(MemoryTickets):
    def progress(self, ticket: TicketId, activation: ActivationId) -> tuple[Chunk, ...]:
        return tuple(self._tables.progress.get((ticket, activation), {}).values())


class _ProgressTwice(MemoryTickets):
    def progress(self, ticket: TicketId, activation: ActivationId) -> tuple[Chunk, ...]:
        return super().progress(ticket, activation) * 2


class _HandBackOfAnything(MemoryTickets):
    """What a stopping run's workers hand back is done with, its fold too."""

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        for holding in holdings:
            ticket = self._tables.held(holding)
            if ticket is not None and ticket.is_fold and self._tables.runs[ticket.run].stop:
                self._tables.drop(ticket)
        return super().hand_back(holdings)


class _FoldsAreGivenUp(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        taken = super().take_over(dead, poison_after)
        for ticket in list(self._tables.tickets.values()):
            if ticket.is_fold and ticket.lost >= poison_after:
                self._tables.drop(ticket)
        return taken


class _HintsAreWishes(MemoryTickets):
    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        return super().claim(worker, lanes, ticket) or super().claim(worker, lanes)


class _HandBackAfterTheEnd(MemoryTickets):
    def hand_back(self, holdings: Sequence[Holding]) -> int:
        held = [ticket for holding in holdings if (ticket := self._tables.held(holding))]
        over = [ticket for ticket in held if not ticket.stop and self._tables.is_over(ticket.run)]
        for ticket in over:
            self._tables.free(ticket)
        return len(over) + super().hand_back(holdings)


class _PostponedAfterTheEnd(MemoryTickets):
    def postpone(self, holding: Holding, delay: float) -> bool:
        ticket = self._tables.held(holding)
        if ticket is not None:
            self._tables.free(ticket, delay)
        return ticket is not None


class _TakenOverAfterTheEnd(MemoryTickets):
    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        for ticket in self._tables.tickets.values():
            if ticket.owner in dead and self._tables.is_over(ticket.run):
                self._tables.free(ticket)
        return super().take_over(dead, poison_after)


TICKET_DEFECTS = [
    *defects(JournalContract, "tickets", claims_ignore_stop=_ClaimsIgnoreStop, stopping_nobody=_StoppingNobody),
    *defects(
        TicketsContract,
        "tickets",
        claims_ignore_lanes=_ClaimsIgnoreLanes,
        claims_ignore_priority=_ClaimsIgnorePriority,
        claims_ignore_age=_ClaimsIgnoreAge,
        the_buried_claim=_TheBuriedClaim,
        claims_one_more=_ClaimsOneMore,
        claims_some_of_each_lane=_ClaimsSomeOfEachLane,
        claims_some_with_slots=_ClaimsSomeWithSlots,
        claims_some_without_holding_them=_ClaimsSomeWithoutHoldingThem,
        fence_stands_still=_FenceStandsStill,
        hand_back_counts_as_death=_HandBackCountsAsDeath,
        hand_back_counts_the_claim=_HandBackCountsTheClaim,
        hand_back_by_anybody=_HandBackByAnybody,
        take_over_ignores_cancel=_TakeOverIgnoresCancel,
        poison_without_word=_PoisonWithoutWord,
        poison_without_fold=_PoisonWithoutFold,
        losses_never_end=_LossesNeverEnd,
        losses_are_ready_at_once=_LossesAreReadyAtOnce,
        take_over_of_everybody=_TakeOverOfEverybody,
        fires_everything=_FiresEverything,
        fires_nothing=_FiresNothing,
        progress_of_the_late=_ProgressOfTheLate,
        progress_in_any_order=_ProgressInAnyOrder,
        progress_twice=_ProgressTwice,
        hand_back_of_anything=_HandBackOfAnything,
        folds_are_given_up=_FoldsAreGivenUp,
        hints_are_wishes=_HintsAreWishes,
        reminds_at_once=_RemindsAtOnce,
        reminds_again_and_again=_RemindsAgainAndAgain,
        reminds_of_the_default_queue=_RemindsOfTheDefaultQueue,
        reminds_of_everything=_RemindsOfEverything,
        hand_back_after_the_end=_HandBackAfterTheEnd,
        postponed_after_the_end=_PostponedAfterTheEnd,
        taken_over_after_the_end=_TakenOverAfterTheEnd,
    ),
]
