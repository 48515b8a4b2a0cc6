"""The contract of what people are told of runs that are owed, and of past ticks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from codemation.core.ids import WorkflowId
from codemation.core.ports import Stores
from codemation.testing.conformance.town import PAST, Town, arm, source
from codemation.testing.conformance.world import Contract, World

Later = Callable[[float], None]


class OwedListContract(Contract):
    """What is owed and what was dealt with is listed page by page."""

    def test_what_is_owed_is_listed_page_by_page(self, stores: Stores, world: World, later: Later) -> None:
        """The latest first, of all or of a workflow or a trigger, with what went wrong and who is at it."""
        town = Town(stores, world)
        town.arm(source(), source("flow/other"))
        town.arm(source("second/poll"), workflow=WorkflowId("second"))
        for number, trigger in enumerate(["flow/poll", "flow/other", "second/poll"]):
            stores.firings.owe(trigger, town.item(str(number)))
            later(1.0)
        page = stores.firings.page
        last, *_ = everything = page()
        assert [(one.key, one.trigger, one.kind) for one in everything] == [
            ("2", "second/poll", "poll"),
            ("1", "flow/other", "poll"),
            ("0", "flow/poll", "poll"),
        ]
        assert page(limit=2) == everything[:2]
        assert page(limit=2, before=everything[1].id) == everything[2:]
        assert page(before=town.uuid()) == ()
        assert (last.workflow, last.tries, last.error, last.taken) == ("second", 0, "", False)
        assert [one.key for one in page(workflow="flow")] == ["1", "0"]
        assert [one.key for one in page(trigger="flow/poll")] == ["0"]
        (firing,) = town.claim("flow/poll")
        assert [one.taken for one in page(trigger="flow/poll")] == [True]
        stores.firings.failed(firing, "it broke", 100.0)
        (failed,) = page(trigger="flow/poll")
        assert (failed.tries, failed.error, failed.taken) == (1, "it broke", False)
        assert failed.due_at > failed.at

    def test_past_ticks_are_listed_page_by_page(self, stores: Stores, world: World) -> None:
        """The latest first, with their runs; without one they are owed, or were left out."""
        town = Town(stores, world)
        town.arm(arm())
        town.owe_ticks(0, 1, 2)
        (firing,) = town.claim()
        run = town.start(firing)
        ticks = stores.schedules.past("flow/every")
        assert [(one.run, one.owed) for one in ticks] == [(None, True), (None, True), (run, False)]
        assert [one.at for one in ticks] == [PAST + timedelta(minutes=2), PAST + timedelta(minutes=1), PAST]
        assert stores.schedules.past("flow/every", ticks[0].at, 1) == ticks[1:2]
        assert stores.schedules.past("nothing") == ()
