"""Decisions: over the API, and on a page that a link leads to."""

from __future__ import annotations

import re
from typing import Any

from tests.web.serving import Web, await_that


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
