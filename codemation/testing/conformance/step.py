"""What a step does, and what refuses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from codemation.core.ids import ActivationId, RunId, TicketId
from codemation.core.ports import Claim, Commit, Drop, GoOn, Leave, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.world import Contract, World, gone_on

Later = Callable[[float], None]
B = ActivationId("b/1")


def refused(world: World, commit: Commit, *runs: RunId) -> None:
    """Send a commit that must be refused, with everything a commit can have and bare; see that nothing was written."""
    letters = world.stores.inbox.pending(commit.run) if runs else ()
    full = replace(commit, more=world.tickets("m/1"), consumed=tuple(letter.id for letter in letters))
    before = [world.truth(run) for run in runs]
    for one in (full, commit):
        for then in (one.then, GoOn(activation=B), Leave(activation=B), Leave(activation=B, delay=5.0), Drop()):
            assert not world.stores.journal.step(replace(one, then=then)), (
                f"a step was taken that must be refused: {then}"
            )
    assert [world.truth(run) for run in runs] == before


class StepRefusalContract(Contract):
    """A step is refused as a whole, or not at all."""

    def _claim(self, world: World) -> Claim:
        """A claim on a run that has everything that a step could change."""
        claim = world.held("a/1", "c/1")
        world.save(claim)
        world.post(claim.run)
        return claim

    def test_a_writer_who_does_not_know_the_latest_revision_is_refused(self, stores: Stores, world: World) -> None:
        """A commit for an older revision writes nothing, nor does one for a revision to come."""
        claim = self._claim(world)
        stale = world.commit(claim)
        world.step(world.take(claim.run, "c/1"), then=Drop())
        refused(world, stale, claim.run)
        now = world.commit(claim)
        refused(world, replace(now, revision=now.revision + 1), claim.run)
        world.step(claim)

    def test_a_writer_who_knows_another_head_is_refused(self, stores: Stores, world: World) -> None:
        """The number of a revision is not enough: the history behind it must be the writer's."""
        claim = self._claim(world)
        refused(world, world.commit(claim, head=world.head()), claim.run)
        world.step(claim)

    def test_a_writer_whose_fence_has_passed_is_refused(self, stores: Stores, world: World) -> None:
        """Whoever gave a ticket back, or went on with it, can no longer use the old claim; not even the same worker."""
        claim = self._claim(world)
        stores.tickets.hand_back([claim.holding])
        again = world.claim(claim.holding.worker, claim.holding.ticket)
        refused(world, world.commit(claim), claim.run)
        refused(world, world.commit(again, holding=replace(again.holding, fence=again.holding.fence + 1)), claim.run)
        world.step(again)

    def test_another_worker_is_refused(self, stores: Stores, world: World) -> None:
        """A claim is its worker's."""
        claim = self._claim(world)
        refused(world, world.commit(claim, holding=replace(claim.holding, worker=world.worker())), claim.run)
        world.step(claim)

    def test_a_ticket_that_nobody_holds_is_refused(self, stores: Stores, world: World) -> None:
        """Neither a ready ticket nor a waiting one can bring a revision."""
        claim = self._claim(world)
        stores.tickets.hand_back([claim.holding])
        refused(world, world.commit(claim), claim.run)
        again = world.claim(world.worker(), claim.holding.ticket)
        stores.tickets.postpone(again.holding, 60.0)
        refused(world, world.commit(again), claim.run)

    def test_a_ticket_that_is_gone_or_never_was_is_refused(self, stores: Stores, world: World) -> None:
        """A ticket that is done with, or that nobody ever made, cannot bring a revision."""
        claim = self._claim(world)
        refused(world, world.commit(claim, holding=replace(claim.holding, ticket=TicketId(17))), claim.run)
        world.step(claim, then=Drop())
        refused(world, world.commit(claim), claim.run)

    def test_the_ticket_of_another_run_is_refused(self, stores: Stores, world: World) -> None:
        """A ticket brings revisions of its own run alone."""
        claim, other = self._claim(world), self._claim(world)
        refused(world, world.commit(claim, holding=other.holding), claim.run, other.run)

    def test_a_run_that_is_not_there_is_refused(self, stores: Stores, world: World) -> None:
        """A commit for a run that nobody started writes nothing."""
        claim = self._claim(world)
        commit = world.commit(claim, run=world.run_id())
        before = world.truth(claim.run)
        refused(world, commit)
        assert world.truth(claim.run) == before

    def test_a_run_that_was_asked_to_stop_refuses_every_step_but_that_of_its_fold(
        self, stores: Stores, world: World
    ) -> None:
        """After a cancel no result is recorded, also by a writer who knows the latest revision."""
        claim = self._claim(world)
        stale = world.commit(claim)
        world.cancel(claim.run)
        refused(world, stale, claim.run)
        refused(world, world.commit(claim), claim.run)

    def test_a_run_that_was_not_asked_to_stop_is_not_stopped(self, stores: Stores, world: World) -> None:
        """A fold that ends a stopping run is refused when the run is not stopping."""
        claim = self._claim(world)
        refused(world, world.commit(claim, cancelling=True, status=RunStatus.CANCELLED), claim.run)

    def test_a_finished_run_does_not_go_on(self, stores: Stores, world: World) -> None:
        """Whoever still holds a ticket of a finished run cannot make it run again; only reopening does."""
        claim = world.held("a/1", "b/1")
        other = world.claim(world.worker())
        world.step(claim, status=RunStatus.FAILED, reason="it failed")
        refused(world, world.commit(other), claim.run)

    def test_whoever_was_taken_over_is_refused(self, stores: Stores, world: World) -> None:
        """When somebody else has taken over, a late result is refused, before and after the next claim."""
        claim = self._claim(world)
        stores.tickets.take_over([claim.holding.worker])
        refused(world, world.commit(claim), claim.run)
        again = world.claim(world.worker(), claim.holding.ticket)
        refused(world, world.commit(claim), claim.run)
        world.step(again)


class StepContract(Contract):
    """A step writes its revision and settles its ticket at once."""

    def test_a_step_writes_the_next_revision(self, stores: Stores, world: World) -> None:
        """Revision, head, delta and status are those of the commit, and the run is a revision further."""
        claim = world.held()
        commit = world.commit(claim, then=GoOn(activation=B), delta=world.delta("b/1"))
        assert stores.journal.step(commit)
        row, (first, second) = stores.journal.load(claim.run)
        assert (row.revision, row.head, row.status) == (2, commit.new_head, RunStatus.RUNNING)
        assert (second.revision, second.head, second.delta) == (2, commit.new_head, commit.delta)
        assert first.at <= second.at

    def test_something_else_is_done_meanwhile_at_most_once(self, stores: Stores, world: World) -> None:
        """Whether the step stands does not depend on it, nor does it ever know."""
        claim, done = world.held(), list[str]()
        commit = world.commit(claim, then=GoOn(activation=B))
        assert stores.journal.step(commit, lambda: done.append("taken"))
        assert not stores.journal.step(commit, lambda: done.append("refused"))
        assert len(done) == len(set(done))

    def test_going_on_claims_the_next_activation_in_place(self, stores: Stores, world: World) -> None:
        """The holder goes on with the same ticket at the next fence, and the old fence has passed."""
        claim = world.held("a/1", priority=4)
        world.step(claim, then=GoOn(activation=B))
        after = gone_on(claim, "b/1")
        assert stores.journal.look(claim.run, claim.holding, 0).claim == after
        refused(world, world.commit(claim), claim.run)
        world.step(after)

    def test_a_chain_of_steps_is_a_chain_of_fences(self, stores: Stores, world: World) -> None:
        """One ticket walks through many activations, each recorded once."""
        claim = world.held()
        for number in range(2, 7):
            world.step(claim, then=GoOn(activation=ActivationId(f"a/{number}")))
            claim = gone_on(claim, f"a/{number}")
        assert claim.holding.fence == 6
        _, entries = stores.journal.load(claim.run)
        assert [entry.revision for entry in entries] == [1, 2, 3, 4, 5, 6]

    def test_leaving_a_ticket_ready_lets_anybody_go_on(self, stores: Stores, world: World) -> None:
        """A ticket that is left can be claimed by anybody who serves its new lane, counted anew."""
        claim = world.held()
        world.step(claim, then=Leave(activation=B, queue="slow", priority=9))
        refused(world, world.commit(claim), claim.run)
        worker = world.worker()
        assert stores.tickets.claim(worker, [world.lane()]) is None
        again = world.claim(worker, queue="slow")
        assert (again.holding.ticket, again.activation) == (claim.holding.ticket, "b/1")
        assert (again.queue, again.priority, again.starts) == ("slow", 9, 1)

    def test_leaving_a_ticket_waiting_lets_nobody_go_on_before_its_time(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """A ticket that is left with a delay is claimed by nobody before, not even by its id."""
        claim = world.held()
        world.step(claim, then=Leave(activation=B, delay=30.0), status=RunStatus.WAITING)
        (ticket,) = stores.runs.tickets(claim.run)
        assert (ticket.state, ticket.worker, world.row(claim.run).status) == ("waiting", None, RunStatus.WAITING)
        assert ticket.due_at is not None
        stores.tickets.fire()
        worker = world.worker()
        assert stores.tickets.claim(worker, [world.lane()]) is None
        assert stores.tickets.claim(worker, [world.lane()], ticket.id) is None
        later(31.0)
        stores.tickets.fire()
        assert world.claim(worker).activation == "b/1"

    def test_a_dropped_ticket_is_gone(self, stores: Stores, world: World) -> None:
        """A ticket that is done with is no longer there."""
        claim = world.held()
        world.step(claim, then=Drop())
        assert stores.runs.tickets(claim.run) == ()
        assert stores.journal.look(claim.run, claim.holding, 0).claim is None

    def test_a_step_brings_more_tickets(self, stores: Stores, world: World) -> None:
        """Other activations that became due can be claimed, with their own priority or the run's."""
        claim = world.held("a/1", priority=2)
        more = (*world.tickets("b/1"), *world.tickets("c/1", queue="slow", priority=8))
        world.step(claim, then=Drop(), more=more)
        worker = world.worker()
        found = [world.claim(worker), world.claim(worker, queue="slow")]
        assert [(one.activation, one.priority, one.starts) for one in found] == [("b/1", 2, 1), ("c/1", 8, 1)]

    def test_the_end_sets_status_reason_and_time(self, stores: Stores, world: World) -> None:
        """The step that ends a run says how and when, and the run has no ticket any more."""
        claim = world.held()
        world.step(claim, status=RunStatus.FAILED, reason='"a" failed')
        row = world.row(claim.run)
        assert (row.status, row.reason) == (RunStatus.FAILED, '"a" failed')
        assert row.finished_at is not None
        assert row.finished_at >= row.created_at
        assert stores.runs.tickets(claim.run) == ()

    def test_the_end_takes_along_what_nobody_will_do_any_more(self, stores: Stores, world: World) -> None:
        """A finished run has neither ready nor waiting tickets nor unread letters, and is nobody's business."""
        claim = world.held("a/1", "b/1")
        world.post(claim.run)
        other = world.take(claim.run, "b/1")
        stores.tickets.postpone(other.holding, 60.0)
        world.step(claim, status=RunStatus.SUCCEEDED)
        assert stores.runs.tickets(claim.run) == ()
        assert stores.inbox.pending(claim.run) == ()
        assert stores.runs.unattended() == ()

    def test_the_dead_may_record_what_nobody_has_taken_over(self, stores: Stores, world: World) -> None:
        """Nothing is refused because time has passed or a worker was buried, only because somebody else took over."""
        claim = world.held()
        stores.workers.bury([claim.holding.worker])
        world.step(claim)

    def test_consumed_letters_go_with_the_step(self, stores: Stores, world: World) -> None:
        """Exactly the letters that a revision answers are gone."""
        run = world.start("a/1")
        for key in ("one", "two", "three"):
            world.post(run, key)
        one, two, three = stores.inbox.pending(run)
        world.step(world.claim_fold(run), consumed=(one.id, three.id))
        assert stores.inbox.pending(run) == (two,)


class StepProgressContract(Contract):
    """What was recorded of an activation's progress goes when the activation is settled."""

    def _after(self, world: World, **changes: Any) -> tuple[bytes, ...]:
        claim = world.held()
        world.save(claim)
        world.save(claim, 1)
        world.step(claim, **changes)
        return tuple(chunk.data for chunk in world.stores.tickets.progress(claim.holding.ticket, claim.activation))

    def test_progress_stays_when_the_same_activation_waits_for_another_try(self, stores: Stores, world: World) -> None:
        """A retry goes on with the items that are left."""
        assert self._after(world, then=Leave(activation=ActivationId("a/1"), delay=5.0)) == (b"0", b"1")
        assert self._after(world, then=Leave(activation=ActivationId("a/1"))) == (b"0", b"1")

    def test_progress_goes_when_the_ticket_goes_on(self, stores: Stores, world: World) -> None:
        """The progress of a settled activation is gone when its ticket goes on with another."""
        assert self._after(world, then=GoOn(activation=B)) == ()
        assert self._after(world, then=Leave(activation=B)) == ()
        assert self._after(world, then=Leave(activation=B, delay=5.0)) == ()

    def test_progress_goes_with_its_ticket(self, stores: Stores, world: World) -> None:
        """The progress of a settled activation is gone when its ticket is done with."""
        assert self._after(world, then=Drop()) == ()
        assert self._after(world, then=Drop(), status=RunStatus.SUCCEEDED) == ()

    def test_nobody_looks_for_progress_where_none_is_said_to_be(self, stores: Stores, world: World) -> None:
        """Whoever says that nothing was recorded is believed, for to look would cost each step something."""
        assert self._after(world, then=GoOn(activation=B), progressed=False) == (b"0", b"1")

    def test_progress_of_other_tickets_stays(self, stores: Stores, world: World) -> None:
        """A step takes along the progress of its own ticket alone."""
        claim = world.held("a/1", "b/1")
        other = world.claim(world.worker())
        world.save(other)
        world.step(claim)
        assert len(stores.tickets.progress(other.holding.ticket, other.activation)) == 1
