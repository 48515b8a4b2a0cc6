"""Live events: what becomes true of runs is told at once, and nothing is missed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

from codemation.host.identity import new_run_id
from codemation.host.memory import memory_stores
from codemation.web.live import Follower
from codemation.web.service import Service
from tests.web.serving import Site, Web, await_that


@dataclass
class Told:
    """One event."""

    name: str
    id: str
    data: Any


@contextmanager
def _following(web: Web, path: str, last: str = "") -> Iterator[Iterator[Told]]:
    headers = {"last-event-id": last} if last else {}
    with web.client.stream("GET", f"/api/v1{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _told(answer)


def _told(answer: httpx.Response) -> Iterator[Told]:
    said: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            said[name] = value
        elif "data" in said:
            yield Told(said["event"], said.get("id", ""), json.loads(said["data"]))
            said = {}


def test_a_run_is_followed_to_its_end(web: Web, tmp_path: Path) -> None:
    door = tmp_path / "go"
    run = web.start("shop.orders", params={"hold": str(door), "count": 2})
    with _following(web, f"/runs/{run}/events") as events:
        first = next(events)
        assert (first.name, first.data["id"]) == ("run", run)
        door.touch()
        rest = list(events)
    assert (rest[-1].name, rest[-1].data) == ("end", {"status": "succeeded"})
    shown = [one for one in rest if one.name == "run"][-1]
    assert shown.data == web.get(f"/runs/{run}").json()
    assert int(shown.id) == shown.data["revision"]
    told = [one.data["revision"] for one in rest if one.name == "revision"]
    assert told == list(range(first.data["revision"] + 1, shown.data["revision"] + 1))


def test_whoever_comes_back_is_told_what_he_missed(web: Web, tmp_path: Path) -> None:
    door = tmp_path / "go"
    run = web.start("shop.orders", params={"hold": str(door)})
    with _following(web, f"/runs/{run}/events") as events:
        last = next(events).id
    door.touch()
    ended = web.ended(run)
    with _following(web, f"/runs/{run}/events", last) as events:
        rest = list(events)
    missed = [one for one in rest if one.name == "revision"]
    assert [one.data["revision"] for one in missed] == list(range(int(last) + 1, ended["revision"] + 1))
    assert {"fact": "done", "node": "price"} in [fact for one in missed for fact in one.data["facts"]]
    with _following(web, f"/runs/{run}/events", str(ended["revision"])) as events:
        assert [one.name for one in events] == ["end"]
    assert web.get(f"/runs/{run}/events", headers={"last-event-id": "x"}).status_code == 422
    assert web.get(f"/runs/{run[:-4]}0000/events").status_code == 404


def test_all_runs_are_followed(web: Web) -> None:
    with _following(web, "/events?workflow=shop.stock") as events:
        assert next(events).name == "runs"
        run = web.start("shop.stock", items=[{"sku": "A", "amount": 1}])
        other = web.start("shop.orders")
        heard: dict[str, str] = {}
        for one in events:
            heard |= {row["id"]: row["status"] for row in one.data}
            if heard.get(run) == "succeeded":
                break
    assert other not in heard


def test_another_process_tells_of_its_runs(site: Site, web: Web) -> None:
    with site.web() as other, _following(other, "/events") as events:
        next(events)
        run = web.start("shop.stock", items=[{"sku": "A", "amount": 1}])
        for one in events:
            if (run, "succeeded") in [(row["id"], row["status"]) for row in one.data]:
                break


def test_a_client_that_does_not_read_holds_up_nobody(web: Web) -> None:
    """Many who ask for a large answer and take nothing of it; all others are answered as before."""
    run = web.start("shop.orders", params={"count": 20_000})
    assert web.ended(run)["status"] == "succeeded"
    path = f"/api/v1/runs/{run}/nodes/price/outputs/main/download"
    url = httpx.URL(web.url)
    idle = [socket.create_connection((url.host, url.port)) for _ in range(20)]
    try:
        for one in idle:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for _ in range(10):
            assert web.get("/runs").status_code == 200
        assert len(web.client.get(path).text.splitlines()) == 20_000
    finally:
        for one in idle:
            one.close()


def test_streams_end_when_the_server_stops(site: Site) -> None:
    with site.web() as web:
        run = web.start("shop.orders", params={"hold": "never"})
        with _following(web, f"/runs/{run}/events") as events:
            next(events)
            assert web.stop() == 0
            assert "end" not in [one.name for one in events]
    with site.web() as web:  # what was left is there still
        shown = web.get(f"/runs/{run}").json()
        assert shown["status"] == "running"
        web.post(f"/runs/{run}/cancel")
        assert await_that(lambda: web.ended(run))["status"] == "cancelled"


def test_whoever_follows_a_run_that_is_pruned_meanwhile_is_told_and_let_go() -> None:
    service = SimpleNamespace(app=SimpleNamespace(stores=memory_stores()))
    follower = Follower(new_run_id(), 3)
    (told,) = follower.look(cast(Service, service))
    assert (told.startswith(b"event: gone"), follower.over) == (True, True)
