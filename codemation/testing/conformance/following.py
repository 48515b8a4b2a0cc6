"""What is noted to be started because a run has failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from codemation.core.ids import WorkflowId
from codemation.core.ports import FollowUp, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.world import Contract, World

ALERT, OTHER = WorkflowId("alert"), WorkflowId("other")


Later = Callable[[float], None]


class FollowUpsContract(Contract):
    """What is to be started is noted with the end of the run, or not at all."""

    def test_the_step_that_ends_a_run_notes_what_follows(self, stores: Stores, world: World) -> None:
        """By run and revision; of the workflows that are asked for, the oldest first."""
        first, second, third = (world.held("a/1") for _ in range(3))
        for claim, follows in ((first, "alert"), (second, "other"), (third, "alert")):
            world.step(claim, status=RunStatus.FAILED, follow_up=follows)
        noted = [
            FollowUp(run=claim.run, revision=2, workflow=WorkflowId(name))
            for claim, name in ((first, "alert"), (second, "other"), (third, "alert"))
        ]
        assert stores.follow_ups.due([ALERT]) == (noted[0], noted[2])
        assert stores.follow_ups.due([ALERT, OTHER]) == tuple(noted)
        assert stores.follow_ups.due([ALERT, OTHER], 1) == (noted[0],)
        assert stores.follow_ups.due([]) == ()

    def test_a_refused_step_notes_nothing(self, stores: Stores, world: World) -> None:
        """The note is part of the revision."""
        claim = world.held("a/1")
        commit = world.commit(claim, status=RunStatus.FAILED, follow_up="alert")
        assert not stores.journal.step(replace(commit, revision=7))
        assert stores.follow_ups.due([ALERT]) == ()
        assert stores.journal.step(commit)
        assert not stores.journal.step(commit)
        assert len(stores.follow_ups.due([ALERT])) == 1

    def test_ends_that_are_written_together_note_what_follows(self, stores: Stores, world: World) -> None:
        """A group of ends is what as many ends are."""
        claims = [world.held("a/1") for _ in range(2)]
        commits = [world.commit(claim, status=RunStatus.FAILED, follow_up="alert") for claim in claims]
        assert len(stores.journal.steps(commits)) == 2
        assert {one.run for one in stores.follow_ups.due([ALERT])} == {claim.run for claim in claims}

    def test_what_was_started_is_forgotten(self, stores: Stores, world: World) -> None:
        """Once, and again."""
        world.step(world.held("a/1"), status=RunStatus.FAILED, follow_up="alert")
        (noted,) = stores.follow_ups.due([ALERT])
        stores.follow_ups.done(replace(noted, revision=1))
        assert stores.follow_ups.due([ALERT]) == (noted,)
        stores.follow_ups.done(noted)
        stores.follow_ups.done(noted)
        assert stores.follow_ups.due([ALERT]) == ()

    def test_what_was_to_follow_a_failure_goes_with_it(self, stores: Stores, world: World, later: Later) -> None:
        """Nobody has started it for as long as the run was kept: there may be no such workflow any more."""
        claim = world.held(retention={"failed": 1000.0})
        world.step(claim, status=RunStatus.FAILED, follow_up="alert")
        assert len(stores.follow_ups.due([WorkflowId("alert")])) == 1
        later(1001.0)
        assert stores.pruning.prune() == 1
        assert stores.follow_ups.due([WorkflowId("alert")]) == ()
