"""Waits and events, doing one thing wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Commit, OpenWait, SentEvent
from codemation.core.waits import WaitKind
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.tickets import MemoryTickets
from codemation.host.memory.waits import MemoryEvents, MemoryWaits
from codemation.testing.conformance import EventsContract, WaitsContract
from tests.testing.defect import Defect, defects


class _AnswersLeaveTheWait(MemoryWaits):
    """The letter is left, and the ticket stays: whoever comes next answers again."""

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        before = dict(self._tables.tickets)
        answered = super().answer(wait_key, body, fold)
        for id_, ticket in before.items():
            self._tables.tickets.setdefault(id_, ticket)
        return answered


class _AnswersWithoutALetter(MemoryWaits):
    """The ticket is taken first, and the letter would be left by another statement."""

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        answered = super().answer(wait_key, body, fold)
        if answered:
            self._tables.letters = {}
        return answered


class _AnswersOutOfTime(MemoryWaits):
    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        late = [one for one in self._tables.tickets.values() if one.wait_key == wait_key and one.due_at]
        for ticket in late:
            ticket.due_at = self._tables.clock() + timedelta(days=1)
        return super().answer(wait_key, body, fold)


class _AnswersAfterACancel(MemoryWaits):
    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        for ticket in self._tables.tickets.values():
            ticket.stop = ticket.stop and ticket.wait_key != wait_key
        return super().answer(wait_key, body, fold)


class _AnswersAnything(MemoryWaits):
    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        try:
            json.loads(body)
        except ValueError:
            body = "null"
        return super().answer(wait_key, body, fold)


class _ListsWaitsOfTheCancelled(MemoryWaits):
    def open(self, *, kind: WaitKind | None = None, run: RunId | None = None, limit: int = 100) -> tuple[OpenWait, ...]:
        stopped = [ticket for ticket in self._tables.tickets.values() if ticket.stop]
        for ticket in stopped:
            ticket.stop = False
        found = super().open(kind=kind, run=run, limit=limit)
        for ticket in stopped:
            ticket.stop = True
        return found


class _WaitsAreClaimed(MemoryTickets):
    """A time that has come makes a wait ready, as if it were work."""

    def fire(self) -> float | None:
        for ticket in self._tables.tickets.values():
            ticket.kind = "work"
        return super().fire()


class _FiresInCancelledRuns(MemoryTickets):
    def fire(self) -> float | None:
        for ticket in self._tables.tickets.values():
            ticket.stop = False
        return super().fire()


class _WaitsOfTheRefused(MemoryJournal):
    """The waits hang on the statement alone, and not on its guard."""

    def _step(self, commit: Commit) -> bool:
        if super()._step(commit):
            return True
        self._tables.add_waits(commit.run, commit.waits)
        return False


class _DatesByDelay(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        waits = tuple(replace(wait, until=None, delay=wait.delay or 0.0) for wait in commit.waits)
        return super()._step(replace(commit, waits=waits))


class _TheDateCounts(MemoryJournal):
    def _step(self, commit: Commit) -> bool:
        waits = (replace(one, delay=None if one.until else one.delay) for one in commit.waits)
        return super()._step(replace(commit, waits=tuple(waits)))


class _EarlyEventsAreLost(MemoryEvents):
    def meet(self, run: RunId | None = None) -> int:
        return super().meet(run) if run is None and self._tables.events else 0


class _WakesOneWait(MemoryEvents):
    def meet(self, run: RunId | None = None) -> int:
        waiting = [ticket for ticket in self._tables.tickets.values() if ticket.kind == "event"]
        for ticket in waiting[1:]:
            ticket.kind = "timer"
        met = super().meet(run)
        for ticket in waiting[1:]:
            ticket.kind = "event"
        return met


class _SendsTwice(MemoryEvents):
    def send(self, event: SentEvent) -> bool:
        return super().send(replace(event, id=f"{event.id}:{self._tables.number()}", dedup=None))


class _GivesEveryTurnTheSame(MemoryEvents):
    def meet(self, run: RunId | None = None) -> int:
        self._tables.receipts = {}
        return super().meet(run)


class _KeepsForEver(MemoryEvents):
    def send(self, event: SentEvent) -> bool:
        return super().send(replace(event, keep=1e8))


class _LatestFirst(MemoryEvents):
    def meet(self, run: RunId | None = None) -> int:
        self._tables.events = dict(reversed(self._tables.events.items()))
        met = super().meet(run)
        self._tables.events = dict(reversed(self._tables.events.items()))
        return met


class _TakesWhatIsLate(MemoryEvents):
    """Whether a wait's time is over is left to whoever fires it."""

    def meet(self, run: RunId | None = None) -> int:
        times = {ticket.id: ticket.due_at for ticket in self._tables.tickets.values()}
        for ticket in self._tables.tickets.values():
            ticket.due_at = None
        met = super().meet(run)
        for ticket in self._tables.tickets.values():
            ticket.due_at = times.get(ticket.id)
        return met


def _all() -> list[Defect]:
    waits = defects(
        WaitsContract,
        "waits",
        answers_leave_the_wait=_AnswersLeaveTheWait,
        answers_without_a_letter=_AnswersWithoutALetter,
        answers_out_of_time=_AnswersOutOfTime,
        answers_after_a_cancel=_AnswersAfterACancel,
        answers_anything=_AnswersAnything,
        lists_waits_of_the_cancelled=_ListsWaitsOfTheCancelled,
    )
    tickets = defects(
        WaitsContract, "tickets", waits_are_claimed=_WaitsAreClaimed, fires_in_cancelled_runs=_FiresInCancelledRuns
    )
    journal = defects(
        WaitsContract,
        "journal",
        waits_of_the_refused=_WaitsOfTheRefused,
        dates_by_delay=_DatesByDelay,
        the_date_counts=_TheDateCounts,
    )
    events = defects(
        EventsContract,
        "events",
        early_events_are_lost=_EarlyEventsAreLost,
        wakes_one_wait=_WakesOneWait,
        sends_twice=_SendsTwice,
        gives_every_turn_the_same=_GivesEveryTurnTheSame,
        keeps_for_ever=_KeepsForEver,
        latest_first=_LatestFirst,
        takes_what_is_late=_TakesWhatIsLate,
    )
    return [*waits, *tickets, *journal, *events]


WAIT_DEFECTS = _all()
