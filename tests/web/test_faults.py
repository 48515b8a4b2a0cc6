"""Whatever dies, the web says what is, comes back by itself, and loses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.postgres.server import Server, running_server
from tests.web.serving import Site, Web, await_that


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def _ready(web: Web) -> bool | None:
    return web.client.get("/readyz").status_code == 200 or None


def test_an_absent_database_is_said_and_waited_for(site: Site, server: Server) -> None:
    with server.database("web") as url:
        server.stop()
        try:
            with site.web(CODEMATION_DATABASE_URL=url) as web:
                assert "answering 503" in await_that(lambda: "".join(web.said[1:]) or None)
                _is_away(web)
                server.start()
                await_that(lambda: _ready(web))
                assert web.ended(web.start("shop.orders"))["status"] == "succeeded"
                server.stop("immediate")
                _is_away(web)
                server.start()
                await_that(lambda: _ready(web))
                assert web.ended(web.start("shop.orders"))["status"] == "succeeded"
                assert len(web.get("/runs").json()["items"]) == 2
                assert web.stop() == 0
        finally:
            if not server.socket.exists():
                server.start()


def _is_away(web: Web) -> None:
    """What is answered without a database, at once."""
    for path in ("/runs", "/me", "/audit"):
        answer = web.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:codemation:problem:store-unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert web.post("/workflows/shop.orders/runs").status_code == 503
    assert web.client.post("/hooks/x", json={}).status_code == 503
    assert web.client.get("/healthz").status_code == 200
    assert web.client.get("/readyz").status_code == 503
    assert "codemation_database_up 0.0" in web.client.get("/metrics").text


def test_what_a_killed_process_has_left_is_gone_on_with_by_another(site: Site, web: Web, tmp_path: Path) -> None:
    door = tmp_path / "go"
    with site.web() as doomed:
        runs = [
            doomed.start("shop.orders", params={"hold": str(door), "count": 2}, key=f"killed-{number}")
            for number in range(4)
        ]
        for run in runs:
            doomed.ended(run, "running")
        doomed.kill()
    door.touch()
    for number, run in enumerate(runs):
        assert web.get(f"/runs/{run}").json()["status"] == "running"
        again = web.start("shop.orders", params={"hold": str(door), "count": 2}, key=f"killed-{number}")
        assert again == run
    for run in runs:
        await_that(lambda run=run: web.post(f"/runs/{run}/resume").status_code in (202, 409) or None)
        assert web.ended(run)["status"] == "succeeded"
        lines = [line["text"] for line in web.get(f"/runs/{run}/logs").json()["items"]]
        assert lines == ["pricing A0", "pricing A1"]


def test_two_processes_show_the_same(site: Site, web: Web) -> None:
    with site.web() as other:
        run = other.start("shop.asked", items=[{"sku": "A", "amount": 1}])
        other.ended(run, "waiting")
        (wait,) = await_that(lambda: web.get("/waits", params={"run": run}).json()["items"] or None)
        given = {"wait": wait["id"], "approved": True, "fields": {"note": "fine"}}
        assert web.post("/decisions", given).status_code == 201
        assert other.post("/decisions", given).status_code == 409
        assert other.ended(run) == web.ended(run)


def test_figures_are_of_the_whole(web: Web) -> None:
    run = web.start("shop.orders", params={"hold": "never"})
    web.ended(run, "running")
    text = await_that(lambda: _metrics(web, 'codemation_runs{status="running"} 1.0'))
    for name in (
        "codemation_database_up 1.0",
        'codemation_activations{queue="default",state="running"} 1.0',
        "codemation_workers 1.0",
        'codemation_run_seconds_bucket{le="+Inf"}',
        "codemation_database_seconds ",
        'codemation_http_requests_total{method="GET",route="/runs/{run}",status="200"}',
    ):
        assert name in text, name
    assert run not in text
    assert len(re.findall(r"^codemation_http_requests_total", text, re.MULTILINE)) < 60
    web.post(f"/runs/{run}/cancel")
    web.ended(run)


def _metrics(web: Web, wanted: str) -> str | None:
    text = web.client.get("/metrics").text
    return text if wanted in text else None


def test_pages_for_people_load_nothing_else(web: Web) -> None:
    page = web.client.get("/api/v1/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r"<(?:script|link|img|iframe)|src=|url\(|https?://", page.text) == []
    assert "/api/v1/runs/{run}/replay" in page.text
