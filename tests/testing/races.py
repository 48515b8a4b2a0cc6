"""Stores that are sound for one caller at a time: they look under the lock, and write under it later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import Any

from codemation.core.ids import Head, RunId, TicketId, WorkerId
from codemation.core.ports import Claim, Commit, Lane, NewRun, Reopening, Stores, TakenOver, nothing
from codemation.host.memory import Tables, stores_on
from codemation.host.memory.inbox import MemoryInbox
from codemation.host.memory.journal import MemoryJournal
from codemation.host.memory.tickets import MemoryTickets
from codemation.testing.conformance import InboxContract, JournalContract, TicketsContract
from tests.testing.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A port that races with itself, and the test that has to find out."""

    name: str
    contract: type
    caught_by: str
    port: str
    broken: Callable[[Tables], Any]

    def stores(self, clock: Clock) -> Stores:
        """Stores with this race and no other."""
        tables = Tables(clock)
        return replace(stores_on(tables), **{self.port: self.broken(tables)})


class _Gap:
    """The time between looking and writing: whoever looks first waits until somebody else has looked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._looked = 0
        self._two = Event()

    def cross(self) -> None:
        with self._lock:
            self._looked += 1
            if self._looked == 2:
                self._two.set()
        self._two.wait(10.0)


class _ClaimsLater(MemoryTickets):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def claim(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None) -> Claim | None:
        with self._tables.lock:
            claim = super().claim(worker, lanes, ticket)
            if claim is None:
                return None
            found = self._tables.tickets[claim.holding.ticket]
            found.state, found.owner, found.fence, found.starts = "ready", None, found.fence - 1, found.starts - 1
        self._gap.cross()
        with self._tables.lock:
            return found.give_to(worker)


class _TakesOverLater(MemoryTickets):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        with self._tables.lock:
            held = [one for one in self._tables.tickets.values() if one.owner in dead]
        self._gap.cross()
        with self._tables.lock:
            for ticket in held:
                ticket.state, ticket.owner = "running", dead[0]
            return super().take_over(dead, poison_after)


class _StepsLater(MemoryJournal):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def _step(self, commit: Commit) -> bool:
        with self._tables.lock:
            row = self._tables.runs[commit.run]
            if (row.revision, row.head) != (commit.revision, commit.head):
                return False
        self._gap.cross()
        with self._tables.lock:
            row = self._tables.runs[commit.run]
            return super()._step(replace(commit, revision=row.revision, head=row.head))


class _WritesGroupsLater(MemoryJournal):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def steps(self, commits: Sequence[Commit], meanwhile: Callable[[], object] = nothing) -> frozenset[Head]:
        with self._tables.lock:
            rows = [self._tables.runs[commit.run] for commit in commits]
            free = [one for row, one in zip(rows, commits, strict=True) if row.head == one.head]
        self._gap.cross()
        with self._tables.lock:
            for commit in free:
                row = self._tables.runs[commit.run]
                super()._step(replace(commit, revision=row.revision, head=row.head))
            return frozenset(commit.new_head for commit in free)


class _StartsLater(MemoryJournal):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def start(self, run: NewRun, meanwhile: Callable[[], object] = nothing) -> RunId:
        key = (run.workflow, run.key or "")
        with self._tables.lock:
            if key in self._tables.keys:
                return super().start(run, meanwhile)
        self._gap.cross()
        with self._tables.lock:
            self._tables.keys.pop(key, None)
            return super().start(run, meanwhile)


class _ReopensLater(MemoryJournal):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def reopen(self, reopening: Reopening) -> bool:
        with self._tables.lock:
            before = self._tables.runs[reopening.run]
        self._gap.cross()
        with self._tables.lock:
            now = self._tables.runs[reopening.run]
            self._tables.runs[now.id] = replace(now, status=before.status)
            return super().reopen(replace(reopening, revision=now.revision, head=now.head))


class _PostsLater(MemoryInbox):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._gap = _Gap()

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        with self._tables.lock:
            if any(letter.key == key for letter in self.pending(run)):
                return False
        self._gap.cross()
        with self._tables.lock:
            self._tables.letters.setdefault(run, []).clear()
            return super().post(run, key, body, fold)


RACES = [
    Race(
        name="claims later",
        contract=TicketsContract,
        caught_by="test_one_ticket_is_claimed_by_one_of_many",
        port="tickets",
        broken=_ClaimsLater,
    ),
    Race(
        name="takes over later",
        contract=TicketsContract,
        caught_by="test_of_several_who_take_over_one_does",
        port="tickets",
        broken=_TakesOverLater,
    ),
    Race(
        name="steps later",
        contract=JournalContract,
        caught_by="test_of_writers_who_know_the_same_revision_one_wins",
        port="journal",
        broken=_StepsLater,
    ),
    Race(
        name="writes groups later",
        contract=JournalContract,
        caught_by="test_of_groups_that_share_runs_each_run_is_written_by_one",
        port="journal",
        broken=_WritesGroupsLater,
    ),
    Race(
        name="starts later",
        contract=JournalContract,
        caught_by="test_many_starts_with_one_key_at_once_make_one_run",
        port="journal",
        broken=_StartsLater,
    ),
    Race(
        name="reopens later",
        contract=JournalContract,
        caught_by="test_of_several_who_reopen_one_succeeds",
        port="journal",
        broken=_ReopensLater,
    ),
    Race(
        name="posts later",
        contract=InboxContract,
        caught_by="test_of_many_who_send_the_same_letter_one_does",
        port="inbox",
        broken=_PostsLater,
    ),
]
