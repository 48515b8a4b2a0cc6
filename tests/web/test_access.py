"""Who may come in, how much they may ask, and that what they do is noted."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from codemation.web.rates import BURST, Buckets
from tests.web.goods import GOODS
from tests.web.serving import Site, Web, await_that, open_site

EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be refused, or to ask for tokens


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    """A token for an operator; from now on nobody comes in without one."""
    made = site.codemation("tokens", "create", "deploy", "--role", "operator", "--lasts", "90d")
    assert (made.exit_code, "not shown again" in made.stderr) == (0, True), made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def guarded(site: Site, token: str) -> Iterator[Web]:
    with site.web(token=token, CODEMATION_REQUESTS_PER_SECOND="0") as web:
        yield web


def test_without_a_token_only_this_machine_is_served_and_that_is_said() -> None:
    with open_site(goods=GOODS) as site:
        refused = site.refused("--host", EVERYWHERE, "--port", "0")
        assert "there is no token yet" in refused
        assert "codemation tokens create" in refused
        with site.web() as web:
            assert "there is no token" in await_that(lambda: "".join(web.said[1:]) or None)
            assert web.get("/me").json() == {"name": "local", "role": "admin"}
            for headers in ({"x-forwarded-for": "10.0.0.1"}, {"forwarded": "for=10.0.0.1"}):
                assert web.get("/me", headers=headers).status_code == 401  # a proxy stands before it
            made = web.post("/tokens", {"name": "first", "role": "viewer"})
            assert made.status_code == 201
            assert web.get("/me").status_code == 401  # as soon as there is one, it is asked for
            headers = {"authorization": f"Bearer {made.json()['token']}"}
            assert web.get("/me", headers=headers).json() == {"name": "token:first", "role": "viewer"}
            assert site.codemation("tokens", "revoke", "first").exit_code == 0
            assert web.get("/me", headers=headers).status_code == 401
        with site.web("--host", EVERYWHERE) as web:
            port = httpx.URL(web.url).port
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/me")
            assert answer.status_code == 401  # and stays so, though none counts any more


def test_a_taken_port_is_said(guarded: Web, site: Site) -> None:
    refused = site.refused("--port", str(httpx.URL(guarded.url).port))
    assert "cannot be listened at" in refused
    assert "--port 8001" in refused


def test_a_token_counts_until_it_is_revoked(site: Site, guarded: Web) -> None:
    assert guarded.get("/me").json() == {"name": "token:deploy", "role": "operator"}
    made = site.codemation("tokens", "create", "short", "--role", "viewer")
    headers = {"authorization": f"Bearer {made.stdout.strip()}"}
    assert guarded.get("/me", headers=headers).json()["role"] == "viewer"
    listed = json.loads(site.codemation("tokens", "list", "--json").stdout)
    assert {one["name"]: one["used_at"] is not None for one in listed} == {"short": True, "deploy": True}
    assert made.stdout.strip() not in json.dumps(listed)
    assert site.codemation("tokens", "create", "short").exit_code == 2
    assert site.codemation("tokens", "revoke", "short").exit_code == 0
    assert guarded.get("/me", headers=headers).status_code == 401
    unknown = site.codemation("tokens", "revoke", "shirt")
    assert (unknown.exit_code, "there are: deploy" in unknown.stderr) == (2, True)


def test_whoever_writes_is_noted(site: Site, guarded: Web) -> None:
    run = guarded.start("shop.orders", params={"hold": "never"})
    guarded.ended(run, "running")
    assert guarded.post(f"/runs/{run}/cancel", {"reason": "enough"}).status_code == 202
    assert guarded.ended(run)["status"] == "cancelled"
    assert guarded.post(f"/runs/{run}/replay", {"from": ["nothing"]}).status_code == 404
    assert guarded.get("/audit").status_code == 403  # an operator does not see it
    deeds = json.loads(site.codemation("audit", "list", "--json", "--who", "token:deploy").stdout)
    assert [(one["action"], one["target"], one["outcome"]) for one in deeds[:3]] == [
        ("runs.replay", run, "urn:codemation:problem:unknown-node"),
        ("runs.cancel", run, "done"),
        ("runs.start", run, "done"),
    ]
    history = site.codemation("runs", "export", run, "--json").stdout
    assert '"who": "token:deploy"' in history  # and in the journal of the run


def test_a_name_that_leads_here_is_not_enough(site: Site, token: str, guarded: Web) -> None:
    """DNS rebinding: a page whose own name leads to this machine."""
    for host, status in (("evil.example", 400), ("localhost", 200), ("127.0.0.1:9", 200), ("", 400)):
        assert guarded.get("/me", headers={"host": host}).status_code == status, host
    with site.web(token=token, CODEMATION_ALLOWED_HOSTS="ops.example, localhost") as web:
        assert web.get("/me", headers={"host": "ops.example:8000"}).status_code == 200
        assert web.get("/me", headers={"host": "evil.example"}).status_code == 400


def test_a_page_of_another_site_changes_nothing(guarded: Web) -> None:
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = guarded.post("/workflows/shop.orders/runs", {}, headers=headers)
        assert answer.status_code == 403, headers
    same = guarded.post("/workflows/shop.orders/runs", {}, headers={"origin": guarded.url})
    assert same.status_code == 201
    assert "access-control-allow-origin" not in same.headers


def test_whoever_asks_too_much_is_told_to_wait(site: Site, token: str) -> None:
    with site.web(token=token, CODEMATION_REQUESTS_PER_SECOND="2") as web:
        answers = [web.get("/me") for _ in range(20)]
        refused = [one for one in answers if one.status_code == 429]
        assert [one.status_code for one in answers[:4]] == [200] * 4
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1


def test_buckets_fill_by_the_second() -> None:
    now = [0.0]
    buckets = Buckets(2.0, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(int(2 * BURST))] == [0.0] * int(2 * BURST)
    assert buckets.take("a") == 0.5
    assert buckets.take("b") == 0.0
    now[0] = 1.0
    assert [buckets.take("a") == 0.0 for _ in range(3)] == [True, True, False]
    assert Buckets(0.0).take("a") == 0.0


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/runs?x=" + "y" * 9000, {}, 414),
        ("/runs", {"headers": {"x-large": "y" * 40_000}}, 431),
        ("/workflows/shop.orders/runs", {"content": b'{"params": ' + b"1" * 11_000_000 + b"}"}, 413),
        ("/workflows/shop.orders/runs", {"content": b"{"}, 422),
        ("/workflows/shop.orders/runs", {"content": b"\xff"}, 400),
        ("/workflows/shop.orders/runs", {"content": b'{"items": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"}, 400),
        ("/workflows/shop.stock/runs", {"content": b'{"items": [' + b'{"a":' * 90 + b"1" + b"}" * 90 + b"]}"}, 422),
        ("/workflows/shop.stock/runs", {"content": b'{"items": [{"sku": "\\u0000", "amount": 1}]}'}, 422),
        ("/workflows/shop.stock/runs", {"content": b'{"items": [{"sku": "\\ud800", "amount": 1}]}'}, 422),
        ("/workflows/shop.stock/runs", {"content": b'{"key": "\\u0000"}'}, 422),
        ("/workflows/shop.stock/runs", {"content": b'{"priority": 1e400}'}, 422),
        ("/workflows/%00/runs", {"content": b"{}"}, 422),
        ("/workflows/" + "w" * 300 + "/runs", {"content": b"{}"}, 422),
    ],
)
def test_what_is_too_much_or_malformed_is_refused(
    guarded: Web, path: str, given: dict[str, object], status: int
) -> None:
    method = "POST" if "content" in given else "GET"
    headers = {"content-type": "application/json", **given.pop("headers", {})}  # type: ignore[dict-item]
    answer = guarded.client.request(method, f"/api/v1{path}", headers=headers, **given)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert "Traceback" not in answer.text


def test_what_is_no_http_is_answered_and_forgotten(guarded: Web) -> None:
    url = httpx.URL(guarded.url)
    for sent in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /hooks/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection((url.host, url.port), timeout=20) as client:
            client.sendall(sent + b"\r\n" * 4)
            assert b" 400 " in client.recv(200)
    assert guarded.get("/me").status_code == 200


def test_answers_say_how_they_may_be_used(guarded: Web) -> None:
    headers = guarded.get("/me").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


def test_the_log_names_who_asked_and_keeps_secrets(site: Site, token: str) -> None:
    with site.web("--log-format", "json", token=token) as web:
        web.get("/runs", params={"id": "feed"})
        line = await_that(lambda: next((one for one in web.said if "/api/v1/runs" in one), None))
        said = json.loads(line)
        assert (said["message"].split()[:3], said["who"]) == (["GET", "/api/v1/runs", "200"], "token:deploy")
        assert "feed" not in line
    assert token not in "".join(web.said)
