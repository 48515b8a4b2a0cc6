"""Who gets which tickets when several are asked for at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codemation.core.ids import TicketId, WorkerId
from codemation.core.ports import Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class ClaimSomeContract(Contract):
    """Several tickets claimed at once are those that as many claims would have given."""

    def test_as_many_as_are_wanted_are_claimed_at_once(self, stores: Stores, world: World) -> None:
        """Each is held as after a claim of its own, and what was not wanted is left to others."""
        world.start(tickets=world.tickets(*(f"a/{number}" for number in range(5)), queue="slow", priority=3))
        worker, other, lanes = world.worker(), world.worker(), [world.lane("slow")]
        claims = stores.tickets.claim_some(worker, lanes, 3)
        assert {claim.holding for claim in claims} == set(stores.tickets.held(worker))
        assert [(claim.queue, claim.priority, claim.starts) for claim in claims] == 3 * [("slow", 3, 1)]
        rest = stores.tickets.claim_some(other, lanes, 9)
        assert len({claim.activation for claim in (*claims, *rest)}) == len((*claims, *rest)) == 5
        assert stores.tickets.claim_some(other, lanes, 9) == ()
        for claim in claims:
            world.step(claim)

    def test_nothing_is_claimed_while_something_more_urgent_is_left(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """By priority, and then by age, in whichever lane it stands."""
        names = []
        for number, priority in enumerate((1, 9, 1, 5, 5, 1, 9)):
            queue = "slow" if number % 3 else "default"
            name = f"a/{number}"
            world.start(tickets=world.tickets(name, queue=queue, priority=priority))
            names.append((-priority, number, name))
            later(1.0)
        worker, lanes, found = world.worker(), [world.lane(), world.lane("slow")], list[str]()
        expected = [name for *_, name in sorted(names)]
        while claims := stores.tickets.claim_some(worker, lanes, 4):
            found += [claim.activation for claim in claims]
            assert set(found) == set(expected[: len(found)])
        assert len(found) == len(expected)

    def test_what_needs_a_slot_is_not_among_them(self, stores: Stores, world: World) -> None:
        """It is claimed one by one, by who asks for it."""
        stores.pools.declare({"gpu": 2})
        first, second = world.tickets("a/1", "b/1")
        run = world.start(tickets=(replace(first, pool="gpu", priority=9), second))
        worker = world.worker()
        assert [claim.activation for claim in stores.tickets.claim_some(worker, [world.lane()], 2)] == ["b/1"]
        assert {row.id: row.state for row in stores.runs.tickets(run)} == {first.id: "ready", second.id: "running"}

    def test_some_are_claimed_by_the_rules_of_one(self, stores: Stores, world: World) -> None:
        """The buried get nothing, everybody gets folds, and nobody gets what stands in a lane of others."""
        run = world.start("a/1")
        world.post(run)
        dead, worker = world.worker(), world.worker()
        stores.workers.bury([dead])
        assert stores.tickets.claim_some(dead, [world.lane()], 2) == ()
        assert [claim.is_fold for claim in stores.tickets.claim_some(worker, [world.lane("slow")], 2)] == [True]

    def test_each_of_many_is_claimed_by_one_of_many_who_claim_some(self, stores: Stores, world: World) -> None:
        """Claimers who race get every ticket, each one once, however many they ask for at a time."""
        for number in range(6):
            world.start(tickets=world.tickets(*(f"a/{one}" for one in range(8)), priority=number % 2))
        workers = [world.worker() for _ in range(4)]

        def claims(worker: WorkerId, many: int) -> list[TicketId]:
            found: list[TicketId] = []
            while some := stores.tickets.claim_some(worker, [world.lane()], many):
                found += [claim.holding.ticket for claim in some]
            return found

        asks = (partial(claims, worker, many) for many, worker in enumerate(workers, 1))
        found = [ticket for mine in together(*asks) for ticket in mine]
        found += claims(workers[0], 48)
        assert len(found) == len(set(found)) == 48
