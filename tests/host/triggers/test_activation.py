"""A workflow is armed when somebody says so, if nothing stands against it; new code of it is armed by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import codemation as cm
from codemation.core.ids import WorkflowId
from codemation.host.app import App
from codemation.host.triggers.activation import NotReady, activate, deactivate
from tests.host.triggers.conftest import Open
from tests.host.triggers.town import armed, go, rows, ticking
from tests.testing.clock import Clock


class Shop(cm.Credential):
    """What a node asks for."""

    name: str


def buy(item: int, shop: Shop) -> int:
    return item


def _breaks(tick: datetime) -> dict[str, object]:
    raise ZeroDivisionError("no such day")


@cm.poll(every="1m")
def counted(state: int | str) -> Any:
    yield state


def test_nothing_starts_before_it_is_activated_nor_after_it_was_deactivated(app: App, clock: Clock) -> None:
    flow = ticking(cm.every("1m"))
    app.upkeep.triggers.know({flow.id: flow})
    clock.later(3600)
    go(app)
    assert rows(app) == []
    activate(app, flow, "anna")
    (row,) = app.stores.armory.workflows()
    assert (row.by, row.digest) == ("anna", flow.digest)
    assert deactivate(app, WorkflowId("flow"), "bert")
    assert not deactivate(app, WorkflowId("flow"), "bert")
    clock.later(400 * 86400)
    go(app)
    assert rows(app) == []


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_armed(app: App) -> None:
    armed(app, cm.workflow("first", input=int).on(cm.webhook("/orders")).map(buy_nothing).build())
    wrong = (
        cm.workflow("wrong", input=int)
        .on(
            cm.webhook("/orders", methods=["POST", "PUT"]),
            cm.every("1h"),
            cm.cron("0 6 * * *", params=_breaks),
            counted,
        )
        .map(buy)
        .build()
    )
    with pytest.raises(NotReady) as caught:
        activate(app, wrong, "anna")
    said = caught.value.message
    assert 'shop of "buy" is nowhere' in said
    assert "cm.webhook('/orders')" in said
    assert 'its path is taken by "first"' in said
    assert "cm.every('1h')" in said
    assert "works on items of int" in said
    assert "its params cannot be made for" in said
    assert "ZeroDivisionError: no such day" in said
    assert "the state of @cm.poll counted cannot begin" in said
    assert [row.workflow for row in app.stores.armory.workflows()] == ["first"]
    with pytest.raises(NotReady, match="it has no triggers"):
        activate(app, cm.workflow("idle", input=int).map(buy_nothing).build(), "anna")


def buy_nothing(item: int) -> int:
    return item


def test_what_gives_an_item_needs_a_workflow_that_takes_one(app: App) -> None:
    source = cm.node(lambda: 1, id="source")
    flow = cm.workflow("deaf").on(cm.webhook("/orders")).then(source).build()
    with pytest.raises(NotReady, match='gives an item to each run, and "deaf" begins with nodes that make their own'):
        activate(app, flow, "anna")


def test_new_code_is_armed_by_itself_and_keeps_the_next_time_of_what_is_the_same(app: App) -> None:
    first = ticking(cm.every("1h"))
    armed(app, first)
    (before,) = app.stores.armory.triggers()
    second = (
        cm.workflow("flow")
        .on(cm.every("1h", overlap="skip"), cm.cron("0 6 * * *"), cm.webhook("/flow"))
        .map(cm.node(lambda item: 1, id="other"))
        .build()
    )
    app.upkeep.triggers.load({"flow": second})
    same, cron, webhook = app.stores.armory.triggers()
    assert (same.id, same.next_at, same.overlap) == (before.id, before.next_at, "skip")
    assert cron.next_at is not None
    assert (cron.next_at.hour, cron.next_at > datetime.now(UTC)) == (6, True)
    assert webhook.next_at is None
    (row,) = app.stores.armory.workflows()
    assert (row.digest, row.by) == (second.digest, "somebody")
    app.upkeep.triggers.load({"flow": ticking(cm.cron("0 7 * * *"))})
    assert [one.said for one in app.stores.armory.triggers() if one.active] == ["At 07:00 every day, UTC"]


def test_new_code_that_cannot_be_armed_is_told_of_and_leaves_the_old_armed(app: App) -> None:
    armed(app, ticking(cm.every("1h")))
    app.upkeep.triggers.load({"flow": ticking(cm.cron("0 6 * * *", params=_breaks))})
    (row,) = app.stores.armory.workflows()
    assert "ZeroDivisionError" in row.missing
    assert [one.kind for one in app.stores.armory.triggers() if one.active] == ["every"]
    app.upkeep.triggers.load({"flow": ticking(cm.cron("0 6 * * *"))})
    assert app.stores.armory.workflows()[0].missing == ""


def test_a_workflow_that_is_not_there_any_more_is_reported_and_stays_armed(app: App) -> None:
    flow = ticking(cm.every("1h"))
    armed(app, flow)
    app.upkeep.triggers.load({}, where="/app/workflows")
    (row,) = app.stores.armory.workflows()
    assert (row.active, row.missing) == (True, "/app/workflows has no workflow of this name")
    assert app.stores.armory.triggers()[0].active
    app.upkeep.triggers.load({"flow": flow})
    assert app.stores.armory.workflows()[0].missing == ""


def test_the_settings_arm_what_no_operator_has_disarmed(open_app: Open) -> None:
    app = open_app(activate="shop.*,flow")
    flows = {name: ticking(cm.every("1h"), name) for name in ("shop.sync", "flow", "other")}
    flows["shop.idle"] = cm.workflow("shop.idle", input=int).map(buy_nothing).build()
    app.upkeep.triggers.load(flows)
    assert [(row.workflow, row.by) for row in app.stores.armory.workflows()] == [
        ("flow", "settings"),
        ("shop.sync", "settings"),
    ]
    deactivate(app, WorkflowId("flow"), "anna")
    app.upkeep.triggers.load(flows)
    assert [row.active for row in app.stores.armory.workflows()] == [False, True]
