"""The contracts of what is armed, and of the ticks of schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from codemation.core.ids import WorkflowId
from codemation.core.ports import Stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.town import DIGEST, EVERY, FLOW, FUTURE, PAST, Town, arm, listener
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class ArmoryContract(Contract):
    """Which triggers are armed."""

    def test_what_is_armed_is_told_as_it_was_given(self, stores: Stores, world: World) -> None:
        """By workflow and number."""
        town = Town(stores, world)
        second = listener("flow/finished", "finished", "other", "failed")
        town.arm(replace(second, number=2, said="other has failed"), arm(said="every minute"))
        one, two = stores.armory.triggers(FLOW)
        assert (one.id, one.kind, one.said, one.overlap, one.next_at) == (
            "flow/every", "every", "every minute", "queue", PAST,
        )  # fmt: skip
        assert (two.subject, two.outcome, two.config, two.active) == ("other", "failed", {}, True)
        assert (one.config, one.last_at, one.last_run, one.error, one.owed) == (EVERY, None, None, "", 0)
        (row,) = stores.armory.workflows()
        assert (row.workflow, row.digest, row.active, row.by) == (FLOW, DIGEST, True, "somebody")
        assert stores.armory.triggers(WorkflowId("other")) == ()

    def test_one_that_is_armed_again_keeps_its_next_time(self, stores: Stores, world: World) -> None:
        """Whatever else of it has changed; one that is not named any more is not armed."""
        town = Town(stores, world)
        town.arm(arm(), arm("flow/cron"))
        town.arm(arm(next_at=FUTURE, said="anew", overlap="skip"))
        again = town.trigger("flow/every")
        assert (again.next_at, again.said, again.overlap) == (PAST, "anew", "skip")
        gone = town.trigger("flow/cron")
        assert (gone.active, gone.next_at) == (False, None)

    def test_one_that_was_disarmed_begins_anew(self, stores: Stores, world: World) -> None:
        """So that what passed meanwhile is not made up for."""
        town = Town(stores, world)
        town.arm(arm())
        assert stores.armory.disarm(FLOW, "other")
        assert not stores.armory.disarm(FLOW, "other")
        assert not town.trigger("flow/every").active
        assert stores.schedules.due() == ()
        (row,) = stores.armory.workflows()
        assert (row.active, row.by) == (False, "other")
        town.arm(arm(next_at=FUTURE))
        assert town.trigger("flow/every").next_at == FUTURE

    def test_who_listens_is_found_by_what_he_listens_to(self, stores: Stores, world: World) -> None:
        """As long as it is armed."""
        town = Town(stores, world)
        town.arm(listener("a", "webhook", "/x"), listener("b", "webhook", "/y"), listener("c", "dataset", "/x"), arm())
        assert stores.armory.listening("webhook", "/x") == {"a"}
        assert stores.armory.listening("webhook", "") == frozenset()
        stores.armory.disarm(FLOW, "")
        assert stores.armory.listening("webhook", "/x") == frozenset()

    def test_what_is_entered_is_not_armed(self, stores: Stores, world: World) -> None:
        """It can owe runs; what is armed stays so, with all that it knows."""
        town = Town(stores, world)
        stores.armory.enter(FLOW, [arm()])
        assert not town.trigger("flow/every").active
        assert stores.schedules.due() == ()
        assert stores.armory.workflows() == ()
        assert stores.schedules.owe("flow/every", town.ticks(0)[0], serial=False)
        assert len(town.claim()) == 1
        town.arm(arm())
        stores.armory.enter(FLOW, [arm(said="other")])
        assert (town.trigger("flow/every").active, town.trigger("flow/every").said) == (True, "")

    def test_who_has_looked_in_vain_is_noted_until_it_is_found(self, stores: Stores, world: World) -> None:
        """Of what is armed alone."""
        town = Town(stores, world)
        stores.armory.miss(FLOW, "nowhere")
        assert stores.armory.workflows() == ()
        town.arm(arm())
        stores.armory.miss(FLOW, "nowhere")
        assert stores.armory.workflows()[0].missing == "nowhere"
        town.arm(arm())
        assert stores.armory.workflows()[0].missing == ""


class SchedulesContract(Contract):
    """Ticks of schedules."""

    def test_a_tick_and_what_is_owed_for_it_are_one(self, stores: Stores, world: World) -> None:
        """And the next time with them."""
        town = Town(stores, world)
        town.arm(arm())
        due = town.due()
        assert (due.trigger, due.next_at, due.owed, due.config) == ("flow/every", PAST, 0, EVERY)
        assert due.now > PAST
        assert town.owe_ticks(0, 1) == 2
        assert stores.schedules.due() == ()
        assert town.trigger("flow/every").owed == 2
        assert stores.schedules.ticks("flow/every", PAST, FUTURE) == {
            PAST: None,
            PAST + timedelta(minutes=1): None,
        }

    def test_a_schedule_is_moved_on_by_one_of_all(self, stores: Stores, world: World) -> None:
        """Whoever comes too late does nothing; nor does whoever moves one that was disarmed."""
        town = Town(stores, world)
        town.arm(arm())
        due, each = town.due(), [town.ticks(0, 1) for _ in range(4)]
        owed = together(*(partial(stores.schedules.advance, due, ticks, FUTURE) for ticks in each))
        assert sorted(owed, key=str) == [2, None, None, None]
        assert town.trigger("flow/every").owed == 2
        town.arm(arm("flow/cron"))
        other = town.due()
        stores.armory.disarm(FLOW, "")
        assert stores.schedules.advance(other, town.ticks(5), FUTURE) is None

    def test_a_tick_is_owed_once(self, stores: Stores, world: World) -> None:
        """Also when a clock was set back, and when it was started and forgotten."""
        town = Town(stores, world)
        town.arm(arm())
        assert town.owe_ticks(0, 1, next_at=PAST + timedelta(minutes=2)) == 2
        assert town.owe_ticks(1, 2) == 1
        (first,) = town.claim()
        town.start(first)
        assert not stores.schedules.owe("flow/every", replace(town.ticks(0)[0]), serial=True)
        assert not stores.schedules.owe("flow/every", town.ticks(1)[0], serial=True)
        assert stores.schedules.owe("flow/every", town.ticks(7)[0], serial=True)

    def test_a_tick_that_was_passed_over_may_be_owed_by_hand(self, stores: Stores, world: World) -> None:
        """As in a backfill."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0)
        (firing,) = town.claim()
        stores.firings.dropped(firing, "")
        assert stores.schedules.owe("flow/every", town.ticks(0)[0], serial=False)
        (again,) = town.claim()
        assert (again.key, again.serial) == (firing.key, False)

    def test_ticks_know_their_runs(self, stores: Stores, world: World) -> None:
        """From a time on, and before another."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0, 1)
        (first,) = town.claim()
        run = town.start(first)
        assert stores.schedules.ticks("flow/every", PAST, PAST + timedelta(minutes=1)) == {PAST: run}
        assert stores.schedules.ticks("other", PAST, FUTURE) == {}

    def test_a_tick_is_forgotten_when_its_run_is_gone(self, stores: Stores, world: World) -> None:
        """Neither one whose run is there, nor one that is owed."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0, 1, 2)
        first, *_ = town.claim()
        stores.firings.started(first, world.run_id())  # which was pruned since
        (second,) = town.claim()
        town.start(second)
        assert stores.schedules.forget(1e9) == 0
        assert stores.schedules.forget(60.0) == 1
        assert stores.schedules.forget(60.0) == 0
        assert set(stores.schedules.ticks("flow/every", PAST, FUTURE)) == {
            PAST + timedelta(minutes=1),
            PAST + timedelta(minutes=2),
        }
