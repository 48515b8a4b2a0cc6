"""What turnstiles do: runs get places, wait for them, and give them back, whoever races for them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from codemation.core.concurrency import Turnstile
from codemation.core.errors import RunInTheWay
from codemation.core.ids import RunId
from codemation.core.ports import Claim, Reopening, Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import patiently, together
from codemation.testing.conformance.world import Contract, World, states

ONE = Turnstile(name="flow", runs=1)


class PlaceContract(Contract):
    """Runs get places, one after the other."""

    def _started(self, world: World, turnstile: Turnstile = ONE, **changes: Any) -> RunId:
        return world.start("a/1", "b/1", turnstile=turnstile, **changes)

    def _held(self, world: World, run: RunId) -> Claim:
        """The only ticket that is left of a run, claimed."""
        last = world.take(run, "b/1")
        world.step(world.take(run, "a/1"), turnstile=None)
        return last

    def _end(self, world: World, run: RunId, status: RunStatus = RunStatus.SUCCEEDED) -> None:
        world.step(self._held(world, run), status=status, turnstile=world.row(run).turnstile)

    def _places(self, stores: Stores, name: str = "flow") -> list[str]:
        return [row.status.value for row in stores.turnstiles.at(name)]

    def test_a_run_that_gets_a_place_is_running_and_its_tickets_are_ready(self, stores: Stores, world: World) -> None:
        """With a free place nothing is different, but that nobody holds the first ticket yet."""
        run = self._started(world, claimed_by=world.worker())
        row = world.row(run)
        assert (row.status, row.turnstile, row.started_at is None) == (RunStatus.RUNNING, "flow", False)
        assert states(stores.runs.tickets(run)) == {"a/1": "ready", "b/1": "ready"}

    def test_a_run_without_a_place_is_queued_and_nothing_of_it_can_be_claimed(
        self, stores: Stores, world: World
    ) -> None:
        """It is recorded with all that it is, and waits."""
        self._started(world)
        second = self._started(world)
        row = world.row(second)
        assert (row.status, row.started_at) == (RunStatus.QUEUED, None)
        assert states(stores.runs.tickets(second)) == {"a/1": "waiting", "b/1": "waiting"}
        worker = world.worker()
        for ticket in stores.runs.tickets(second):
            assert stores.tickets.claim(worker, [world.lane()], ticket.id) is None
        stores.tickets.fire()
        assert states(stores.runs.tickets(second)) == {"a/1": "waiting", "b/1": "waiting"}
        assert stores.waits.open() == ()
        assert not stores.waits.answer("turnstile:flow", "{}", world.tickets("f")[0].id)
        assert second not in {one.run for one in stores.runs.unattended()}

    def test_the_end_of_a_run_lets_the_next_one_in(self, stores: Stores, world: World) -> None:
        """Whatever the end is: the place is free, and the next run has it."""
        first, second, third = (self._started(world) for _ in range(3))
        self._end(world, first, RunStatus.FAILED)
        assert world.row(second).status is RunStatus.RUNNING
        assert world.row(third).status is RunStatus.QUEUED
        assert states(stores.runs.tickets(second)) == {"a/1": "ready", "b/1": "ready"}
        self._end(world, second)
        self._end(world, third)
        assert self._places(stores) == []

    def test_ends_that_are_written_together_let_the_next_ones_in(self, stores: Stores, world: World) -> None:
        """A group of ends is what as many ends are."""
        two = replace(ONE, runs=2)
        runs = [self._started(world, two) for _ in range(4)]
        commits = [
            world.commit(self._held(world, run), status=RunStatus.SUCCEEDED, turnstile="flow") for run in runs[:2]
        ]
        assert stores.journal.steps(commits) == {commit.new_head for commit in commits}
        assert [world.row(run).status.value for run in runs] == ["succeeded", "succeeded", "running", "running"]

    def test_there_are_as_many_places_as_the_latest_run_says(self, stores: Stores, world: World) -> None:
        """A wider definition lets in more, a narrower one sends nobody away."""
        first, second = self._started(world), self._started(world)
        third = self._started(world, replace(ONE, runs=3))
        assert {world.row(run).status for run in (first, second, third)} == {RunStatus.RUNNING}
        fourth = self._started(world)
        self._end(world, first)
        self._end(world, second)
        assert world.row(fourth).status is RunStatus.QUEUED
        self._end(world, third)
        assert world.row(fourth).status is RunStatus.RUNNING

    def test_runs_with_other_names_do_not_count(self, world: World) -> None:
        """Each name has places of its own, and a run without one needs none."""
        self._started(world)
        other = self._started(world, replace(ONE, name="flow/eu"))
        assert world.row(other).status is RunStatus.RUNNING
        assert world.row(world.start("a/1")).turnstile is None

    def test_the_highest_priority_is_let_in_first_then_who_came_first(self, stores: Stores, world: World) -> None:
        """The order of the queue is that of urgency, and `at` tells it."""
        first = self._started(world)
        late = [self._started(world, priority=priority) for priority in (0, 5, 0, 5)]
        order = [late[1], late[3], late[0], late[2]]
        assert [row.id for row in stores.turnstiles.at("flow")] == [first, *order]
        assert [row.id for row in stores.turnstiles.at("flow", queued=False)] == [first]
        for run, following in zip([first, *order], order, strict=False):
            self._end(world, run)
            assert world.row(following).status is RunStatus.RUNNING

    def test_a_waiting_run_keeps_its_place(self, world: World) -> None:
        """What waits for the world is under way."""
        first, second = self._started(world), self._started(world)
        claim = self._held(world, first)
        world.step(claim, waits=(world.wait("b/1", "w", wait_key="w:1"),), status=RunStatus.WAITING)
        assert world.row(second).status is RunStatus.QUEUED

    def test_a_start_that_is_sent_twice_takes_one_place(self, stores: Stores, world: World) -> None:
        """Whoever lost the answer asks again, and has the one place."""
        run = world.new_run("a/1", turnstile=replace(ONE, runs=2))
        assert stores.journal.start(run) == stores.journal.start(run) == run.id
        assert world.row(self._started(world, replace(ONE, runs=2))).status is RunStatus.RUNNING
        assert self._places(stores) == ["running", "running"]

    def test_a_late_result_of_a_finished_run_gives_no_place_back_twice(self, stores: Stores, world: World) -> None:
        """A failed run whose other nodes still bring results has given its place back already."""
        first = self._started(world)
        other = world.take(first, "b/1")
        world.step(world.take(first, "a/1"), status=RunStatus.FAILED, turnstile="flow")
        second, third = self._started(world), self._started(world)
        world.step(other, status=RunStatus.FAILED, turnstile="flow")
        assert [world.row(run).status.value for run in (second, third)] == ["running", "queued"]

    def test_a_step_of_a_queued_run_leaves_it_queued(self, world: World) -> None:
        """A letter may be folded in it; that is no place. And once it was let in, a late folder does not undo that."""
        first, second = self._started(world), self._started(world)
        world.post(second)
        fold = world.claim_fold(second)
        world.step(fold, status=RunStatus.QUEUED)
        assert world.row(second).status is RunStatus.QUEUED
        world.post(second, "later")
        fold = world.claim_fold(second)
        self._end(world, first)
        world.step(fold, status=RunStatus.QUEUED, consumed=())
        assert world.row(second).status is RunStatus.RUNNING


class RefusalContract(Contract):
    """A turnstile that refuses starts nothing that would have to wait."""

    SKIP = replace(ONE, refuses=True)

    def test_a_run_too_many_is_refused_and_the_one_in_the_way_is_named(self, stores: Stores, world: World) -> None:
        """Nothing is recorded of it, neither run nor key."""
        first = world.start("a/1", turnstile=self.SKIP)
        with pytest.raises(RunInTheWay, match=first) as refused:
            world.start("a/1", turnstile=self.SKIP, key="k")
        assert refused.value.run == first
        assert [row.id for row in stores.runs.page()] == [first]
        world.step(world.take(first, "a/1"), status=RunStatus.SUCCEEDED, turnstile="flow")
        assert world.row(world.start("a/1", turnstile=self.SKIP, key="k")).status is RunStatus.RUNNING

    def test_the_same_key_gives_the_same_run_however_full_it_is(self, stores: Stores, world: World) -> None:
        """An idempotent start is no further run, nor is one that is sent twice."""
        run = world.new_run("a/1", turnstile=self.SKIP, key="k")
        assert stores.journal.start(run) == stores.journal.start(run) == run.id
        assert world.start("a/1", turnstile=self.SKIP, key="k") == run.id

    def test_of_racing_starts_as_many_win_as_there_are_places(self, stores: Stores, world: World) -> None:
        """However many ask at once."""
        two = replace(self.SKIP, runs=2)
        runs = [world.new_run("a/1", turnstile=two) for _ in range(6)]

        def start(number: int) -> bool:
            try:
                return stores.journal.start(runs[number]) == runs[number].id
            except RunInTheWay:
                return False

        assert together(*(partial(start, number) for number in range(6))).count(True) == 2
        assert len(stores.turnstiles.at("flow")) == 2


class AgainContract(Contract):
    """Cancelled, resumed and forgotten runs."""

    def _reopening(self, world: World, run: RunId, turnstile: Turnstile | None = ONE) -> Reopening:
        row = world.row(run)
        return Reopening(
            run=run,
            revision=row.revision,
            head=row.head,
            new_head=world.head(),
            delta=world.delta("again/1"),
            digest=row.digest,
            tickets=world.tickets("again/1"),
            claimed_by=world.worker(),
            turnstile=turnstile,
        )

    def _cancelled(self, world: World, run: RunId) -> None:
        world.cancel(run)
        world.step(world.claim_fold(run), status=RunStatus.CANCELLED, cancelling=True, turnstile="flow")

    def test_a_queued_run_can_be_cancelled_and_gives_nothing_back(self, stores: Stores, world: World) -> None:
        """It had no place; who stands behind it moves up, and does not get in."""
        first, second, third = (world.start("a/1", turnstile=ONE) for _ in range(3))
        self._cancelled(world, second)
        assert [row.id for row in stores.turnstiles.at("flow")] == [first, third]
        assert world.row(third).status is RunStatus.QUEUED

    def test_a_run_that_is_asked_to_stop_is_not_let_in(self, world: World) -> None:
        """The next one is."""
        first, second, third = (world.start("a/1", turnstile=ONE) for _ in range(3))
        world.cancel(second)
        self._cancelled(world, first)
        assert world.row(third).status is RunStatus.RUNNING
        world.step(world.claim_fold(second), status=RunStatus.CANCELLED, cancelling=True, turnstile="flow")
        assert world.row(third).status is RunStatus.RUNNING

    def test_the_end_of_a_cancelled_run_lets_the_next_one_in(self, world: World) -> None:
        """A place is a place."""
        first, second = (world.start("a/1", turnstile=ONE) for _ in range(2))
        self._cancelled(world, first)
        assert world.row(second).status is RunStatus.RUNNING

    def test_a_resumed_run_takes_a_place_again_or_waits(self, stores: Stores, world: World) -> None:
        """It had given its place back when it failed."""
        first = world.start("a/1", turnstile=ONE)
        world.step(world.take(first, "a/1"), status=RunStatus.FAILED, turnstile="flow")
        second = world.start("a/1", turnstile=ONE)
        assert stores.journal.reopen(self._reopening(world, first))
        assert world.row(first).status is RunStatus.QUEUED
        assert states(stores.runs.tickets(first)) == {"again/1": "waiting"}
        world.step(world.take(second, "a/1"), status=RunStatus.FAILED, turnstile="flow")
        assert world.row(first).status is RunStatus.RUNNING
        world.step(world.take(first, "again/1"), status=RunStatus.FAILED, turnstile="flow")
        assert stores.journal.reopen(self._reopening(world, second))
        assert world.row(second).status is RunStatus.RUNNING
        assert not stores.journal.reopen(replace(self._reopening(world, first), revision=1))

    def test_mending_changes_nothing_where_nothing_is_broken(self, stores: Stores, world: World) -> None:
        """The count is right, and nobody gets in who was not to."""
        world.start("a/1", turnstile=ONE)
        second = world.start("a/1", turnstile=ONE)
        assert stores.turnstiles.mend("flow") == 0
        assert world.row(second).status is RunStatus.QUEUED
        assert stores.turnstiles.mend("nobody's") == 0

    def test_a_place_whose_end_was_the_last_deed_of_a_process_is_found_and_given(
        self, stores: Stores, world: World
    ) -> None:
        """An end that lets nobody in, as that of a process that was killed right after it; nobody waits for ever."""
        turnstiles = [replace(ONE, name=name) for name in ("flow", "flow/eu", "flow/us")]
        inside = [world.start("a/1", turnstile=one) for one in turnstiles]
        queued = [world.start("a/1", turnstile=one) for one in turnstiles]
        for run in inside[:2]:
            world.step(world.take(run, "a/1"), status=RunStatus.SUCCEEDED, turnstile=None)
        assert stores.turnstiles.mend() == 2
        assert [world.row(run).status.value for run in queued] == ["running", "running", "queued"]
        assert stores.turnstiles.mend() == 0

    def test_under_a_crowd_no_place_is_taken_twice_and_nobody_is_forgotten(self, stores: Stores, world: World) -> None:
        """Starts, ends and cancels at once: never more inside than there are places, and in the end nobody waits."""
        two = Turnstile(name="flow", runs=2)
        runs = [world.new_run("a/1", turnstile=two) for _ in range(12)]
        workers = [world.worker() for _ in runs]
        fullest: list[int] = []

        def live(number: int) -> None:
            run = runs[number]
            stores.journal.start(run)
            for _ in patiently():
                there = stores.turnstiles.at("flow")
                fullest.append(sum(row.status is not RunStatus.QUEUED for row in there))
                claim = stores.tickets.claim(workers[number], [world.lane()], run.tickets[0].id)
                if claim is not None:
                    break
            assert claim is not None
            assert stores.journal.step(world.commit(claim, status=RunStatus.SUCCEEDED, turnstile="flow"))

        together(*(partial(live, number) for number in range(len(runs))))
        assert max(fullest) <= 2
        assert stores.turnstiles.at("flow") == ()
        assert {world.row(run.id).status for run in runs} == {RunStatus.SUCCEEDED}


class TurnstilesContract(PlaceContract, RefusalContract, AgainContract):
    """Places for runs."""
