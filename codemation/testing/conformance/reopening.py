"""What reopening a finished run does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from codemation.core.concurrency import Turnstile
from codemation.core.ids import RunId
from codemation.core.ports import Drop, Lane, Reopening, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World, states


class ReopeningContract(Contract):
    """A failed or cancelled run goes on as the same run."""

    def _reopening(self, world: World, run: RunId, **changes: Any) -> Reopening:
        row = world.row(run)
        given = {"revision": row.revision, "head": row.head, "digest": row.digest, "tickets": world.tickets("again/1")}
        return Reopening(run=run, new_head=world.head(), delta=world.delta("again/1"), **{**given, **changes})

    def _ended(self, world: World, status: RunStatus) -> RunId:
        claim = world.held()
        world.step(claim, status=status, reason="it ended")
        return claim.run

    def test_a_failed_run_goes_on(self, stores: Stores, world: World) -> None:
        """The run is running again, a revision further, without reason or end, and its tickets can be claimed."""
        run = self._ended(world, RunStatus.FAILED)
        reopening = self._reopening(world, run)
        assert stores.journal.reopen(reopening)
        row, entries = stores.journal.load(run)
        assert (row.status, row.reason, row.finished_at, row.stop) == (RunStatus.RUNNING, "", None, False)
        assert (row.revision, row.head) == (3, reopening.new_head)
        assert (entries[-1].revision, entries[-1].delta) == (3, reopening.delta)
        claim = world.claim(world.worker())
        assert (claim.activation, claim.starts) == ("again/1", 1)
        world.step(claim)

    def test_a_cancelled_run_goes_on(self, stores: Stores, world: World) -> None:
        """A run that was stopped is stopped no longer."""
        run = world.start("a/1")
        world.cancel(run)
        world.step(world.claim_fold(run), cancelling=True, status=RunStatus.CANCELLED)
        assert stores.journal.reopen(self._reopening(world, run))
        assert not world.row(run).stop
        assert states(stores.runs.tickets(run)) == {"again/1": "ready"}
        world.step(world.claim(world.worker()))

    def test_a_run_may_move_to_another_definition(self, stores: Stores, world: World) -> None:
        """The tickets of a run that has moved stand in the lanes of its new definition."""
        run = self._ended(world, RunStatus.FAILED)
        fixed = world.definition(code="2")
        assert stores.journal.reopen(self._reopening(world, run, digest=fixed.digest))
        assert world.row(run).digest == fixed.digest
        worker = world.worker()
        assert stores.tickets.claim(worker, [world.lane()]) is None
        assert stores.tickets.claim(worker, [Lane(queue="default", digest=fixed.digest)]) is not None

    def test_whoever_reopens_may_hold_the_first_ticket(self, stores: Stores, world: World) -> None:
        """With `claimed_by`, the first ticket is that worker's at fence 1."""
        run = self._ended(world, RunStatus.FAILED)
        worker = world.worker()
        reopening = self._reopening(world, run, claimed_by=worker, tickets=world.tickets("a/2", "b/2"))
        assert stores.journal.reopen(reopening)
        held = {ticket.activation: (ticket.state, ticket.worker) for ticket in stores.runs.tickets(run)}
        assert held == {"a/2": ("running", worker), "b/2": ("ready", None)}

    def test_what_has_not_failed_is_not_reopened(self, stores: Stores, world: World) -> None:
        """Neither a running run nor one that succeeded goes on from its end, nor one that is not there."""
        for run in (world.start("a/1"), self._ended(world, RunStatus.SUCCEEDED)):
            before = world.truth(run)
            assert not stores.journal.reopen(self._reopening(world, run))
            assert world.truth(run) == before
        nowhere = replace(self._reopening(world, run), run=world.run_id())
        assert not stores.journal.reopen(nowhere)

    def test_what_has_changed_is_not_reopened(self, stores: Stores, world: World) -> None:
        """Whoever does not know the latest revision, or knows another history, does not reopen."""
        run = self._ended(world, RunStatus.FAILED)
        before = world.truth(run)
        assert not stores.journal.reopen(self._reopening(world, run, revision=1))
        assert not stores.journal.reopen(self._reopening(world, run, head=world.head()))
        assert world.truth(run) == before

    def test_a_holder_from_before_the_end_is_refused(self, stores: Stores, world: World) -> None:
        """Whoever still works for the run's former life came too late, and the new life has its own tickets alone."""
        claim = world.held("a/1", "b/1")
        other = world.take(claim.run, "b/1")
        world.cancel(claim.run)
        world.step(world.claim_fold(claim.run), cancelling=True, status=RunStatus.CANCELLED)
        assert stores.journal.reopen(self._reopening(world, claim.run))
        before = world.truth(claim.run)
        for late in (claim, other):
            assert not stores.journal.step(world.commit(late, then=Drop()))
            assert stores.tickets.hand_back([late.holding]) == 0
        assert world.truth(claim.run) == before
        assert states(before.tickets) == {"again/1": "ready"}

    def test_of_several_who_reopen_one_succeeds(self, stores: Stores, world: World) -> None:
        """People who resume a run at the same moment resume it once."""
        run = self._ended(world, RunStatus.FAILED)
        reopenings = [self._reopening(world, run) for _ in range(4)]
        given = together(*(partial(stores.journal.reopen, reopening) for reopening in reopenings))
        assert given.count(True) == 1
        assert world.row(run).revision == 3
        assert len(stores.runs.tickets(run)) == 1

    def test_who_goes_on_without_a_turnstile_gives_nothing_back(self, stores: Stores, world: World) -> None:
        """It had given its place back before; that of another run is not given twice."""
        one = Turnstile(name="flow", runs=1)
        first = world.start("a/1", turnstile=one)
        world.step(world.take(first, "a/1"), status=RunStatus.FAILED, turnstile="flow")
        inside, queued = world.start("a/1", turnstile=one), world.start("a/1", turnstile=one)
        assert stores.journal.reopen(self._reopening(world, first, placeless=True))
        row = world.row(first)
        assert (row.status, row.turnstile) == (RunStatus.RUNNING, None)
        assert [row.id for row in stores.turnstiles.at("flow")] == [inside, queued]
        assert stores.turnstiles.mend("flow") == 0
        world.step(world.take(first, "again/1"), status=RunStatus.SUCCEEDED, turnstile=row.turnstile)
        assert (world.row(inside).status, world.row(queued).status) == (RunStatus.RUNNING, RunStatus.QUEUED)
        world.step(world.take(inside, "a/1"), status=RunStatus.SUCCEEDED, turnstile="flow")
        assert world.row(queued).status is RunStatus.RUNNING
