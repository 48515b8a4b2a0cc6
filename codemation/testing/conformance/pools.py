"""What pools do: no more tickets of a pool are held than it has slots, whoever races for them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from codemation.core.ids import ActivationId, RunId, TicketId
from codemation.core.ports import Chunk, Claim, Drop, Leave, Shard, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import Contract, World

WAYS = ("done", "ended", "left", "waiting", "together", "handed back", "taken over", "cancelled")
"""In which a ticket is let go of."""


class PoolsContract(Contract):
    """Who holds a ticket has its slot."""

    def _run(self, world: World, *names: str, **changes: Any) -> RunId:
        tickets = tuple(replace(one, pool="gpu") for one in world.tickets(*names))
        return world.start(tickets=tickets, **changes)

    def _claim(self, stores: Stores, world: World, run: RunId | None = None) -> Claim | None:
        ticket = None if run is None else stores.runs.tickets(run)[0].id
        return stores.tickets.claim(world.worker(), [world.lane()], ticket, pools=True)

    def _held(self, stores: Stores, world: World, run: RunId) -> Claim:
        claim = self._claim(stores, world, run)
        assert claim is not None, "a slot is free, and nobody gets it"
        return claim

    def test_so_many_are_held_as_there_are_slots(self, stores: Stores, world: World) -> None:
        """By id, or whatever is the most urgent."""
        stores.pools.declare({"gpu": 2})
        runs = [self._run(world, "a/1") for _ in range(3)]
        self._held(stores, world, runs[1])
        assert self._claim(stores, world) is not None
        assert [self._claim(stores, world, run) for run in runs] == [None] * 3
        assert self._claim(stores, world) is None
        assert stores.pools.all() == {"gpu": (2, 2)}

    def test_what_needs_a_slot_is_claimed_by_nobody_who_asks_for_none(self, stores: Stores, world: World) -> None:
        """And what needs none by everybody, full or not."""
        stores.pools.declare({"gpu": 1})
        run = self._run(world, "a/1")
        assert stores.tickets.claim(world.worker(), [world.lane()]) is None
        assert stores.tickets.claim(world.worker(), [world.lane()], stores.runs.tickets(run)[0].id) is None
        self._held(stores, world, run)
        plain = world.start("a/1")
        assert self._held(stores, world, plain).run == plain

    def test_a_pool_that_is_not_declared_has_no_slots(self, stores: Stores, world: World) -> None:
        """Declared anew, it has as many as were said last; others stay as they are."""
        run = self._run(world, "a/1")
        assert self._claim(stores, world, run) is None
        stores.pools.declare({"gpu": 1, "cpu": 3})
        stores.pools.declare({"gpu": 2})
        stores.pools.declare({"gpu": 1, "shop": 1}, default=True)
        assert stores.pools.all() == {"cpu": (0, 3), "gpu": (0, 2), "shop": (0, 1)}
        self._held(stores, world, run)

    def test_the_most_urgent_that_can_be_held_is_claimed(self, stores: Stores, world: World) -> None:
        """A full pool keeps nobody from what needs no slot."""
        stores.pools.declare({"gpu": 1})
        first, second = self._run(world, "a/1", priority=9), self._run(world, "a/1", priority=8)
        plain = world.start("a/1")
        claims = [self._claim(stores, world) for _ in range(3)]
        assert [None if claim is None else claim.run for claim in claims] == [first, plain, None]
        assert self._claim(stores, world, second) is None

    def test_every_way_of_letting_go_gives_the_slot_back(self, stores: Stores, world: World) -> None:
        """Whatever becomes of the ticket."""
        stores.pools.declare({"gpu": 1})
        for how in WAYS:
            claim = self._held(stores, world, self._run(world, "a/1"))
            assert (stores.pools.all(), self._claim(stores, world, self._run(world, "c/1"))) == ({"gpu": (1, 1)}, None)
            self._let_go(stores, world, claim, how)
            assert stores.pools.all() == {"gpu": (0, 1)}, how

    def _let_go(self, stores: Stores, world: World, claim: Claim, how: str) -> None:
        match how:
            case "done":
                world.step(claim, then=Drop(), more=world.tickets("b/1"))
            case "ended":
                world.step(claim, status=RunStatus.FAILED)
            case "left":
                world.step(claim, then=Leave(activation=ActivationId("a/1"), delay=60.0))
            case "waiting":
                world.step(claim, waits=(world.wait("a/1", "w", wait_key="w:1"),), status=RunStatus.WAITING)
            case "together":
                assert len(stores.journal.steps([world.commit(claim, status=RunStatus.SUCCEEDED)])) == 1
            case "handed back":
                assert stores.tickets.hand_back([claim.holding]) == 1
            case "taken over":
                stores.workers.bury([claim.holding.worker])
                stores.tickets.take_over([claim.holding.worker])
            case _:
                world.cancel(claim.run)
                stores.tickets.hand_back([claim.holding])

    def test_tickets_that_a_step_adds_need_the_slots_that_they_say(self, stores: Stores, world: World) -> None:
        """Written alone or in a group."""
        stores.pools.declare({"gpu": 2})
        for grouped in (False, True):
            claim = world.held("a/1")
            more = replace(world.tickets("b/1")[0], pool="gpu")
            commit = world.commit(claim, more=(more,))
            assert stores.journal.steps([commit]) if grouped else stores.journal.step(commit)
            assert [row.pool for row in stores.runs.tickets(claim.run)] == ["gpu"]
            assert stores.tickets.claim(world.worker(), [world.lane()], more.id) is None
            self._held(stores, world, claim.run)

    def test_shards_need_a_slot_each_and_their_activation_none_while_it_waits(
        self, stores: Stores, world: World
    ) -> None:
        """Whoever ends the last one goes on with the slot that it had."""
        stores.pools.declare({"gpu": 1})
        claim = self._held(stores, world, self._run(world, "a/1"))
        parent = claim.holding.ticket
        shards = {
            TicketId(world.number()): Shard(parent=parent, number=number, of=2, start=number, stop=number + 1)
            for number in range(2)
        }
        assert stores.shards.split(claim, shards)
        assert stores.pools.all() == {"gpu": (0, 1)}
        first, second = shards
        held = stores.tickets.claim(world.worker(), [world.lane()], first, pools=True)
        assert held is not None
        assert stores.tickets.claim(world.worker(), [world.lane()], second, pools=True) is None
        end = stores.shards.end(held, Chunk(number=shards[first].first_chunk, items=(0,), data=b""))
        assert end is not None
        assert end.left == 1
        held = stores.tickets.claim(world.worker(), [world.lane()], second, pools=True)
        assert held is not None
        end = stores.shards.end(held, Chunk(number=shards[second].first_chunk, items=(1,), data=b""))
        assert end is not None
        assert end.join is not None
        assert stores.pools.all() == {"gpu": (1, 1)}
        world.step(end.join, status=RunStatus.SUCCEEDED)
        assert stores.pools.all() == {"gpu": (0, 1)}

    def test_under_a_crowd_no_slot_is_taken_twice(self, stores: Stores, world: World) -> None:
        """Everybody gets a turn, and never are more held than there are slots."""
        stores.pools.declare({"gpu": 2})
        runs = [self._run(world, "a/1") for _ in range(10)]
        tickets = [stores.runs.tickets(run)[0].id for run in runs]
        workers = [world.worker() for _ in runs]
        fullest: list[int] = []

        def work(number: int) -> None:
            claim = None
            for _ in patiently():
                claim = stores.tickets.claim(workers[number], [world.lane()], tickets[number], pools=True)
                fullest.append(stores.pools.all()["gpu"][0])
                if claim is not None:
                    break
            assert claim is not None
            assert stores.journal.step(world.commit(claim, status=RunStatus.SUCCEEDED))

        together(*(partial(work, number) for number in range(len(runs))))
        assert max(fullest) <= 2
        assert stores.pools.all() == {"gpu": (0, 2)}
