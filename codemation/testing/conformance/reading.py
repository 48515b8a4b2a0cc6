"""What is read of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from codemation.core.errors import UnknownRun
from codemation.core.ids import ActivationId
from codemation.core.ports import Drop, GoOn, Leave, Stores
from codemation.testing.conformance.world import Contract, World, gone_on

B = ActivationId("b/1")
Later = Callable[[float], None]


class ReadingContract(Contract):
    """Reading tells what is true now, of the run and of one's own claim."""

    def test_loading_gives_the_whole_journal_in_order(self, stores: Stores, world: World) -> None:
        """The run comes with every revision from the first to the latest."""
        claim = world.held()
        world.step(claim, then=GoOn(activation=B), delta=world.delta("second/1"))
        world.step(gone_on(claim, "b/1"), delta=world.delta("third/1"))
        row, entries = stores.journal.load(claim.run)
        assert [entry.revision for entry in entries] == [1, 2, 3]
        assert [entry.delta for entry in entries[1:]] == [world.delta("second/1"), world.delta("third/1")]
        assert (row.revision, row.head) == (3, entries[-1].head)

    def test_loading_what_is_not_there_says_so(self, stores: Stores, world: World) -> None:
        """An id that no run has is an error that names it."""
        claim, run = world.held(), world.run_id()
        with pytest.raises(UnknownRun, match=run):
            stores.journal.load(run)
        with pytest.raises(UnknownRun, match=run):
            stores.journal.look(run, claim.holding, 0)

    def test_a_revision_ages_by_the_clock_of_the_store(self, stores: Stores, world: World, later: Later) -> None:
        """The age of a revision grows with the time; what is not there has none."""
        claim = world.held()
        later(60.0)
        world.step(claim, then=GoOn(activation=B))
        assert 60.0 <= stores.journal.age(claim.run, 1) < 120.0
        assert 0.0 <= stores.journal.age(claim.run, 2) < 60.0
        assert stores.journal.age(claim.run, 3) == 0.0
        assert stores.journal.age(world.run_id(), 1) == 0.0

    def test_a_look_gives_the_tail_of_the_journal(self, stores: Stores, world: World) -> None:
        """A look gives the revisions after the one that the asker knows; none if that is the latest."""
        claim = world.held()
        world.step(claim, then=GoOn(activation=B))
        world.step(gone_on(claim, "b/1"), then=Leave(activation=B))
        row, entries = stores.journal.load(claim.run)
        for after in range(4):
            look = stores.journal.look(claim.run, claim.holding, after)
            assert (look.run, look.tail) == (row, entries[after:])

    def test_a_look_sees_what_refused_the_step_before_it(self, stores: Stores, world: World) -> None:
        """A writer who was refused reads the revision that was faster, and then succeeds."""
        claim = world.held("a/1", "b/1")
        stale = world.commit(claim)
        winner = world.commit(world.take(claim.run, "b/1"))
        assert stores.journal.step(winner)
        assert not stores.journal.step(stale)
        look = stores.journal.look(claim.run, claim.holding, 1)
        assert [entry.head for entry in look.tail] == [winner.new_head]
        assert stores.journal.step(replace(stale, revision=look.run.revision, head=look.run.head))

    def test_a_look_finds_the_own_head_when_an_answer_was_lost(self, stores: Stores, world: World) -> None:
        """Whoever does not know whether a commit stands finds its head in the tail, and the claim a fence further."""
        claim = world.held()
        commit = world.commit(claim, then=GoOn(activation=B))
        assert stores.journal.step(commit)
        look = stores.journal.look(claim.run, claim.holding, commit.revision)
        assert [entry.head for entry in look.tail] == [commit.new_head]
        assert look.claim == gone_on(claim, "b/1")

    def test_a_look_gives_the_own_claim_at_any_fence(self, stores: Stores, world: World) -> None:
        """A worker that has claimed its ticket again, even in another thread, is told of its present claim."""
        claim = world.held()
        stores.tickets.hand_back([claim.holding])
        again = world.claim(claim.holding.worker)
        assert stores.journal.look(claim.run, claim.holding, 0).claim == again

    def test_a_look_gives_no_claim_that_is_not_ones_own(self, stores: Stores, world: World) -> None:
        """A ticket that is somebody else's, nobody's or gone is no claim."""
        claim = world.held()
        stores.tickets.hand_back([claim.holding])
        assert stores.journal.look(claim.run, claim.holding, 0).claim is None
        other = world.claim(world.worker())
        assert stores.journal.look(claim.run, claim.holding, 0).claim is None
        world.step(other, then=Drop())
        assert stores.journal.look(claim.run, claim.holding, 0).claim is None

    def test_a_look_tells_of_a_cancel(self, stores: Stores, world: World) -> None:
        """Whoever looks at a run that was asked to stop sees that, and still has the claim."""
        claim = world.held()
        world.cancel(claim.run)
        look = stores.journal.look(claim.run, claim.holding, 1)
        assert (look.run.stop, look.claim, len(look.tail)) == (True, claim, 1)
