"""`codemation prune`: what is over is shown, and deleted by hand."""

from __future__ import annotations

import json

from tests.cli.shop import Shop


def test_runs_whose_time_is_over_are_shown_and_then_deleted(shop: Shop) -> None:
    shop.codemation("prune")
    shop.codemation("run", "orders", CODEMATION_KEEP_SUCCEEDED="1ms")
    shown = shop.codemation("prune", "--dry-run")
    assert "orders" in shown.stdout
    assert "succeeded" in shown.stdout
    assert "1 runs would be deleted" in shown.stderr
    (found,) = json.loads(shop.codemation("prune", "--dry-run", "--json").stdout)["outdated"]
    assert (found["workflow"], found["status"], found["runs"]) == ("shop.orders", "succeeded", 1)
    assert "1 runs deleted" in shop.codemation("prune").stderr
    again = shop.codemation("prune")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "there was nothing to delete" in again.stderr
