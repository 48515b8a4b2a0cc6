"""`codemation workflows activate`, `triggers`, `trigger`, `backfill` and `duties`, as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from codemation.host.identity import user_at_host
from tests.cli.shop import Shop, open_shop

DAILY = """
from collections.abc import Iterator

import codemation as cm


class Params(cm.Params):
    day: str = ""


@cm.node
def load(params: Params) -> str:
    if params.day == "2026-03-03":
        raise ValueError("no such day")
    return params.day


def by_tick(tick):
    return {"day": f"{tick:%Y-%m-%d}"}


daily = (
    cm.workflow("sales.daily", params=Params)
    .on(cm.cron("0 6 * * *", timezone="Europe/Berlin", params=by_tick))
    .then(load)
    .build()
)


@cm.node
def take(item: dict) -> int:
    return item["n"]


@cm.poll(every="5m")
def inbox(state: dict) -> Iterator[dict]:
    yield {"n": 1}


mails = cm.workflow("mails").on(inbox, cm.webhook("/mails")).map(take).build()
broken = cm.workflow("broken", params=Params).on(cm.every("1h", params=lambda tick: {"day": 1 / 0})).then(load).build()
after = cm.workflow("after", params=Params).on(daily.finished()).then(load).build()
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        (opened.folder / "workflows" / "daily.py").write_text(DAILY)
        yield opened


def listed(shop: Shop, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shop.codemation(*words, "--json").stdout)
    return found


def test_a_workflow_is_activated_and_listed_and_deactivated(shop: Shop) -> None:
    done = shop.codemation("workflows", "activate", "daily")
    assert done.exit_code == 0, done.stderr
    assert "✓ 1  At 06:00 every day, Europe/Berlin" in done.stderr
    assert "sales.daily is active" in done.stderr
    shown = shop.codemation("triggers", "list").stdout
    assert "sales.daily" in shown
    assert "never" in shown
    (trigger,) = listed(shop, "triggers", "list", "sales.daily")
    assert (trigger["active"], trigger["kind"], trigger["owed"]) == (True, "cron", 0)
    mistyped = shop.codemation("workflows", "deactivate", "sales.dayly")
    assert mistyped.exit_code == 2
    assert "did you mean 'sales.daily'?" in mistyped.stderr
    assert shop.codemation("workflows", "deactivate", "sales.daily").exit_code == 0
    assert "no trigger is armed; arm those of a workflow" in shop.codemation("triggers", "list").stderr
    assert "not armed" in shop.codemation("triggers", "list", "--all").stdout


def test_what_stands_against_it_is_told(shop: Shop) -> None:
    refused = shop.codemation("workflows", "activate", "broken")
    assert refused.exit_code == 3
    assert '"broken" cannot be activated' in refused.stderr
    assert "ZeroDivisionError" in refused.stderr
    assert "put this right and activate it again; nothing was armed" in refused.stderr


def test_a_tick_is_fired_by_hand_and_its_run_says_so(shop: Shop) -> None:
    done = shop.codemation("trigger", "daily", "--at", "2026-02-01T06:00", "--quiet")
    assert (done.exit_code, "2026-02-01" in done.stdout) == (0, True)
    assert "started by" in (shown := shop.codemation("runs", "show", "last").stdout)
    assert "2026-02-01T05:00:00+00:00" in shown
    assert f"by cli {user_at_host()}" in shown
    assert json.loads(shop.codemation("runs", "show", "last", "--json").stdout)["origin"]["at"].startswith("2026-02-01")
    again = shop.codemation("trigger", "daily", "--at", "2026-02-01T06:00+01:00")
    assert again.exit_code == 2
    assert "has run" in again.stderr
    odd = shop.codemation("trigger", "daily", "--at", "noon")
    assert (odd.exit_code, "'noon' is no time" in odd.stderr) == (2, True)


def test_an_item_is_fired_by_hand_at_the_trigger_that_is_meant(shop: Shop) -> None:
    unsaid = shop.codemation("trigger", "mails", "--item", '{"n": 7}')
    assert unsaid.exit_code == 2
    assert "there are 2 triggers" in unsaid.stderr
    assert "say which one: --trigger N" in unsaid.stderr
    done = shop.codemation("trigger", "mails", "--trigger", "2", "--item", '{"n": 7}', "--json")
    told = json.loads(done.stdout)
    assert (told["status"], told["workflow"]) == ("succeeded", "mails")
    assert next(iter(told["outputs"].values())) == [7]
    wrong = shop.codemation("trigger", "mails", "--trigger", "2", "--item", "{n}")
    assert (wrong.exit_code, "the item is not JSON" in wrong.stderr) == (2, True)
    follows = shop.codemation("trigger", "after")
    assert (follows.exit_code, "say which: --run RUN" in follows.stderr) == (2, True)


def test_missing_ticks_are_shown_and_run_and_those_that_failed_are_told(shop: Shop) -> None:
    march = ("--from", "2026-03-01", "--to", "2026-03-05")
    plan = shop.codemation("backfill", "daily", *march, "--dry-run")
    assert plan.stdout.splitlines() == [f"2026-03-0{day}T05:00:00+00:00" for day in range(1, 5)]
    assert "4 ticks would be run; 0 have their run" in plan.stderr
    done = shop.codemation("backfill", "daily", *march, "--concurrency", "2", "--json")
    assert done.exit_code == 1
    ticks = json.loads(done.stdout)["ticks"]
    assert sorted(tick["status"] for tick in ticks) == ["failed", "succeeded", "succeeded", "succeeded"]
    again = shop.codemation("backfill", "daily", *march)
    assert again.exit_code == 0
    assert "nothing was missing; 4 had their run before" in again.stderr


def test_duties_are_listed_with_nobody_at_work(shop: Shop) -> None:
    shown = shop.codemation("duties", "list").stdout
    assert [line.split()[0] for line in shown.splitlines()[1:]] == [
        "recover", "fire", "schedule", "poll", "prune", "compact",
    ]  # fmt: skip
    assert {row["name"] for row in listed(shop, "duties", "list")} >= {"fire", "prune"}
