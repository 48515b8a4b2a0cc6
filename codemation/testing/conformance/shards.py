"""Parts of activations: given up for, claimed, recorded, counted, lost, stopped, and joined exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codemation.core.ids import ActivationId, TicketId
from codemation.core.ports import Chunk, Claim, GoOn, Leave, Shard, ShardEnd, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

A = ActivationId("a/1")


def shards_of(world: World, claim: Claim, many: int) -> dict[TicketId, Shard]:
    """So many parts of ten items each."""
    parent = claim.holding.ticket
    return {
        TicketId(world.number()): Shard(parent=parent, number=at, of=many, start=at * 10, stop=at * 10 + 10)
        for at in range(many)
    }


def last_of(claim: Claim, **changes: object) -> Chunk:
    """The last that the holder of a shard has to say."""
    shard = claim.shard
    assert shard is not None, "this is no claim of a shard"
    chunk = Chunk(number=shard.first_chunk, items=(shard.start,), data=b"%d" % shard.number)
    return replace(chunk, **changes)  # type: ignore[arg-type]  # the fields of a chunk


class ShardRaceContract(Contract):
    """Shards that end at the same moment."""

    def test_of_shards_that_end_together_one_joins(self, stores: Stores, world: World) -> None:
        """Exactly one of them holds the activation afterwards, in each of many trials."""
        for _ in range(8):
            parent = world.held()
            shards = shards_of(world, parent, 6)
            assert stores.shards.split(parent, shards)
            claims = [world.claim(world.worker(), ticket) for ticket in shards]
            ends = together(*(partial(stores.shards.end, claim, last_of(claim)) for claim in claims))
            assert [end is not None and end.join is not None for end in ends].count(True) == 1
            assert sorted(end.left for end in ends if end is not None) == [0, 1, 2, 3, 4, 5]
            assert len(stores.tickets.progress(parent.holding.ticket, A)) == 6


class ShardWorld(Contract):
    """What the contracts of shards share."""

    def _split(self, world: World, many: int = 3) -> tuple[Claim, list[Claim]]:
        """The claim of an activation that was given up for its shards, and a claim of each of them."""
        parent = world.held()
        shards = shards_of(world, parent, many)
        assert world.stores.shards.split(parent, shards), "a held activation could not be split"
        return parent, [world.claim(world.worker(), ticket) for ticket in shards]

    def _end(self, world: World, claim: Claim, **changes: object) -> ShardEnd:
        end = world.stores.shards.end(claim, last_of(claim, **changes))
        assert end is not None, "a held shard could not end"
        return end


class ShardLossContract(ShardWorld):
    """Shards that are lost, given up, put off and stopped."""

    def test_a_lost_shard_is_taken_over_alone(self, stores: Stores, world: World) -> None:
        """Whoever is left with a shard of a dead worker ends it; its former holder is refused."""
        parent, (first, second, third) = self._split(world)
        for claim in (second, third):
            self._end(world, claim)
        stores.workers.bury([first.holding.worker])
        taken = stores.tickets.take_over([first.holding.worker])
        assert (taken.released, taken.poisoned) == (1, ())
        again = world.claim(world.worker(), first.holding.ticket)
        assert again.shard == first.shard
        assert stores.shards.end(first, last_of(first)) is None
        end = self._end(world, again)
        assert end.join is not None
        assert end.join.holding.ticket == parent.holding.ticket

    def test_a_shard_that_nobody_survives_ends_with_an_error(
        self, stores: Stores, world: World, later: Callable[[float], None]
    ) -> None:
        """It is counted, and named; no letter says so, and after the last one anybody may claim the activation."""
        parent, (first, *others) = self._split(world)
        self._end(world, first)
        for claim in others:
            for _ in range(3):
                stores.workers.bury([claim.holding.worker])
                taken = stores.tickets.take_over([claim.holding.worker])
                later(100.0)
                stores.tickets.fire()
                if not taken.poisoned:
                    claim = world.claim(world.worker(), claim.holding.ticket)  # noqa: PLW2901  # the next holder
            assert taken.poisoned == ((parent.run, A, 3),)
        assert stores.inbox.pending(parent.run) == ()
        join = world.claim(world.worker(), parent.holding.ticket)
        assert join.joins
        errors = [chunk.error for chunk in stores.tickets.progress(parent.holding.ticket, A) if chunk.error]
        assert [error["message"].partition(":")[0] for error in errors] == ["shard 2 of 3", "shard 3 of 3"]
        assert {error["type"] for error in errors} == {"Lost"}

    def test_an_error_spares_what_nobody_has_begun(self, stores: Stores, world: World) -> None:
        """Of a failing activation those shards are done with that nobody works on; the others still end."""
        parent = world.held()
        shards = shards_of(world, parent, 5)
        assert stores.shards.split(parent, shards)
        first, second, third = (world.claim(world.worker(), ticket) for ticket in list(shards)[:3])
        assert stores.shards.again(second, 2, 60.0)
        end = self._end(world, first, error={"type": "ValueError", "message": "no \0 good"})
        assert end == ShardEnd(left=1)
        end = self._end(world, third)
        assert end.join is not None
        chunks = stores.tickets.progress(parent.holding.ticket, A)
        assert [chunk.error is not None for chunk in chunks] == [True, False]

    def test_a_shard_waits_for_another_attempt(
        self, stores: Stores, world: World, later: Callable[[float], None]
    ) -> None:
        """Its ticket says which, and nobody claims it before its time."""
        _, (first, *_) = self._split(world)
        assert stores.shards.again(first, 2, 30.0)
        assert not stores.shards.again(first, 3, 30.0)
        assert stores.tickets.claim(world.worker(), [world.lane()], first.holding.ticket) is None
        later(31.0)
        stores.tickets.fire()
        again = world.claim(world.worker(), first.holding.ticket)
        assert again.shard == replace(first.shard, attempt=2) if first.shard else False

    def test_a_join_that_is_lost_is_still_a_join(
        self, stores: Stores, world: World, later: Callable[[float], None]
    ) -> None:
        """Taken over, handed back, or tried again later: all that the shards have recorded is there."""
        parent, claims = self._split(world)
        join = [self._end(world, claim).join for claim in claims][-1]
        assert join is not None
        stores.workers.bury([join.holding.worker])
        stores.tickets.take_over([join.holding.worker])
        again = world.claim(world.worker(), parent.holding.ticket)
        assert again.joins
        world.step(again, then=Leave(activation=A, delay=5.0), status=RunStatus.WAITING)
        later(6.0)
        stores.tickets.fire()
        assert world.claim(world.worker(), parent.holding.ticket).joins
        assert len(stores.tickets.progress(parent.holding.ticket, A)) == 3

    def test_a_cancel_stops_every_shard(self, stores: Stores, world: World) -> None:
        """After it nothing is split, ended, put off or claimed, and what is handed back is done with."""
        parent = world.held()
        shards = shards_of(world, parent, 3)
        assert stores.shards.split(parent, shards)
        first, second = (world.claim(world.worker(), ticket) for ticket in list(shards)[:2])
        world.cancel(parent.run)
        assert stores.shards.end(first, last_of(first)) is None
        assert not stores.shards.again(first, 2, 1.0)
        assert stores.tickets.claim(world.worker(), [world.lane()], list(shards)[2]) is None
        assert stores.tickets.stopping(first.holding.worker) == (parent.run,)
        stores.tickets.hand_back([first.holding, second.holding])
        fold = world.claim_fold(parent.run)
        world.step(fold, cancelling=True, status=RunStatus.CANCELLED)
        assert stores.runs.tickets(parent.run) == ()

    def test_nothing_is_split_in_a_run_that_has_to_stop(self, stores: Stores, world: World) -> None:
        """A shard comes to be before a cancel, or not at all."""
        parent = world.held()
        world.cancel(parent.run)
        assert not stores.shards.split(parent, shards_of(world, parent, 3))
        assert len([row for row in stores.runs.tickets(parent.run) if row.kind == "shard"]) == 0

    def test_a_shard_of_a_run_that_is_over_just_ends(self, stores: Stores, world: World) -> None:
        """Where the run has ended under it, nothing is counted any more, and its ticket goes."""
        parent = world.held("a/1", "z/1")
        shards = shards_of(world, parent, 2)
        assert stores.shards.split(parent, shards)
        shard = world.claim(world.worker(), next(iter(shards)))
        world.step(world.take(parent.run, "z/1"), status=RunStatus.FAILED)
        assert self._end(world, shard) == ShardEnd(left=0)
        assert stores.runs.tickets(parent.run) == ()

    def test_people_see_how_many_have_ended(self, stores: Stores, world: World) -> None:
        """The ticket of the activation tells it, from the split to the join."""
        parent, claims = self._split(world)

        def seen() -> tuple[int, int] | None:
            return next(row.shards for row in stores.runs.tickets(parent.run) if row.id == parent.holding.ticket)

        assert seen() == (0, 3)
        assert stores.runs.unattended() == ()
        for ended, claim in enumerate(claims, 1):
            self._end(world, claim)
            assert seen() == (ended, 3)
        assert {row.kind for row in stores.runs.tickets(parent.run)} == {"work"}


class ShardsContract(ShardLossContract, ShardRaceContract):
    """Activations that are worked on in parts."""

    def test_a_shard_knows_which_items_are_its_own(self, world: World) -> None:
        """The claim of a shard says what it is about, in the words in which it was split."""
        parent = world.held(priority=3)
        shards = shards_of(world, parent, 3)
        assert world.stores.shards.split(parent, shards)
        for ticket, shard in shards.items():
            claim = world.claim(world.worker(), ticket)
            assert (claim.shard, claim.activation, claim.run) == (shard, parent.activation, parent.run)
            assert (claim.queue, claim.priority, claim.joins) == (parent.queue, parent.priority, False)

    def test_what_was_split_is_held_by_nobody(self, stores: Stores, world: World) -> None:
        """Whoever has given an activation up can neither write it, nor split it again, nor hand it back."""
        parent, _ = self._split(world)
        assert not stores.journal.step(world.commit(parent))
        assert not stores.shards.split(parent, shards_of(world, parent, 2))
        assert stores.tickets.hand_back([parent.holding]) == 0
        assert stores.tickets.claim(world.worker(), [world.lane()], parent.holding.ticket) is None

    def test_the_journal_knows_nothing_of_shards(self, stores: Stores, world: World) -> None:
        """From the split to the join the run stays at its revision."""
        parent, claims = self._split(world)
        for claim in claims:
            self._end(world, claim)
        row, entries = stores.journal.load(parent.run)
        assert (row.revision, len(entries), row.status) == (1, 1, RunStatus.RUNNING)

    def test_the_last_of_them_holds_what_was_split(self, stores: Stores, world: World) -> None:
        """Each end says how many are left; the last one is a claim of the activation, which can be gone on with."""
        parent, (first, second, third) = self._split(world)
        assert [self._end(world, claim) for claim in (second, first)] == [ShardEnd(left=2), ShardEnd(left=1)]
        end = self._end(world, third)
        assert end.left == 0
        assert end.join is not None
        assert (end.join.holding.ticket, end.join.holding.worker) == (parent.holding.ticket, third.holding.worker)
        assert (end.join.joins, end.join.shard, end.join.activation) == (True, None, parent.activation)
        chunks = stores.tickets.progress(parent.holding.ticket, parent.activation)
        assert [(chunk.shard, chunk.items, chunk.data) for chunk in chunks] == [
            (0, (0,), b"0"),
            (1, (10,), b"1"),
            (2, (20,), b"2"),
        ]
        world.step(end.join, then=GoOn(activation=ActivationId("b/1")))
        assert stores.tickets.progress(parent.holding.ticket, parent.activation) == ()
        again = replace(end.join.going_on(ActivationId("b/1")), fresh=False)
        assert stores.shards.split(again, shards_of(world, again, 2)), "the next activation cannot be split"

    def test_a_shard_that_has_ended_ends_once(self, stores: Stores, world: World) -> None:
        """Sent again, an end is refused and counts nothing."""
        parent, (first, *_) = self._split(world)
        self._end(world, first)
        before = world.truth(parent.run)
        assert stores.shards.end(first, last_of(first)) is None
        assert world.truth(parent.run) == before

    def test_progress_of_shards_is_kept_apart(self, stores: Stores, world: World) -> None:
        """What a shard records belongs to its activation, and each reads its own alone."""
        parent, (first, second, _) = self._split(world)
        for claim in (first, second):
            chunk = last_of(claim)
            assert stores.tickets.save_progress(claim.holding, claim.activation, chunk)
            assert stores.tickets.progress(claim.holding.ticket, A, claim.shard) == (chunk,)
        assert len(stores.tickets.progress(parent.holding.ticket, A)) == 2
        assert stores.tickets.progress(first.holding.ticket, A) == ()
