"""Triggers that are fired over HTTP, ticks that are made up for, and what is told of what is owed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.web.serving import Site, Web, await_that, open_site

CLOCK = """
from datetime import datetime

import codemation as cm


class Day(cm.Params):
    day: str = ""


@cm.node
def note(params: Day) -> str:
    return params.day


@cm.node
def after() -> str:
    return "after"


@cm.node
def take(item: dict) -> dict:
    return item


def of(tick: datetime) -> dict:
    if tick.year == 2020:
        raise ZeroDivisionError("no such year")
    return {"day": tick.date().isoformat()}


daily = cm.workflow("clock.daily", params=Day).on(cm.cron("0 6 * * *", timezone="UTC", params=of)).then(note).build()
often = cm.workflow("clock.often", params=Day).on(cm.every("1m")).then(note).build()
behind = cm.workflow("clock.behind").on(daily.finished()).then(after).build()
taken = cm.workflow("clock.taken", input=dict).on(cm.webhook("/taken")).then(take).build()
plain = cm.workflow("clock.plain").then(after).build()
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(clock=CLOCK) as site:
        yield site


def _day(run: str, web: Web) -> str:
    return str(web.ended(run)["params"]["day"])


def test_a_tick_is_fired_once(web: Web, site: Site) -> None:
    answer = web.post("/workflows/clock.daily/fire", {"at": "2026-02-01T06:00:00Z"})
    assert answer.status_code == 201, answer.text
    run = answer.json()["id"]
    shown = web.ended(run)
    assert (shown["status"], shown["params"], shown["started_by"]) == ("succeeded", {"day": "2026-02-01"}, "api local")
    again = web.post("/workflows/clock.daily/fire", {"at": "2026-02-01T07:00:00+01:00"})
    assert (again.status_code, "has run" in again.json()["detail"]) == (422, True)
    deeds = json.loads(site.codemation("audit", "list", "--json", "--action", "triggers.fire").stdout)
    assert [(one["target"], one["outcome"]) for one in deeds] == [
        ("clock.daily", "urn:codemation:problem:input-error"),
        (run, "done"),
    ]
    assert deeds[1]["detail"]["at"] == "2026-02-01T06:00:00Z"


def test_an_item_and_a_run_set_off_what_takes_them(web: Web) -> None:
    taken = web.post("/workflows/clock.taken/fire", {"item": {"id": 7}}).json()["id"]
    assert web.ended(taken)["status"] == "succeeded"
    assert web.get(f"/runs/{taken}/nodes/take/outputs/main").json()["items"] == [{"id": 7}]
    refused = web.post("/workflows/clock.behind/fire", {"run": taken})
    assert (refused.status_code, "is not set off by run" in refused.text) == (422, True)
    daily = web.post("/workflows/clock.daily/fire", {"at": "2026-02-02T06:00:00Z"}).json()["id"]
    web.ended(daily)
    behind = web.post("/workflows/clock.behind/fire", {"run": daily}).json()["id"]
    assert web.ended(behind)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("workflow", "given", "status", "said"),
    [
        ("clock.plain", {}, 422, "no trigger"),
        ("clock.daily", {"trigger": 9}, 422, "no such trigger"),
        ("clock.daily", {"item": 1}, 422, "not set off by an item"),
        ("clock.daily", {"at": "2026-02-01T06:00:00"}, 422, "timezone"),
        ("clock.daily", {"at": "0001-01-01T00:00:00+14:00"}, 422, "years 1970 to 2199"),
        ("clock.daily", {"at": "2020-02-01T06:00:00Z"}, 422, "ZeroDivisionError: no such year"),
        ("clock.behind", {}, 422, "follows another run"),
        ("clock.behind", {"run": "0198a1f0-5a3c-7d21-9f00-3b1f6e2a4c55"}, 404, "no run"),
        ("clock.taken", {"item": 1}, 422, "do not fit"),
        ("clock.lost", {}, 404, "no workflow"),
    ],
)
def test_what_cannot_be_fired_is_refused_and_owes_nothing(
    web: Web, workflow: str, given: dict[str, object], status: int, said: str
) -> None:
    answer = web.post(f"/workflows/{workflow}/fire", given)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert web.get("/firings").json()["items"] == []


def test_ticks_are_made_up_for_once(web: Web, site: Site) -> None:
    span = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-06T00:00:00Z"}
    first = web.post("/workflows/clock.daily/fire", {"at": "2026-03-02T06:00:00Z"}).json()["id"]
    plan = web.post("/workflows/clock.daily/backfill", {**span, "dry_run": True}).json()
    assert (len(plan["ticks"]), plan["had_runs"], plan["owed"]) == (4, 1, 0)
    assert web.get("/firings").json()["items"] == []
    answer = web.post("/workflows/clock.daily/backfill", span)
    assert (answer.status_code, answer.json()["owed"]) == (202, 4)
    assert web.post("/workflows/clock.daily/backfill", span).json()["owed"] == 0

    def runs() -> list[str] | None:
        page = web.get("/ticks", params={"trigger": plan["trigger"], "before": span["until"], "limit": 5}).json()
        there = [one["run"] for one in page["items"]]
        return there if all(there) and not any(one["owed"] for one in page["items"]) else None

    there = await_that(runs)
    assert [_day(run, web) for run in there] == [f"2026-03-0{day}" for day in (5, 4, 3, 2, 1)]
    assert (there[3], web.get("/firings").json()["items"]) == (first, [])
    assert web.post("/workflows/clock.daily/backfill", span).json() == {**plan, "ticks": [], "had_runs": 5}
    deeds = json.loads(site.codemation("audit", "list", "--json", "--action", "triggers.backfill").stdout)
    assert (deeds[-1]["detail"]["ticks"], {one["outcome"] for one in deeds}) == (4, {"done"})


def test_too_many_ticks_at_a_time_are_refused(web: Web) -> None:
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    answer = web.post("/workflows/clock.often/backfill", span)
    assert (answer.status_code, "1,440 ticks" in answer.json()["detail"]) == (422, True)
    backwards = {"since": span["until"], "until": span["since"]}
    assert web.post("/workflows/clock.often/backfill", backwards).status_code == 422
    assert web.post("/workflows/clock.taken/backfill", span).status_code == 422


def test_ticks_are_listed_page_by_page(web: Web) -> None:
    for day in (1, 2, 3):
        assert web.post("/workflows/clock.daily/fire", {"at": f"2025-05-0{day}T06:00:00Z"}).status_code == 201
    trigger = next(one["id"] for one in web.get("/triggers", params={"workflow": "clock.daily"}).json()["items"])
    seen, before = list[str](), "2025-06-01T00:00:00Z"
    while before:
        page = web.get("/ticks", params={"trigger": trigger, "before": before, "limit": 2}).json()
        seen += [one["at"] for one in page["items"]]
        before = page["next"]
    assert seen[:3] == [f"2025-05-0{day}T06:00:00.000Z" for day in (3, 2, 1)]
    assert web.get("/ticks", params={"trigger": "nothing"}).json() == {"items": [], "next": None}
    assert datetime.fromisoformat(seen[0]).tzinfo == UTC
