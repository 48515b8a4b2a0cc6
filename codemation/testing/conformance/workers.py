"""The contract of workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from codemation.core.ids import WorkerId
from codemation.core.ports import Stores, WorkerRow
from codemation.testing.conformance.world import Contract, World


class WorkersContract(Contract):
    """Everybody can see who lives, and the dead stay dead."""

    def _row(self, world: World, name: str = "w") -> WorkerRow:
        return WorkerRow(
            id=WorkerId(world.number()), name=name, place="boot/ns", pid=4242, pid_started=2**40, version="0.1.0"
        )

    def _beats(self, stores: Stores) -> dict[WorkerId, int]:
        return {row.id: row.beat for row in stores.workers.living()}

    def test_who_is_entered_can_be_seen(self, stores: Stores, world: World) -> None:
        """A worker is seen by everybody, with name, place, process and version."""
        assert stores.workers.living() == ()
        one, two = self._row(world, "one"), self._row(world, "two")
        stores.workers.register(one)
        stores.workers.register(two)
        assert sorted(stores.workers.living(), key=lambda row: row.name) == [one, two]

    def test_entering_twice_enters_once(self, stores: Stores, world: World) -> None:
        """Whoever lost the answer enters again, and does not begin to count anew."""
        row = self._row(world)
        stores.workers.register(row)
        stores.workers.beat(row.id)
        stores.workers.register(row)
        assert stores.workers.living() == (replace(row, beat=1),)

    def test_what_a_worker_serves_can_be_seen_and_may_change(self, stores: Stores, world: World) -> None:
        """A worker tells its machine, queues, definitions and slots; entering again changes what it serves alone."""
        row = replace(self._row(world), host="mill", queues=("gpu", "default"), digests=("ab" * 32,), slots=4)
        stores.workers.register(row)
        assert stores.workers.living() == (row,)
        other = replace(row, name="other", host="other", queues=("gpu",), digests=("cd" * 32, "ef" * 32), slots=2)
        stores.workers.register(other)
        assert stores.workers.living() == (replace(other, name=row.name, host=row.host),)

    def test_a_worker_tells_its_load_with_each_beat(self, stores: Stores, world: World) -> None:
        """Everybody sees how much a worker does, as of its last beat, and the worker sees it at once."""
        row = self._row(world)
        stores.workers.register(row)
        seen = stores.workers.beat(row.id, load=3)
        assert seen == (replace(row, beat=1, load=3),)
        assert stores.workers.living() == seen

    def test_how_long_a_worker_was_silent_is_told(
        self, stores: Stores, world: World, later: Callable[[float], None]
    ) -> None:
        """The seconds since the last beat, or since the worker was entered."""
        one, two = self._row(world, "one"), self._row(world, "two")
        for row in (one, two):
            stores.workers.register(row)
        later(30.0)
        beaten = {row.id: row for row in stores.workers.beat(one.id) or ()}
        living = {row.id: row for row in stores.workers.living()}
        for seen in (beaten, living):
            assert seen[one.id].silent < 10
            assert 30 <= seen[two.id].silent < 40
        assert all(row.started_at is not None for row in living.values())

    def test_a_beat_is_seen_by_others(self, stores: Stores, world: World) -> None:
        """Each beat counts one further, for its worker alone, and reads who is there."""
        one, two = self._row(world, "one"), self._row(world, "two")
        stores.workers.register(one)
        stores.workers.register(two)
        stores.workers.beat(one.id)
        seen = stores.workers.beat(one.id)
        assert seen is not None
        assert {row.id: row.beat for row in seen}[two.id] == 0
        assert self._beats(stores) == {one.id: 2, two.id: 0}

    def test_the_buried_do_not_beat(self, stores: Stores, world: World) -> None:
        """A worker whose death was entered is told so, is seen no longer, and does not come back by entering again."""
        one, two = self._row(world, "one"), self._row(world, "two")
        for row in (one, two):
            stores.workers.register(row)
        stores.workers.bury([one.id])
        assert stores.workers.beat(one.id) is None
        stores.workers.register(one)
        assert stores.workers.beat(one.id) is None
        assert self._beats(stores) == {two.id: 0}
        assert stores.workers.beat(two.id) is not None

    def test_who_was_never_entered_does_not_beat(self, stores: Stores, world: World) -> None:
        """A beat enters nobody."""
        assert stores.workers.beat(WorkerId(world.number())) is None
        assert stores.workers.living() == ()

    def test_burying_is_harmless_when_it_is_repeated_or_names_nobody(self, stores: Stores, world: World) -> None:
        """Several observers may find the same death, and one of a worker that nobody has entered."""
        row = self._row(world)
        stores.workers.register(row)
        stores.workers.bury([])
        stores.workers.bury([row.id, row.id, WorkerId(world.number())])
        stores.workers.bury([row.id])
        assert stores.workers.living() == ()

    def test_the_dead_are_seen_while_they_hold_something(self, stores: Stores, world: World) -> None:
        """A buried worker that claimed something is listed until it was taken over, so that nothing is forgotten."""
        claim = world.held()
        stores.workers.bury([claim.holding.worker])
        assert claim.holding.worker in self._beats(stores)
        stores.tickets.take_over([claim.holding.worker])
        assert claim.holding.worker not in self._beats(stores)
