"""Who gets which ticket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from codemation.core.ids import ActivationId, TicketId, WorkerId
from codemation.core.ports import Hint, Lane, Leave, Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class ClaimContract(Contract):
    """A claim gives the most urgent work that the asker can do, to nobody else."""

    def test_a_claim_tells_what_to_do(self, stores: Stores, world: World) -> None:
        """A claim names ticket, worker, run, activation, queue and priority, and is the first of its activation."""
        run = world.new_run(tickets=world.tickets("a/1", queue="slow", priority=3))
        stores.journal.start(run)
        worker = world.worker()
        claim = world.claim(worker, queue="slow")
        assert (claim.holding.ticket, claim.holding.worker) == (run.tickets[0].id, worker)
        assert (claim.run, claim.activation, claim.queue) == (run.id, "a/1", "slow")
        assert (claim.priority, claim.starts, claim.is_fold) == (3, 1, False)
        world.step(claim)

    def test_a_ticket_is_claimed_once(self, stores: Stores, world: World) -> None:
        """What somebody holds is nobody else's, and not its holder's a second time."""
        world.start("a/1")
        worker = world.worker()
        claim = world.claim(worker)
        for asker in (worker, world.worker()):
            assert stores.tickets.claim(asker, [world.lane()]) is None
            assert stores.tickets.claim(asker, [world.lane()], claim.holding.ticket) is None

    def test_a_claim_sees_its_lanes_alone(self, stores: Stores, world: World) -> None:
        """Work of another queue or of another definition is not found, not even by its id."""
        run = world.new_run("a/1")
        stores.journal.start(run)
        worker = world.worker()
        lanes = [world.lane("slow"), Lane(queue="default", digest=world.definition(code="2").digest)]
        assert stores.tickets.claim(worker, lanes) is None
        assert stores.tickets.claim(worker, lanes, run.tickets[0].id) is None
        assert stores.tickets.claim(worker, []) is None
        assert stores.tickets.claim(worker, [*lanes, world.lane()]) is not None

    def test_the_higher_priority_comes_first(self, stores: Stores, world: World) -> None:
        """Of ready tickets the one with the highest priority is claimed, in whichever lane it stands."""
        tickets = (
            *world.tickets("low/1", priority=1),
            *world.tickets("high/1", priority=9, queue="slow"),
            *world.tickets("below/1", priority=-5, queue="slow"),
            *world.tickets("middle/1", priority=5),
        )
        world.start(tickets=tickets)
        worker, lanes = world.worker(), [world.lane(), world.lane("slow")]
        claims = [stores.tickets.claim(worker, lanes) for _ in tickets]
        assert [claim and claim.activation for claim in claims] == ["high/1", "middle/1", "low/1", "below/1"]

    def test_of_equal_priority_the_oldest_comes_first(self, stores: Stores, world: World, later: Later) -> None:
        """Tickets of one priority are claimed in the order in which they became ready."""
        names = [f"a/{number}" for number in range(5)]
        for name in names:
            world.start(name)
            later(1.0)
        worker = world.worker()
        assert [world.claim(worker).activation for _ in names] == names

    def test_a_ticket_that_is_left_stands_behind_what_was_ready_before(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """A chain that gives its ticket back to the queue lets others go first."""
        claim = world.held("a/1")
        world.start("waiting/1")
        later(1.0)
        world.step(claim, then=Leave(activation=ActivationId("b/1")))
        worker = world.worker()
        assert [world.claim(worker).activation for _ in range(2)] == ["waiting/1", "b/1"]

    def test_a_claim_by_id_gives_just_that_ticket(self, stores: Stores, world: World) -> None:
        """A hint that names a ticket is answered with it, or with nothing, never with something more urgent."""
        run = world.new_run(tickets=(*world.tickets("urgent/1", priority=9), *world.tickets("hinted/1")))
        stores.journal.start(run)
        worker, hinted = world.worker(), run.tickets[1].id
        assert world.claim(worker, hinted).activation == "hinted/1"
        assert stores.tickets.claim(worker, [world.lane()], hinted) is None
        assert stores.tickets.claim(worker, [world.lane()], TicketId(17)) is None
        assert world.claim(worker).activation == "urgent/1"

    def test_everybody_may_claim_a_fold(self, stores: Stores, world: World) -> None:
        """A fold needs nobody's code: also who serves no lane finds it, and finds nothing else."""
        run = world.start("a/1")
        worker = world.worker()
        assert stores.tickets.claim(worker, []) is None
        world.post(run)
        claim = stores.tickets.claim(worker, [])
        assert claim is not None
        assert (claim.is_fold, claim.run) == (True, run)
        assert stores.tickets.claim(worker, []) is None
        assert stores.tickets.claim(world.worker(), [world.lane("another")]) is None

    def test_every_claim_has_a_fence_of_its_own(self, stores: Stores, world: World) -> None:
        """The fence rises with each claim of a ticket, so that no two holders have the same."""
        world.start("a/1")
        fences = []
        for _ in range(4):
            claim = world.claim(world.worker())
            fences.append(claim.holding.fence)
            stores.tickets.hand_back([claim.holding])
        assert fences == sorted(set(fences))

    def test_a_worker_is_told_what_it_holds(self, stores: Stores, world: World) -> None:
        """What it holds, whether it has heard of the claim or not; others are told of nothing."""
        world.start("a/1")
        claim = world.claim(world.worker())
        worker = claim.holding.worker
        assert stores.tickets.held(worker) == (claim.holding,)
        assert stores.tickets.held(worker, folds=True) == stores.tickets.held(world.worker()) == ()
        run = world.new_run("a/1")
        stores.journal.start(run)
        world.post(run.id)
        folder = stores.tickets.claim(worker, [])
        assert folder is not None
        assert stores.tickets.held(worker, folds=True) == (folder.holding,)
        stores.tickets.hand_back([claim.holding, folder.holding])
        assert stores.tickets.held(worker) == ()

    def test_the_buried_claim_nothing(self, stores: Stores, world: World) -> None:
        """A worker whose death was entered gets no work, whichever way it asks, and others do."""
        run = world.new_run("a/1")
        stores.journal.start(run)
        world.post(run.id)
        dead = world.worker()
        stores.workers.bury([dead])
        assert stores.tickets.claim(dead, [world.lane()]) is None
        assert stores.tickets.claim(dead, [world.lane()], run.tickets[0].id) is None
        assert stores.tickets.claim(dead, []) is None
        world.take(run.id, "a/1")

    def test_each_of_many_tickets_is_claimed_by_one_of_many(self, stores: Stores, world: World) -> None:
        """Claimers who race get every ticket, each one once."""
        for _ in range(6):
            world.start(*(f"a/{number}" for number in range(8)))
        workers = [world.worker() for _ in range(4)]

        def claims(worker: WorkerId) -> list[TicketId]:
            found: list[TicketId] = []
            while (claim := stores.tickets.claim(worker, [world.lane()])) is not None:
                found.append(claim.holding.ticket)
            return found

        # A claim may come away empty when others are just faster, so whatever is left is claimed afterwards.
        found = [ticket for mine in together(*(partial(claims, worker) for worker in workers)) for ticket in mine]
        found += claims(workers[0])
        assert len(found) == len(set(found)) == 48

    def test_one_ticket_is_claimed_by_one_of_many(self, stores: Stores, world: World) -> None:
        """Of those who follow the same hint at the same moment, one gets the ticket."""
        run = world.new_run("a/1")
        stores.journal.start(run)
        workers = [world.worker() for _ in range(6)]
        asks = (partial(stores.tickets.claim, worker, [world.lane()], run.tickets[0].id) for worker in workers)
        assert sum(claim is not None for claim in together(*asks)) == 1


class RemindContract(Contract):
    """Work that nobody takes is told of again, less and less often."""

    def test_fresh_work_is_not_told_of(self, stores: Stores, world: World, later: Later) -> None:
        """Whoever has made it ready has told of it."""
        world.start("a/1")
        assert stores.tickets.remind() == ()
        later(4.0)
        assert stores.tickets.remind() == ()

    def test_what_nobody_takes_is_told_of_again_and_again(self, stores: Stores, world: World, later: Later) -> None:
        """After 5 s, after 10 s more, then after 20, …, and once each time; with the queue that it stands in."""
        run = world.new_run(tickets=world.tickets("a/1", queue="slow"))
        stores.journal.start(run)
        expected = Hint(ticket=run.tickets[0].id, queue="slow")
        for pause in (6.0, 11.0, 21.0, 41.0, 61.0, 61.0):
            later(pause - 2.0)
            assert stores.tickets.remind() == ()
            later(2.0)
            assert stores.tickets.remind() == (expected,)
            assert stores.tickets.remind() == ()

    def test_what_is_held_or_waits_is_not_told_of(self, stores: Stores, world: World, later: Later) -> None:
        """Only what anybody could claim; a claim ends the telling, and a ticket that comes back begins anew."""
        claim = world.held("a/1")
        waiting = world.held("b/1")
        world.step(waiting, then=Leave(activation=ActivationId("b/2"), delay=3600.0))
        later(60.0)
        assert stores.tickets.remind() == ()
        stores.tickets.hand_back([claim.holding])
        later(6.0)
        assert [hint.ticket for hint in stores.tickets.remind()] == [claim.holding.ticket]
        again = world.claim(world.worker())
        stores.tickets.hand_back([again.holding])
        later(6.0)
        assert [hint.ticket for hint in stores.tickets.remind()] == [claim.holding.ticket]

    def test_the_most_urgent_of_each_lane_are_told_of(self, stores: Stores, world: World, later: Later) -> None:
        """Of a long queue only so many, by the order in which they will be claimed."""
        tickets = (
            *world.tickets("low/1", priority=1),
            *world.tickets("high/1", priority=9),
            *world.tickets("middle/1", priority=5),
            *world.tickets("slow/1", queue="slow"),
        )
        run = world.new_run(tickets=tickets)
        stores.journal.start(run)
        later(6.0)
        told = {hint.ticket for hint in stores.tickets.remind(2)}
        assert told == {ticket.id for ticket in run.tickets if ticket.activation != "low/1"}

    def test_a_fold_that_nobody_does_is_told_of(self, stores: Stores, world: World, later: Later) -> None:
        """An inbox whose sender has died is folded by whoever hears of it."""
        run = world.start("a/1")
        world.claim(world.worker())
        world.post(run)
        later(6.0)
        assert [hint.queue for hint in stores.tickets.remind()] == ["default"]
