"""A model beside stores, and what must be true of both after each command of a random walk."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from codemation.core.ids import RunId, WorkerId
from codemation.core.ports import (
    Claim,
    Holding,
    Lane,
    NewTicket,
    Stores,
    TicketRow,
)
from codemation.core.states import FINISHED
from codemation.testing.conformance.model import Model, ModelRun
from codemation.testing.conformance.world import World

T = TypeVar("T")
Ground: TypeAlias = tuple[Stores, Callable[[float], None]]
"""Empty stores, and what moves their clock."""

HOUR = 3600.0
"""The clock goes in hours, which is far more than stores ever take for a command."""
POISON_AFTER = 3
MOST_RUNS = 4

some = st.integers(min_value=0, max_value=59)
"""Chooses one of what there is."""


class Walk(RuleBasedStateMachine):
    """A model beside stores, and what must be true of both after each command."""

    ground: ClassVar[Callable[[], Ground]]

    def __init__(self) -> None:
        super().__init__()
        self.stores, self.pass_by = type(self).ground()
        self.world = World(self.stores)
        self.model = Model()
        self.digests = [self.world.flow.digest, self.world.definition(code="2").digest]
        self.lanes = [Lane(queue=queue, digest=digest) for queue in ("default", "slow") for digest in self.digests]
        self.workers = [self.world.worker() for _ in range(3)]
        self.claims: list[Claim] = []
        """Every claim that was ever given; many of them are no longer good."""
        self.made = 0

    def run_at(self, number: int) -> ModelRun:
        """One of the runs."""
        return chosen(list(self.model.runs.values()), number)

    def tickets(self, count: int, shape: int) -> tuple[NewTicket, ...]:
        """New work, whose activations have names that nothing else has."""
        self.made += count
        names = [f"n/{number}" for number in range(self.made - count, self.made)]
        return self.world.tickets(*names, queue=("default", "slow")[shape % 2], priority=shape % 3)

    def begun(self, run: ModelRun, tickets: tuple[NewTicket, ...], worker: WorkerId | None) -> None:
        """Remember the claim that somebody has from the start."""
        if worker is not None and tickets:
            first = tickets[0]
            holding = Holding(ticket=first.id, worker=worker, fence=1)
            priority = first.priority or run.priority
            claim = Claim(
                holding=holding, run=run.id, activation=first.activation, queue=first.queue, priority=priority
            )
            self.claims.append(claim)

    def claim_at(self, number: int) -> Claim:
        """One of the claims: mostly one that is still good, at times one whose ticket is in other hands by now."""
        recent = self.claims[-20:]
        good = [claim for claim in recent if self.is_good(claim)]
        held = {one.id for one in self.model.tickets.values() if one.holding is not None}
        late = [claim for claim in recent if claim not in good and claim.holding.ticket in held]
        return chosen((good if number % 3 else late) or recent, number // 3)

    def is_good(self, claim: Claim) -> bool:
        """Whether a claim's holder still has it: the model knows for work, the stores for a fold."""
        run = self.model.runs[claim.run]
        known = len(run.heads) // 2
        seen = self.stores.journal.look(claim.run, claim.holding, known)
        assert [entry.head for entry in seen.tail] == run.heads[known:], "a look misses revisions"
        looks = seen.claim is not None and seen.claim.holding == claim.holding
        if not claim.is_fold:
            assert looks == (self.model.holds(claim.holding) is not None), "a look is wrong about a claim"
        return looks

    def folds(self, run: RunId) -> list[TicketRow]:
        """The fold tickets of a run."""
        return [ticket for ticket in self.stores.runs.tickets(run) if not ticket.activation]

    def all_folds(self, state: str) -> list[TicketRow]:
        """The fold tickets of all runs in one state."""
        return [fold for run in self.model.runs for fold in self.folds(run) if fold.state == state]

    @invariant()
    def both_are_the_same(self) -> None:
        """Runs, tickets and letters are those of the model."""
        self.compare_journals()
        self.compare_tickets()
        self.compare_letters()

    def compare_journals(self) -> None:
        """Each run has the model's revisions, status and stop."""
        for run in self.model.runs.values():
            row, entries = self.stores.journal.load(run.id)
            assert [(entry.head, entry.delta) for entry in entries] == list(zip(run.heads, run.deltas, strict=True))
            assert [entry.revision for entry in entries] == list(range(1, len(entries) + 1))
            assert (row.revision, row.head) == (len(run.deltas), run.heads[-1])
            assert (row.status, row.stop, row.digest) == (run.status, run.stop, run.digest)
            assert (row.finished_at is None) == (run.status not in FINISHED)

    def compare_tickets(self) -> None:
        """Each run has the model's work, in the model's hands, with the model's progress."""
        for run in self.model.runs:
            rows = {row.id: row for row in self.stores.runs.tickets(run) if row.activation}
            found = {id_: (row.activation, row.state, row.worker, row.lost) for id_, row in rows.items()}
            work = self.model.work_of(run)
            assert found == {
                one.id: (one.activation, one.state, one.holding and one.holding.worker, one.lost) for one in work
            }
            for ticket in work:
                chunks = self.stores.tickets.progress(ticket.id, ticket.activation)
                assert [(chunk.number, chunk.data) for chunk in chunks] == sorted(ticket.chunks.items())

    def compare_letters(self) -> None:
        """A run has one fold ticket as long as it has letters or has to stop, and none otherwise."""
        for run in self.model.runs.values():
            letters = [canonical(letter.body) for letter in self.stores.inbox.pending(run.id)]
            assert sorted(letters) == sorted(run.letters)
            assert len(self.folds(run.id)) == int(bool(letters) or run.stop)

    def teardown(self) -> None:
        """In the end, whoever should stop is told, and whatever nobody goes on with is found."""
        for worker in self.workers:
            held = [one for one in self.model.tickets.values() if one.holding and one.holding.worker == worker]
            assert set(self.stores.tickets.stopping(worker)) == {one.run for one in held if one.stop}
        found = {one.run for one in self.stores.runs.unattended()}
        for run in self.model.runs.values():
            work = self.model.work_of(run.id)
            dead = any(one.holding and one.holding.worker in self.model.buried and not one.stop for one in work)
            if run.status not in FINISHED and (dead or not (work or run.letters or run.stop)):
                assert run.id in found, "nobody goes on with a run, and nobody is told"


def chosen(those: list[T], number: int) -> T:
    """One of a list that is not empty."""
    return those[number % len(those)]


def canonical(body: str) -> str:
    """The one spelling of a letter's body."""
    return json.dumps(json.loads(body), sort_keys=True)
