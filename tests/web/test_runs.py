"""Runs over HTTP: started, looked at, stopped, resumed and done again."""

from __future__ import annotations

from tests.web.serving import Web


def test_a_run_is_started_and_shown(web: Web) -> None:
    answer = web.post("/workflows/shop.orders/runs", {"params": {"count": 3}})
    assert answer.status_code == 201, answer.text
    started = answer.json()
    assert started["new"]
    shown = web.ended(started["id"])
    assert web.client.get(started["url"]).json() == shown
    assert (shown["status"], shown["params"]) == ("succeeded", {"count": 3, "broken": -1, "hold": ""})
    assert [(node["id"], node["items_out"]) for node in shown["nodes"]] == [
        ("make", {"main": 3}),
        ("price", {"main": 3}),
    ]


def test_one_key_starts_one_run(web: Web) -> None:
    first = web.post("/workflows/shop.orders/runs", {"key": "once"})
    again = web.post("/workflows/shop.orders/runs", {"key": "once"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = web.post("/workflows/shop.orders/runs", {"key": "once", "params": {"count": 9}})
    assert other.status_code == 422
    assert other.headers["content-type"] == "application/problem+json"


def test_runs_are_listed_page_by_page(web: Web) -> None:
    runs = [web.start("shop.stock", items=[{"sku": "A", "amount": number}]) for number in range(5)]
    for run in runs:
        web.ended(run)
    seen: list[str] = []
    page = web.get("/runs", params={"workflow": "shop.stock", "limit": 2}).json()
    while True:
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        page = web.get("/runs", params={"workflow": "shop.stock", "limit": 2, "before": page["next"]}).json()
    assert seen == runs[::-1]
    wanted = {"workflow": "shop.stock", "status": ["failed", "succeeded"], "id": runs[0][-12:]}
    assert [one["id"] for one in web.get("/runs", params=wanted).json()["items"]] == [runs[0]]
    began = web.get(f"/runs/{runs[2]}").json()["created_at"]
    later = web.get("/runs", params={"workflow": "shop.stock", "since": began}).json()["items"]
    assert runs[2] in [one["id"] for one in later]
    assert runs[0] not in [one["id"] for one in later]
    assert web.get("/runs", params={"status": "queued"}).json() == {"items": [], "next": None, "left_out": 0}


def test_children_are_left_out_of_a_list_unless_they_are_asked_for(web: Web) -> None:
    run = web.start("shop.bundle", items=[{"sku": "A", "amount": 1}, {"sku": "B", "amount": 2}])
    web.ended(run)
    page = web.get("/runs", params={"limit": 1}).json()
    assert ([one["id"] for one in page["items"]], page["left_out"], page["next"]) == ([run], 2, run)
    page = web.get("/runs", params={"limit": 3, "children": "true"}).json()
    assert ([one["parent"] for one in page["items"]], page["left_out"]) == ([run, run, None], 0)
    assert [one["started_by"] for one in page["items"]] == [f"run {run}", f"run {run}", "api local"]


def test_who_has_started_a_run_and_its_key_are_told(web: Web) -> None:
    run = web.start("shop.orders", key="named")
    shown = web.ended(run)
    assert (shown["key"], shown["started_by"]) == ("named", "api local")
    again = web.post(f"/runs/{run}/replay").json()["id"]
    assert (web.ended(again)["key"], web.ended(again)["started_by"]) == (None, "api local")


def test_what_is_wrong_is_said_with_the_way_out(web: Web) -> None:
    unknown = web.get("/workflows/shop.oders")
    assert unknown.status_code == 404
    assert unknown.json() == {
        "type": "urn:codemation:problem:unknown-workflow",
        "title": "Unknown workflow",
        "status": 404,
        "detail": unknown.json()["detail"],
        "way_out": "did you mean shop.orders or shop.bundle or shop.stock?",
    }
    for path, params in (("/runs", {"statu": "failed"}), ("/workflows", {"a": "b"}), ("/runs", {"limit": 0})):
        answer = web.get(path, params=params)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    wrong = web.post("/workflows/shop.orders/runs", {"params": {"count": "many"}})
    assert wrong.status_code == 422
    assert "count" in wrong.json()["detail"]
    assert web.get("/nothing").status_code == 404
    assert web.client.delete("/api/v1/runs").status_code == 405


def test_a_failed_run_is_resumed_and_done_again(web: Web) -> None:
    run = web.start("shop.orders", params={"broken": 1})
    failed = web.ended(run)
    assert (failed["status"], failed["error"]["node"], failed["error"]["type"]) == ("failed", "price", "ValueError")
    assert "Traceback" not in web.get(f"/runs/{run}").text
    assert web.post(f"/runs/{run}/resume").status_code == 202
    assert web.ended(run)["revision"] > failed["revision"]
    replayed = web.post(f"/runs/{run}/replay", {"from": ["price"], "params": {"broken": -1}})
    assert replayed.status_code == 201
    anew = web.ended(replayed.json()["id"])
    assert (anew["status"], anew["source"]) == ("succeeded", run)
    assert web.post(f"/runs/{anew['id']}/resume").status_code == 409
    assert web.post(f"/runs/{run}/replay", {"from": ["prize"]}).json()["way_out"] == "did you mean 'price'?"


def test_a_run_is_cancelled(web: Web) -> None:
    run = web.start("shop.orders", params={"hold": "never"})
    web.ended(run, "running")
    answer = web.post(f"/runs/{run}/cancel", {"reason": "no longer wanted"})
    assert answer.status_code == 202
    assert answer.json()["status"] in ("cancelling", "cancelled")
    ended = web.ended(run)
    assert (ended["status"], "no longer wanted" in ended["reason"]) == ("cancelled", True)


def test_a_pinned_node_is_not_executed(web: Web) -> None:
    run = web.start("shop.orders", pins={"make": [{"id": "P1", "total": 5.0}]})
    shown = web.ended(run)
    assert [(node["id"], node["how"]) for node in shown["nodes"]] == [("make", "pinned"), ("price", "")]
    refused = web.post("/workflows/shop.orders/runs", {"pins": {"made": []}})
    assert refused.status_code == 422
