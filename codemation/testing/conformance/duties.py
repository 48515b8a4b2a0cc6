"""The contract of duties."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from codemation.core.ids import WorkerId
from codemation.core.ports import DUTIES, DutyRow, Pulse, Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]
NOBODY = DutyRow(name="prune")


class DutiesContract(Contract):
    """What one process of all should do from time to time."""

    def test_every_duty_is_told_of_though_nobody_has_it(self, stores: Stores, world: World) -> None:
        """In the order in which they are named."""
        pulse = stores.duties.beat(world.worker(), {}, did={})
        assert [row.name for row in pulse.duties] == list(DUTIES)
        assert {(row.holder, row.epoch, row.beat, row.gone) for row in pulse.duties} == {(None, 0, 0, False)}

    def test_a_duty_is_taken_by_one_of_all(self, stores: Stores, world: World) -> None:
        """Also when all of them know that it is free, and take it at the same moment."""
        workers = [world.worker() for _ in range(6)]
        taken = together(*(partial(stores.duties.take, "prune", worker, NOBODY) for worker in workers))
        assert [epoch for epoch in taken if epoch is not None] == [1]
        assert stores.duties.take("fire", workers[0], DutyRow(name="fire")) == 1

    def test_a_duty_is_taken_from_who_stands_still_and_from_nobody_else(self, stores: Stores, world: World) -> None:
        """Whoever has beaten since it was looked at keeps it."""
        one, two = world.worker("one"), world.worker("two")
        epoch = _taken(stores, one)
        seen = _row(stores.duties.beat(two, {}, did={}))
        assert (seen.holder, seen.worker and seen.worker.name) == (one, "one")
        beaten = _row(stores.duties.beat(one, {"prune": epoch}, did={}))
        assert beaten.beat == seen.beat + 1
        assert stores.duties.take("prune", two, seen) is None
        assert stores.duties.take("prune", two, beaten) == epoch + 1
        assert _row(stores.duties.beat(one, {"prune": epoch}, did={})).holder == two

    def test_nobody_beats_for_what_was_taken_from_him(self, stores: Stores, world: World) -> None:
        """Neither for the one who has it, nor is what he did noted; also when he has taken it again."""
        one, two = world.worker(), world.worker()
        old = _taken(stores, one)
        new = stores.duties.take("prune", two, _row(stores.duties.beat(two, {}, did={})))
        assert new is not None
        before = _row(stores.duties.beat(two, {}, did={}))
        after = _row(stores.duties.beat(one, {"prune": old}, did={"prune": 1.0}))
        assert (after.beat, after.last_at) == (before.beat, None)
        assert stores.duties.take("prune", one, after) == new + 1
        late = _row(stores.duties.beat(one, {"prune": old}, did={}))
        assert late.epoch == new + 1
        assert late.beat == after.beat + 1  # that of the take alone

    def test_what_was_done_is_known_with_its_lag(self, stores: Stores, world: World, later: Later) -> None:
        """And how long ago, by the clock of the store; a beat without work changes neither."""
        one = world.worker()
        epoch = _taken(stores, one)
        assert _row(stores.duties.beat(one, {"prune": epoch}, did={})).age is None
        done = _row(stores.duties.beat(one, {"prune": epoch}, did={"prune": 1.5}))
        assert done.lag == 1.5
        later(100.0)
        row = _row(stores.duties.beat(one, {"prune": epoch}, did={}))
        assert (row.last_at, row.lag) == (done.last_at, 1.5)
        assert row.age == pytest.approx(100.0, abs=30.0)

    def test_who_leaves_holds_nothing_any_more(self, stores: Stores, world: World) -> None:
        """And it is free at once."""
        one, two = world.worker(), world.worker()
        epoch = _taken(stores, one)
        other = stores.duties.take("fire", two, DutyRow(name="fire"))
        stores.duties.leave(one)
        row = _row(stores.duties.beat(one, {"prune": epoch}, did={}))
        assert row.holder is None
        assert row.epoch > epoch
        assert stores.duties.take("prune", two, row) == row.epoch + 1
        assert _row(stores.duties.beat(two, {}, did={}), "fire").epoch == other

    def test_a_holder_that_is_buried_is_gone(self, stores: Stores, world: World) -> None:
        """So is one that was never entered."""
        one = world.worker()
        _taken(stores, one)
        assert not _row(stores.duties.beat(one, {}, did={})).gone
        stores.workers.bury([one])
        assert _row(stores.duties.beat(one, {}, did={})).gone
        stores.duties.take("fire", WorkerId(12345), DutyRow(name="fire"))
        assert _row(stores.duties.beat(one, {}, did={}), "fire").gone

    def test_a_beat_tells_how_soon_a_wait_is_over(self, stores: Stores, world: World, later: Later) -> None:
        """So that nobody has to ask for it by itself."""
        worker = world.worker()
        assert stores.duties.beat(worker, {}, did={}).fire is None
        assert stores.tickets.postpone(world.held("a/1").holding, 100.0)
        assert stores.duties.beat(worker, {}, did={}).fire == pytest.approx(100.0, abs=30.0)
        later(200.0)
        assert (stores.duties.beat(worker, {}, did={}).fire or 0.0) < -60.0


def _row(pulse: Pulse, name: str = "prune") -> DutyRow:
    return next(row for row in pulse.duties if row.name == name)


def _taken(stores: Stores, worker: WorkerId) -> int:
    epoch = stores.duties.take("prune", worker, NOBODY)
    assert epoch is not None
    return epoch
