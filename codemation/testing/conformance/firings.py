"""The contract of runs that are owed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from codemation.core.ids import WorkflowId
from codemation.core.ports import Stores
from codemation.core.states import RunStatus
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.owed import OwedListContract
from codemation.testing.conformance.town import FLOW, FUTURE, PAST, Town, arm, source
from codemation.testing.conformance.world import World

Later = Callable[[float], None]


class FiringsContract(OwedListContract):
    """Runs that are owed."""

    def test_what_is_owed_is_claimed_by_one_of_all(self, stores: Stores, world: World) -> None:
        """Also when all of them come at once."""
        town = Town(stores, world)
        town.arm(source())
        assert stores.firings.owe("flow/poll", town.item("k", '{"n": 1}'), 3)
        assert not stores.firings.owe("flow/poll", town.item("k"))
        workers = [world.worker() for _ in range(4)]
        claimed = together(*(partial(stores.firings.claim, worker, ["flow/poll"]) for worker in workers))
        (firing,) = [one for found in claimed for one in found]
        assert (firing.trigger, firing.workflow, firing.kind, firing.key) == ("flow/poll", FLOW, "poll", "k")
        assert (json.loads(firing.item or ""), firing.chain, firing.tries, firing.serial) == ({"n": 1}, 3, 0, False)
        assert (firing.busy, firing.superseded, firing.overlap) == (None, False, "")

    def test_only_what_is_asked_for_is_claimed(self, stores: Stores, world: World) -> None:
        """Of the named triggers, the oldest first, so many at a time; or just one."""
        town = Town(stores, world)
        town.arm(source(), source("flow/other"))
        items = [town.item(str(number)) for number in range(4)]
        for item in items:
            stores.firings.owe("flow/poll", item)
        stores.firings.owe("flow/other", town.item("x"))
        assert [one.key for one in town.claim("flow/poll", only=items[3].id)] == ["3"]
        assert [one.key for one in town.claim("flow/poll", limit=2)] == ["0", "1"]
        assert [one.key for one in town.claim("flow/poll", limit=2)] == ["2"]
        assert town.claim("nothing") == ()

    def test_what_was_started_is_forgotten_and_known_at_its_trigger(self, stores: Stores, world: World) -> None:
        """Once, and again."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0)
        (firing,) = town.claim()
        run = town.start(firing)
        trigger = town.trigger("flow/every")
        assert (trigger.last_run, trigger.owed, trigger.error) == (run, 0, "")
        assert trigger.last_at is not None
        stores.firings.started(firing, world.run_id())
        assert town.trigger("flow/every").last_run == run
        assert stores.schedules.ticks("flow/every", PAST, FUTURE) == {PAST: run}

    def test_what_failed_is_said_and_tried_again_later(self, stores: Stores, world: World, later: Later) -> None:
        """The error goes when something is started."""
        town = Town(stores, world)
        town.arm(source())
        stores.firings.owe("flow/poll", town.item("k"))
        (firing,) = town.claim("flow/poll")
        stores.firings.failed(firing, "it broke", 100.0)
        assert town.trigger("flow/poll").error == "it broke"
        assert town.trigger("flow/poll").error_at is not None
        assert town.claim("flow/poll") == ()
        later(101.0)
        (again,) = town.claim("flow/poll")
        assert (again.tries, again.id) == (1, firing.id)
        town.start(again)
        assert town.trigger("flow/poll").error == ""

    def test_what_was_dropped_is_forgotten_with_a_reason_or_without(self, stores: Stores, world: World) -> None:
        """And never comes again."""
        town = Town(stores, world)
        town.arm(source())
        for key, why in (("a", ""), ("b", "a circle")):
            stores.firings.owe("flow/poll", town.item(key))
            (firing,) = town.claim("flow/poll")
            stores.firings.dropped(firing, why)
            assert town.trigger("flow/poll").error == why
        assert town.trigger("flow/poll").owed == 0

    def test_what_is_put_off_comes_later(self, stores: Stores, world: World, later: Later) -> None:
        """Without a word about it."""
        town = Town(stores, world)
        town.arm(source())
        stores.firings.owe("flow/poll", town.item("k"))
        (firing,) = town.claim("flow/poll")
        stores.firings.later(firing, 100.0)
        assert town.claim("flow/poll") == ()
        later(101.0)
        (again,) = town.claim("flow/poll")
        assert again.tries == 0

    def test_the_claims_of_the_dead_are_free(self, stores: Stores, world: World) -> None:
        """Those of the living are not."""
        town = Town(stores, world)
        town.arm(source())
        dead = world.worker()
        for key in "ab":
            stores.firings.owe("flow/poll", town.item(key))
        (mine,) = town.claim("flow/poll", limit=1)
        town.claim("flow/poll", worker=dead)
        assert stores.firings.free() == 0
        stores.workers.bury([dead])
        assert stores.firings.free() == 1
        (freed,) = town.claim("flow/poll")
        assert freed.key != mine.key

    def test_a_claim_whose_time_is_over_is_free(self, stores: Stores, world: World, later: Later) -> None:
        """Whoever had it may start the run still: by key it is the same."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0)
        town.claim(lease=100.0)
        later(101.0)
        assert town.claim() == ()
        assert stores.firings.free() == 1
        assert len(town.claim()) == 1

    def test_ticks_of_a_schedule_come_one_after_the_other(self, stores: Stores, world: World) -> None:
        """The oldest first; none while one is claimed, nor while the run of the last is not over."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0, 1)
        workers = [world.worker() for _ in range(4)]
        claimed = together(*(partial(stores.firings.claim, worker, ["flow/every"]) for worker in workers))
        (first,) = [one for found in claimed for one in found]
        assert (first.at, first.serial, first.superseded) == (PAST, True, True)
        assert town.claim() == ()
        claim = world.held("a/1")
        stores.firings.started(first, claim.run)
        assert town.claim() == ()
        world.step(claim, status=RunStatus.SUCCEEDED)
        (second,) = town.claim()
        assert (second.at, second.superseded) == (PAST + timedelta(minutes=1), False)

    def test_a_schedule_that_does_not_queue_is_told_who_is_busy(self, stores: Stores, world: World) -> None:
        """What becomes of it is for whoever claims it to say."""
        town = Town(stores, world)
        for overlap in ("skip", "replace"):
            town.arm(arm(overlap, overlap=overlap))
            town.owe_ticks(0, 1)
            (first,) = town.claim(overlap)
            run = town.start(first)
            (second,) = town.claim(overlap)
            assert (second.busy, second.overlap) == (run, overlap)
            stores.firings.dropped(second, "")

    def test_a_tick_that_fails_lets_others_pass(self, stores: Stores, world: World) -> None:
        """It is started when its own time has come again."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0, 1)
        (first,) = town.claim()
        stores.firings.failed(first, "it broke", 1000.0)
        (second,) = town.claim()
        assert second.at == PAST + timedelta(minutes=1)

    def test_what_stands_apart_waits_for_nobody(self, stores: Stores, world: World) -> None:
        """And is not the last run of its schedule."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0)
        (first,) = town.claim()
        run = town.start(first)
        for tick in town.ticks(3, 4):
            assert stores.schedules.owe("flow/every", tick, serial=False)
        apart = town.claim()
        assert [one.serial for one in apart] == [False, False]
        town.start(apart[0])
        assert town.trigger("flow/every").last_run == run

    def test_a_run_is_found_by_the_key_that_started_it(self, stores: Stores, world: World) -> None:
        """In its own workflow."""
        run = world.start("a/1", key="k")
        assert stores.firings.run_of(world.flow.workflow, "k") == run
        assert stores.firings.run_of(WorkflowId("other"), "k") is None
        assert stores.firings.run_of(world.flow.workflow, "other") is None
