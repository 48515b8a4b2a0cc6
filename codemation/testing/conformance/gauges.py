"""What gauges do: they count what is live, and what has ended lately."""

from __future__ import annotations

from collections.abc import Callable

from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class GaugesContract(Contract):
    """Figures are of now."""

    def test_nothing_is_nothing(self, stores: Stores) -> None:
        """An empty database has nothing to do."""
        reading = stores.gauges.read((1.0, 10.0))
        assert (dict(reading.unfinished), dict(reading.finished), reading.seconds) == ({}, {}, 0)
        assert (reading.within, reading.queues) == ((0, 0), ())

    def test_runs_are_counted_where_they_stand(self, stores: Stores, world: World, later: Later) -> None:
        """The unfinished all, the finished for an hour, with how long they took."""
        world.start("a/1")
        claim = world.held()
        later(5.0)
        world.step(claim, status=RunStatus.SUCCEEDED)
        reading = stores.gauges.read((1.0, 10.0, 100.0))
        assert dict(reading.unfinished) == {RunStatus.RUNNING: 1}
        assert dict(reading.finished) == {RunStatus.SUCCEEDED: 1}
        assert 5.0 <= reading.seconds < 10.0
        assert reading.within == (0, 1, 1)
        later(3700.0)
        reading = stores.gauges.read((1.0,))
        assert (dict(reading.unfinished), dict(reading.finished), reading.within) == ({RunStatus.RUNNING: 1}, {}, (0,))

    def test_tickets_are_counted_by_queue_and_state(self, stores: Stores, world: World, later: Later) -> None:
        """Of the ready ones it is said how long the first has stood there."""
        world.start("a/1")
        later(30.0)
        world.start("a/1")
        world.held()
        queues = {(one.queue, one.state): one for one in stores.gauges.read(()).queues}
        assert {key: one.tickets for key, one in queues.items()} == {("default", "ready"): 2, ("default", "running"): 1}
        assert 30.0 <= queues["default", "ready"].age < 60.0
        assert queues["default", "running"].age == 0
