"""The contract of pruning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from codemation.core.errors import InputError, PayloadLost, UnknownRun
from codemation.core.ids import ActivationId, RunId
from codemation.core.items import Batch
from codemation.core.ports import LogLine, Reopening, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]
AGES = {"succeeded": 100.0, "failed": 1000.0}


def ended(world: World, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> RunId:
    """A run that has ended."""
    claim = world.held(**{"retention": AGES, **changes})
    world.step(claim, status=status)
    return claim.run


def there(stores: Stores, *runs: RunId) -> list[RunId]:
    """Those of the runs that are still there."""
    kept = {row.id for row in stores.runs.page(limit=1_000)}
    return [run for run in runs if run in kept]


def stored(stores: Stores, run: RunId, data: bytes = b"12345") -> Batch:
    """A batch of a run."""
    return stores.payloads.put(run, data, 1, "items")


class PruningContract(Contract):
    """A finished run goes when its time is over, and with it all that was kept of it and that nobody else needs."""

    def test_a_run_is_kept_for_as_long_as_was_said_when_it_started(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """By its outcome; a cancelled run is kept as long as a failed one."""
        good, bad, stopped = (
            ended(world, status) for status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
        )
        later(99.0)
        assert stores.pruning.prune() == 0
        later(2.0)
        assert stores.pruning.prune() == 1
        assert there(stores, good, bad, stopped) == [bad, stopped]
        later(900.0)
        assert stores.pruning.prune() == 2
        assert there(stores, good, bad, stopped) == []

    def test_without_a_time_a_run_is_kept_for_ever(self, stores: Stores, world: World, later: Later) -> None:
        """Also when only the other outcome has one."""
        runs = [ended(world, retention=ages) for ages in ({}, {"succeeded": None, "failed": 1.0}, {"failed": 1.0})]
        later(10_000_000.0)
        assert stores.pruning.outdated() == ()
        assert stores.pruning.prune() == 0
        assert there(stores, *runs) == runs

    def test_an_unfinished_run_is_never_pruned(self, stores: Stores, world: World, later: Later) -> None:
        """However long it waits, works, or stands in the queue."""
        waiting = world.suspended(world.wait("a/1", "0"))
        working = world.held(retention={"succeeded": 1.0, "failed": 1.0}).run
        later(10_000_000.0)
        assert stores.pruning.prune() == 0
        assert there(stores, waiting, working) == [waiting, working]

    def test_all_that_was_kept_of_a_run_goes_with_it(self, stores: Stores, world: World, later: Later) -> None:
        """Journal, batches, logs."""
        claim = world.held(retention=AGES)
        batch = stored(stores, claim.run)
        line = LogLine(at=datetime.now(UTC), activation=ActivationId("a/1"), attempt=1, level="info", text="hello")
        stores.logs.append(claim.run, [line])
        world.step(claim, status=RunStatus.SUCCEEDED)
        later(101.0)
        assert stores.pruning.prune() == 1
        with pytest.raises(UnknownRun):
            stores.journal.load(claim.run)
        with pytest.raises(PayloadLost):
            stores.payloads.get(claim.run, batch)
        assert stores.logs.read(claim.run) == ()

    def test_what_another_run_has_borrowed_is_its_own_from_now_on(
        self, stores: Stores, world: World, later: Later
    ) -> None:
        """Until that one is pruned as well; what nobody borrowed is gone at once."""
        source = ended(world)
        shared, alone = stored(stores, source), stored(stores, source, b"67890")
        replay = ended(world, retention={"succeeded": 500.0})
        (mine,) = stores.payloads.borrow(replay, source, [shared])
        assert stores.payloads.borrow(replay, source, [shared]) == (mine,), "borrowing twice is harmless"
        later(101.0)
        assert stores.pruning.prune() == 1
        assert stores.payloads.get(replay, mine) == b"12345"
        with pytest.raises(PayloadLost):
            stores.payloads.get(source, alone)
        later(500.0)
        assert stores.pruning.prune() == 1
        with pytest.raises(PayloadLost):
            stores.payloads.get(replay, mine)

    def test_source_and_borrower_go_together(self, stores: Stores, world: World, later: Later) -> None:
        """In one batch of deletions, whoever stands first."""
        source, replay = ended(world), ended(world)
        batch = stored(stores, source)
        stores.payloads.borrow(replay, source, [batch])
        later(101.0)
        assert stores.pruning.prune() == 2
        with pytest.raises(PayloadLost):
            stores.payloads.get(source, batch)

    def test_what_was_pruned_cannot_be_borrowed(self, stores: Stores, world: World, later: Later) -> None:
        """Whoever comes too late is told so, and does not begin with half of it."""
        source = ended(world)
        batch = stored(stores, source)
        later(101.0)
        stores.pruning.prune()
        with pytest.raises(PayloadLost):
            stores.payloads.borrow(world.run_id(), source, [batch])
        with pytest.raises(PayloadLost):
            stores.payloads.borrow(world.run_id(), source, [Batch(ref="j:1:main", count=1, kind="items", size=3)])

    def test_an_empty_batch_can_always_be_borrowed(self, stores: Stores, world: World) -> None:
        """Nothing is stored of it."""
        nothing = Batch(ref="", count=0, kind="items", size=0)
        assert stores.payloads.borrow(world.run_id(), world.run_id(), [nothing]) == (nothing,)

    def test_a_run_that_goes_on_again_is_not_pruned(self, stores: Stores, world: World, later: Later) -> None:
        """Its time begins anew with its next end."""
        run = ended(world, RunStatus.FAILED)
        later(1001.0)
        row = world.row(run)
        tickets = world.tickets("a/1")
        reopening = Reopening(
            run=run,
            revision=row.revision,
            head=row.head,
            new_head=world.head(),
            delta=world.delta("a/1"),
            digest=row.digest,
            tickets=tickets,
        )
        assert stores.journal.reopen(reopening)
        assert stores.pruning.prune() == 0
        claim = world.take(run, "a/1")
        world.step(claim, status=RunStatus.SUCCEEDED)
        later(99.0)
        assert stores.pruning.prune() == 0
        later(2.0)
        assert stores.pruning.prune() == 1

    def test_what_is_to_be_pruned_can_be_seen_before(self, stores: Stores, world: World, later: Later) -> None:
        """By workflow and outcome; looking changes nothing."""
        for _ in range(3):
            ended(world)
        last = ended(world, RunStatus.FAILED)
        later(500.0)
        (found,) = stores.pruning.outdated()
        assert (found.workflow, found.status, found.runs) == ("flow", RunStatus.SUCCEEDED, 3)
        assert found.oldest <= world.row(last).created_at
        later(1000.0)
        counts = {one.status: one.runs for one in stores.pruning.outdated()}
        assert counts == {RunStatus.SUCCEEDED: 3, RunStatus.FAILED: 1}
        assert there(stores, last) == [last]

    def test_the_longest_over_go_first_and_not_all_at_once(self, stores: Stores, world: World, later: Later) -> None:
        """So that a deletion never takes long."""
        runs = []
        for _ in range(5):
            runs.append(ended(world))
            later(1.0)
        later(200.0)
        assert stores.pruning.prune(limit=2) == 2
        assert there(stores, *runs) == runs[2:]
        assert [stores.pruning.prune(limit=2) for _ in range(3)] == [2, 1, 0]

    def test_many_may_prune_at_once(self, stores: Stores, world: World, later: Later) -> None:
        """What is over goes, once."""
        runs = [ended(world) for _ in range(12)]
        last = ended(world, RunStatus.FAILED)
        later(500.0)
        together(*(partial(stores.pruning.prune, limit=12) for _ in range(4)))
        assert there(stores, *runs, last) == [last]

    def test_a_key_counts_for_as_long_as_its_run_is_there(self, stores: Stores, world: World, later: Later) -> None:
        """However short its own time is."""
        run = ended(world, RunStatus.FAILED, key="k", key_age=10.0)
        later(500.0)
        assert stores.pruning.sweep().keys == 0
        again = world.new_run("a/1", key="k", key_age=10.0)
        assert stores.journal.start(again) == run

    def test_a_key_outlives_its_run_for_its_own_time(self, stores: Stores, world: World, later: Later) -> None:
        """Starting again under it starts nothing; when its time is over it starts anew."""
        run = ended(world, key="k", key_age=300.0)
        later(200.0)
        assert stores.pruning.prune() == 1
        assert stores.pruning.sweep().keys == 0
        assert stores.journal.start(world.new_run("a/1", key="k")) == run
        with pytest.raises(InputError):
            stores.journal.start(world.new_run("a/1", key="k", input_digest=b"other"))
        later(101.0)
        again = world.new_run("a/1", key="k", input_digest=b"other")
        assert stores.journal.start(again) == again.id

    def test_keys_that_count_no_more_are_swept(self, stores: Stores, world: World, later: Later) -> None:
        """A key without a time of its own never is."""
        ended(world, key="short", key_age=150.0)
        ended(world, key="forever")
        later(160.0)
        stores.pruning.prune()
        assert stores.pruning.sweep().keys == 1
        assert stores.pruning.sweep().keys == 0

    def test_batches_of_runs_that_never_started_are_swept(self, stores: Stores, world: World) -> None:
        """Their process died between storing and starting; the ids of this world say that it was long ago."""
        lost, running = world.run_id(), world.start("a/1")
        batch, mine = stored(stores, lost), stored(stores, running)
        stores.payloads.borrow(world.run_id(), running, [mine])
        assert stores.pruning.sweep().batches == 1
        with pytest.raises(PayloadLost):
            stores.payloads.get(lost, batch)
        assert stores.payloads.get(running, mine) == b"12345"
        assert stores.pruning.sweep().batches == 0

    def test_a_run_that_is_about_to_start_keeps_what_it_has_stored(self, stores: Stores, world: World) -> None:
        """Its id says that it was made just now."""
        soon = RunId("ffffffff-0000-7000-8000-000000000001")
        batch = stored(stores, soon)
        assert stores.pruning.sweep().batches == 0
        assert stores.payloads.get(soon, batch) == b"12345"
