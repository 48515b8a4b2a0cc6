"""Decisions: over the API, and on a page that a link leads to."""

from __future__ import annotations

import json
import re
from typing import Any

from codemation.host.links import link_token
from codemation.host.settings import Settings
from tests.web.serving import Site, Web, await_that


def _asked(web: Web, amount: int = 1) -> tuple[str, dict[str, Any]]:
    """A run that asks, and what it asks."""
    run = web.start("shop.asked", items=[{"sku": "A", "amount": amount}])
    web.ended(run, "waiting")
    (wait,) = await_that(lambda: web.get("/waits", params={"run": run}).json()["items"] or None)
    return run, wait


def _link(web: Web, wait: str, who: str = "ada") -> str:
    answer = web.post("/decisions/links", {"wait": wait, "who": who})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


def test_what_is_asked_is_listed_and_decided_once(web: Web) -> None:
    run, wait = _asked(web)
    assert (wait["kind"], wait["title"], wait["to"], wait["item"]) == ("approval", "Really?", ["ada"], 0)
    assert wait["form"]["required"] == ["note"]
    assert wait["item_text"] == "sku=A, amount=1"
    given = {"wait": wait["id"], "approved": True}
    assert web.post("/decisions", given).status_code == 422
    assert web.post("/decisions", {**given, "fields": {"note": "x", "rating": "many"}}).status_code == 422
    taken = web.post("/decisions", {**given, "fields": {"note": "fine"}})
    assert (taken.status_code, taken.json()["by"]) == (201, "local")
    again = web.post("/decisions", {**given, "fields": {"note": "fine"}})
    assert (again.status_code, again.json()["type"]) == (409, "urn:codemation:problem:already-decided")
    assert web.ended(run)["status"] == "succeeded"
    items = web.get(f"/runs/{run}/nodes/approve/outputs/main").json()["items"]
    assert items[0]["by"] == "local"
    assert web.post("/decisions", {**given, "wait": f"{run}/nothing/1/0"}).status_code == 404


def test_a_link_shows_a_page_that_needs_nothing_else(web: Web) -> None:
    _, wait = _asked(web, 7)
    page = web.client.get(_link(web, wait["id"]))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r"(?:src|href|action|url\()\s*=?", page.text) == []
    assert "<script" not in page.text
    for part in ("Really?", "you decide as ada", '"amount": 7', 'name="note"', 'type="number"', 'value="3"'):
        assert part in page.text
    assert web.get("/waits", params={"run": wait["run"]}).json()["items"] == [wait]


def test_the_bearer_of_a_link_decides_once(web: Web) -> None:
    run, wait = _asked(web)
    link = _link(web, wait["id"])
    wrong = web.client.post(link, data={"decision": "approve", "note": "", "rating": "many"})
    assert wrong.status_code == 422
    assert "this is not a number" in wrong.text
    unsaid = web.client.post(link, data={"note": "<b>"})
    assert (unsaid.status_code, "&lt;b&gt;" in unsaid.text) == (422, True)
    foreign = web.client.post(link, data={"decision": "approve"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    taken = web.client.post(link, data={"decision": "approve", "note": "fine", "rating": "5"})
    assert (taken.status_code, "You have approved this as ada" in taken.text) == (200, True)
    assert web.ended(run)["status"] == "succeeded"
    (item,) = web.get(f"/runs/{run}/nodes/approve/outputs/main").json()["items"]
    assert (item["by"], item["decision"]) == ("ada", {"note": "fine", "rating": 5})
    for again in (web.client.get(link), web.client.post(link, data={"decision": "reject"})):
        assert (again.status_code, "decided before" in again.text) == (409, True)


def test_a_changed_link_entitles_nobody(web: Web) -> None:
    _, wait = _asked(web)
    link = _link(web, wait["id"])
    for changed in (f"{link[:-3]}abc", link.replace("/decide/", "/decide/x"), "/decide/x", "/decide/%00.%ff"):
        assert web.client.get(changed).status_code == 403
        assert web.client.post(changed, data={"decision": "approve"}).status_code == 403
    token = link.rpartition("/")[2]
    assert token not in "".join(web.said)
    assert web.post("/decisions/links", {"wait": wait["id"] + "1", "who": "ada"}).status_code == 404


def test_what_is_late_is_gone(web: Web, site: Site) -> None:
    run = web.start("shop.hasty", items=[{"sku": "A", "amount": 1}])
    assert web.ended(run)["status"] == "succeeded"
    wait = f"{run}/approve/1/0"
    refused = web.post("/decisions", {"wait": wait, "approved": True})
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:codemation:problem:decision-expired")
    link = f"/decide/{link_token(Settings(site.folder, {}, {}).links, wait, 'ada')}"
    for answer in (web.client.get(link), web.client.post(link, data={"decision": "approve"})):
        assert (answer.status_code, "The time to decide is over" in answer.text) == (410, True)
    deeds = json.loads(site.codemation("audit", "list", "--json", "--action", "waits.decide").stdout)
    assert (deeds[0]["target"], deeds[0]["outcome"]) == (wait, "urn:codemation:problem:decision-expired")


def test_a_link_to_what_was_cancelled_or_pruned_says_that_it_is_gone(web: Web, site: Site) -> None:
    run = web.start("shop.brief", items=[{"sku": "A", "amount": 1}])
    web.ended(run, "waiting")
    (wait,) = await_that(lambda: web.get("/waits", params={"run": run}).json()["items"] or None)
    link = _link(web, wait["id"])
    assert web.post("/decisions", {"wait": wait["id"], "approved": True}).status_code == 201
    revision = web.ended(run)["revision"]
    assert web.client.get(link).status_code == 409
    followed = f"/api/v1/runs/{run}/events"
    with web.client.stream("GET", followed, headers={"last-event-id": str(revision)}) as stream:
        assert (stream.status_code, "event: end" in stream.read().decode()) == (200, True)
    await_that(lambda: True if "1 runs deleted" in site.codemation("prune").stderr else None)
    for answer in (web.client.get(link), web.client.post(link, data={"decision": "approve"})):
        assert (answer.status_code, "not there any more" in answer.text) == (410, True)
    gone = web.client.get(followed, headers={"last-event-id": str(revision)})
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:codemation:problem:run-pruned")
    assert web.client.get(followed).status_code == 404
    assert web.get(f"/runs/{run}").status_code == 404
    assert web.post("/decisions", {"wait": wait["id"], "approved": True}).status_code == 404
    stopped, asked = _asked(web)
    open_link = _link(web, asked["id"])
    web.post(f"/runs/{stopped}/cancel")
    web.ended(stopped)
    assert web.client.get(open_link).status_code == 410
