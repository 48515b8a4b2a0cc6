"""What a cancel does, and what it cannot be outrun by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports import Claim, Commit, GoOn, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import Contract, World, gone_on, states

Later = Callable[[float], None]


class CancelContract(Contract):
    """When a cancel has returned, nothing of the run is begun any more."""

    def test_a_cancel_marks_the_run_and_asks_for_a_fold(self, stores: Stores, world: World) -> None:
        """A cancel is a revision of its own; the run goes on being what it is, and a fold ticket appears."""
        run = world.start("a/1")
        row, head, delta = world.row(run), world.head(), world.delta("cancel/1")
        assert stores.journal.cancel(run, row, head, delta, TicketId(world.number()))
        now, entries = stores.journal.load(run)
        assert (now.stop, now.status, now.finished_at) == (True, RunStatus.RUNNING, None)
        assert (now.revision, now.head, entries[-1].head, entries[-1].delta) == (2, head, head, delta)
        world.claim_fold(run)

    def test_nothing_of_a_cancelled_run_is_claimed(self, stores: Stores, world: World, later: Later) -> None:
        """Whatever was ready, waiting or handed back is claimed by nobody, neither by its lane nor by its id."""
        claim = world.held("held/1", "ready/1", "waiting/1")
        stores.tickets.postpone(world.take(claim.run, "waiting/1").holding, 5.0)
        tickets = stores.runs.tickets(claim.run)
        world.cancel(claim.run)
        stores.tickets.hand_back([claim.holding])
        later(10.0)
        stores.tickets.fire()
        worker = world.worker()
        assert all(stores.tickets.claim(worker, [world.lane()], ticket.id) is None for ticket in tickets)
        assert world.claim(worker).is_fold
        assert stores.tickets.claim(worker, [world.lane()]) is None

    def test_a_cancel_touches_no_other_run(self, stores: Stores, world: World) -> None:
        """The work of other runs goes on."""
        run, other = world.start("a/1"), world.start("b/1")
        before = world.truth(other)
        world.cancel(run)
        assert world.truth(other) == before
        world.step(world.take(other, "b/1"))

    def test_a_holder_is_told_and_hands_back(self, stores: Stores, world: World) -> None:
        """Whoever holds a ticket learns that its run should stop; what it hands back is done with."""
        claim, calm = world.held(), world.held()
        assert stores.tickets.stopping(claim.holding.worker) == ()
        world.cancel(claim.run)
        assert stores.tickets.stopping(claim.holding.worker) == (claim.run,)
        assert stores.tickets.stopping(calm.holding.worker) == ()
        assert stores.tickets.hand_back([claim.holding]) == 1
        assert stores.tickets.stopping(claim.holding.worker) == ()
        assert set(states(stores.runs.tickets(claim.run))) == {""}

    def test_the_fold_ends_the_run(self, stores: Stores, world: World) -> None:
        """The fold of a stopping run ends it and takes along whatever nobody holds."""
        run = world.start("a/1", "b/1")
        world.cancel(run)
        world.step(world.claim_fold(run), cancelling=True, status=RunStatus.CANCELLED, reason="asked to")
        row = world.row(run)
        assert (row.status, row.reason, row.stop) == (RunStatus.CANCELLED, "asked to", False)
        assert row.finished_at is not None
        assert stores.runs.tickets(run) == ()
        assert stores.runs.unattended() == ()

    def test_a_cancel_that_is_out_of_date_does_nothing(self, stores: Stores, world: World) -> None:
        """Whoever does not know the run's latest revision, or knows another history, does not stop it."""
        claim = world.held()
        old = world.row(claim.run)
        world.step(claim, then=GoOn(activation=ActivationId("b/1")))
        before = world.truth(claim.run)
        for row in (old, replace(world.row(claim.run), head=world.head())):
            assert not stores.journal.cancel(claim.run, row, world.head(), world.delta(), TicketId(world.number()))
        assert world.truth(claim.run) == before

    def test_a_run_is_cancelled_once(self, stores: Stores, world: World) -> None:
        """A run that is stopping already, or finished, or not there, is not stopped again."""
        stopping, finished = world.start("a/1"), world.held()
        world.cancel(stopping)
        world.step(finished, status=RunStatus.SUCCEEDED)
        for run in (stopping, finished.run):
            before = world.truth(run)
            assert not stores.journal.cancel(run, before.row, world.head(), world.delta(), TicketId(world.number()))
            assert world.truth(run) == before
        row, nowhere = world.row(stopping), world.run_id()
        assert not stores.journal.cancel(nowhere, row, world.head(), world.delta(), TicketId(world.number()))

    def test_a_cancel_uses_the_fold_ticket_that_is_there(self, stores: Stores, world: World) -> None:
        """A run has one fold ticket, whoever asked for it."""
        run = world.start("a/1")
        world.post(run)
        world.cancel(run)
        world.claim_fold(run)

    def test_a_cancel_wakes_a_fold_that_waits(self, stores: Stores, world: World) -> None:
        """A fold that was put off is to be done now."""
        run = world.start("a/1")
        world.post(run)
        stores.tickets.postpone(world.claim_fold(run).holding, 3600.0)
        world.cancel(run)
        world.claim_fold(run)

    def test_a_cancel_while_the_inbox_is_folded_is_folded_after_it(self, stores: Stores, world: World) -> None:
        """A folder that is refused by a cancel gives its ticket back, if it still has it, and the run can be ended."""
        run = world.start("a/1")
        world.post(run)
        folder = world.claim_fold(run)
        commit = world.commit(folder)
        world.cancel(run)
        assert not stores.journal.step(commit)
        stores.tickets.hand_back([folder.holding])
        world.step(world.claim_fold(run), cancelling=True, status=RunStatus.CANCELLED)


class CancelRaceContract(Contract):
    """Whatever happens at the same moment, it is before the cancel or not at all."""

    def _canceller(self, world: World, run: RunId) -> Callable[[], bool]:
        heads = [world.head() for _ in range(1000)]
        fold, delta = TicketId(world.number()), world.delta("cancel/1")

        def cancel() -> bool:
            for number in patiently():
                row = world.row(run)
                if world.stores.journal.cancel(run, row, heads[number % 1000], delta, fold):
                    return True
            return False

        return cancel

    def test_a_claim_under_way_is_marked_or_comes_away_empty(self, stores: Stores, world: World) -> None:
        """Of tickets that are claimed while the run is cancelled, all that are held are marked, and no others come."""
        run = world.start(*(f"a/{number}" for number in range(24)))
        workers = [world.worker() for _ in range(3)]

        def claims(worker: WorkerId) -> int:
            count = 0
            while True:
                claim = stores.tickets.claim(worker, [world.lane()])
                if claim is None or claim.is_fold:
                    return count
                count += 1

        _, *counts = together(self._canceller(world, run), *(partial(claims, worker) for worker in workers))
        for worker in workers:
            again = stores.tickets.claim(worker, [world.lane()])
            assert again is None or again.is_fold, "an activation of a cancelled run was claimed"
        held = [ticket for ticket in stores.runs.tickets(run) if ticket.activation and ticket.state == "running"]
        assert len(held) == sum(counts)
        holders = {ticket.worker for ticket in held}
        assert {worker for worker in workers if stores.tickets.stopping(worker) == (run,)} == holders

    def test_steps_are_recorded_before_a_cancel_or_not_at_all(self, stores: Stores, world: World) -> None:
        """Writers walk their chains until the cancel refuses them; the cancel is the last revision, and each is one."""
        run = world.start(*(f"a/{number}" for number in range(4)))
        claims = [world.claim(world.worker()) for _ in range(4)]
        heads = {claim.holding.ticket: [world.head() for _ in range(400)] for claim in claims}

        def walk(claim: Claim) -> int:
            written, mine = 0, iter(heads[claim.holding.ticket])
            for head in mine:
                look = stores.journal.look(run, claim.holding, 0)
                if look.run.stop:
                    break
                commit = Commit(
                    run=run,
                    holding=claim.holding,
                    revision=look.run.revision,
                    head=look.run.head,
                    new_head=head,
                    delta=world.delta(claim.activation),
                    then=GoOn(activation=claim.activation),
                )
                if stores.journal.step(commit):
                    written += 1
                    claim = gone_on(claim, claim.activation)
            return written

        _, *written = together(self._canceller(world, run), *(partial(walk, claim) for claim in claims))
        row, entries = stores.journal.load(run)
        assert row.stop
        assert [entry.revision for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) == 2 + sum(written)
        assert entries[-1].delta == world.delta("cancel/1")
