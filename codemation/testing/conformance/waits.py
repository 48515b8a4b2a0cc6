"""What waits for a time, and what is recorded while somebody works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from codemation.core.ids import ActivationId
from codemation.core.ports import Chunk, GoOn, Leave, Stores
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class TimeContract(Contract):
    """What waits becomes ready when its time has come, and not before."""

    def test_nothing_waits_where_nothing_waits(self, stores: Stores, world: World) -> None:
        """Without a waiting ticket there is no next time."""
        world.start("a/1")
        assert stores.tickets.fire() is None

    def test_firing_tells_when_to_come_back(self, stores: Stores, world: World, later: Later) -> None:
        """Firing makes ready what is due, leaves the rest, and says how long until the next."""
        for delay in (100.0, 300.0):
            claim = world.held(f"after/{delay:.0f}")
            world.step(claim, then=Leave(activation=claim.activation, delay=delay))
        worker = world.worker()
        assert stores.tickets.fire() == pytest.approx(100.0, abs=60.0)
        assert stores.tickets.claim(worker, [world.lane()]) is None
        later(101.0)
        assert stores.tickets.fire() == pytest.approx(199.0, abs=60.0)
        assert world.claim(worker).activation == "after/100"
        assert stores.tickets.claim(worker, [world.lane()]) is None
        later(200.0)
        assert stores.tickets.fire() is None
        assert world.claim(worker).activation == "after/300"

    def test_nothing_is_ready_before_somebody_fires(self, stores: Stores, world: World, later: Later) -> None:
        """Time alone changes nothing: a ticket whose time has come is still waiting until it is fired."""
        claim = world.held("a/1")
        stores.tickets.postpone(claim.holding, 10.0)
        later(11.0)
        (ticket,) = stores.runs.tickets(claim.run)
        assert ticket.state == "waiting"

    def test_a_held_ticket_can_be_put_off(self, stores: Stores, world: World, later: Later) -> None:
        """A ticket that was put off is nobody's until its time has come, and the journal says nothing of it."""
        claim = world.held("a/1")
        assert stores.tickets.postpone(claim.holding, 30.0)
        (ticket,) = stores.runs.tickets(claim.run)
        assert (ticket.state, ticket.worker, world.row(claim.run).revision) == ("waiting", None, 1)
        assert stores.tickets.claim(world.worker(), [world.lane()]) is None
        later(31.0)
        stores.tickets.fire()
        assert world.claim(world.worker()).activation == "a/1"

    def test_only_the_holder_puts_off(self, stores: Stores, world: World) -> None:
        """A holding that is no longer good puts nothing off."""
        claim = world.held("a/1")
        stores.tickets.hand_back([claim.holding])
        assert not stores.tickets.postpone(claim.holding, 30.0)
        again = world.claim(world.worker())
        assert not stores.tickets.postpone(claim.holding, 30.0)
        world.step(again)


class ProgressContract(Contract):
    """Finished items are kept while the rest is under way."""

    def test_chunks_come_back_in_order(self, stores: Stores, world: World) -> None:
        """Chunks are read in the order of their numbers, with items and bytes as they were."""
        claim = world.held("a/1")
        chunks = [Chunk(number=n, items=(n, 100 + n), data=bytes([0, n, 255])) for n in (2, 0, 1)]
        assert all(stores.tickets.save_progress(claim.holding, claim.activation, chunk) for chunk in chunks)
        found = stores.tickets.progress(claim.holding.ticket, claim.activation)
        assert found == tuple(sorted(chunks, key=lambda chunk: chunk.number))

    def test_a_chunk_that_is_sent_twice_is_recorded_once(self, stores: Stores, world: World) -> None:
        """Whoever lost the answer sends the same chunk again."""
        claim = world.held("a/1")
        world.save(claim)
        world.save(claim)
        assert len(stores.tickets.progress(claim.holding.ticket, claim.activation)) == 1

    def test_progress_is_of_one_activation_on_one_ticket(self, stores: Stores, world: World) -> None:
        """What was recorded elsewhere is not mixed in."""
        claim, other = world.held("a/1"), world.held("a/1")
        world.save(claim)
        assert stores.tickets.progress(other.holding.ticket, other.activation) == ()
        assert stores.tickets.progress(claim.holding.ticket, ActivationId("b/1")) == ()

    def test_people_see_how_many_items_are_finished(self, stores: Stores, world: World) -> None:
        """Of the activation that a ticket is about, and of no other."""
        claim, other = world.held("a/1"), world.held("a/1")
        for number, items in enumerate([(0, 1, 2), (5,), ()]):
            chunk = Chunk(number=number, items=items, data=b"")
            assert stores.tickets.save_progress(claim.holding, claim.activation, chunk)
        assert [row.done for row in stores.runs.tickets(claim.run)] == [4]
        assert [row.done for row in stores.runs.tickets(other.run)] == [0]
        world.step(claim, then=GoOn(activation=ActivationId("b/1")))
        assert [row.done for row in stores.runs.tickets(claim.run)] == [0]

    def test_only_the_holder_records_progress(self, stores: Stores, world: World) -> None:
        """A holding that is no longer good records nothing."""
        claim = world.held("a/1")
        stores.tickets.hand_back([claim.holding])
        chunk = Chunk(number=0, items=(0,), data=b"late")
        assert not stores.tickets.save_progress(claim.holding, claim.activation, chunk)
        world.claim(claim.holding.worker)
        assert not stores.tickets.save_progress(claim.holding, claim.activation, chunk)
        assert stores.tickets.progress(claim.holding.ticket, claim.activation) == ()

    def test_progress_changes_nothing_else(self, stores: Stores, world: World) -> None:
        """Recording progress is no revision, and its holder goes on."""
        claim = world.held("a/1")
        before = world.truth(claim.run)
        world.save(claim)
        after = world.truth(claim.run)
        assert (after.row, after.entries) == (before.row, before.entries)
        assert [replace(row, done=0) for row in after.tickets] == list(before.tickets)
        world.step(claim)
