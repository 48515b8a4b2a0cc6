"""Requests find the workflow that listens, as it is armed now, and start one run for each key."""

from __future__ import annotations

import pytest

import codemation as cm
from codemation.core.errors import InputError
from codemation.core.ids import WorkflowId
from codemation.host.app import App
from codemation.host.triggers.activation import deactivate
from codemation.host.triggers.webhooks import find_webhook, fire
from tests.host.triggers.town import armed, rows, settle


def take(item: int) -> int:
    return item


orders = (
    cm.workflow("orders", input=int)
    .on(cm.webhook("/orders", methods=["POST", "PUT"], auth=cm.token("orders-token")))
    .map(take)
    .build()
)
reads = cm.workflow("reads", input=int).on(cm.webhook("/orders", methods="GET")).map(take).build()


def test_a_path_is_found_by_its_method_as_long_as_it_is_armed(app: App) -> None:
    armed(app, orders, reads)
    found = find_webhook(app, "/orders", "post").webhook
    assert found is not None
    assert (found.workflow.id, found.plan.config["auth"]) == ("orders", {"kind": "token", "secret": "orders-token"})
    other = find_webhook(app, "/orders", "GET").webhook
    assert other is not None
    assert other.workflow.id == "reads"
    refused = find_webhook(app, "/orders", "DELETE")
    assert (refused.webhook, refused.methods) == (None, ("GET", "POST", "PUT"))
    assert find_webhook(app, "/nothing", "POST").methods == ()
    deactivate(app, WorkflowId("orders"), "anna")
    assert find_webhook(app, "/orders", "POST").methods == ("GET",)


def test_a_request_starts_a_run_and_one_for_each_key(app: App) -> None:
    armed(app, orders)
    webhook = find_webhook(app, "/orders", "POST").webhook
    assert webhook is not None
    first = fire(app, webhook, 7, key="abc")
    assert fire(app, webhook, 7, key="abc").id == first.id
    assert fire(app, webhook, 7).id != first.id
    settle(app)
    assert len(rows(app)) == 2
    assert (rows(app)[0].origin or {})["trigger"] == webhook.trigger
    with pytest.raises(InputError, match="with another input"):
        fire(app, webhook, 8, key="abc")
    with pytest.raises(InputError, match="do not fit int"):
        fire(app, webhook, "seven")
