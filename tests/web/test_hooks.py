"""Webhooks: who may, what is taken, and what is answered."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.web.goods import HOOKED
from tests.web.serving import Site, Web, open_site

SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(hooked=HOOKED) as site:
        yield site


@pytest.fixture(scope="module")
def web(site: Site) -> Iterator[Web]:
    with site.web(CODEMATION_CREDENTIAL_SHOP_HOOK_SECRET=SECRET, CODEMATION_ACTIVATE="hook.*") as web:
        yield web


def _hook(web: Web, path: str, json: Any = None, method: str = "POST", **given: Any) -> httpx.Response:
    if json is not None:
        given["json"] = json
    return web.client.request(method, f"/hooks{path}", **given)


def test_a_request_starts_a_run_and_is_told_where_it_is(web: Web) -> None:
    answer = _hook(web, "/now", {"sku": "A1", "amount": 2})
    assert answer.status_code == 202
    shown = web.ended(answer.json()["run"])
    assert shown["status"] == "succeeded"
    assert web.client.get(answer.headers["location"]).json()["id"] == shown["id"]


@pytest.mark.parametrize(
    ("path", "method", "given", "status"),
    [
        ("/nothing", "POST", {"json": {}}, 404),
        ("/now", "GET", {}, 405),
        ("/now", "POST", {"json": {"amount": 1}}, 422),
        ("/now", "POST", {"json": [{"sku": "A"}]}, 422),
        ("/now", "POST", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ("/now", "POST", {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}, 422),
        ("/now", "POST", {"content": b"[" * 100_000}, 422),
        ("/now", "POST", {"json": {"sku": "\0"}}, 422),
        ("/now", "POST", {"content": b'{"sku": "\\ud800"}'}, 422),
        ("/now", "POST", {"content": b"<a/>", "headers": {"content-type": "text/xml"}}, 415),
        ("/now", "POST", {"content": b"x" * 1_100_000}, 413),
        ("/now", "POST", {"json": {"sku": "A"}, "headers": {"idempotency-key": "k" * 201}}, 422),
        ("/mail", "POST", {"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 422),
    ],
)
def test_what_cannot_be_taken_is_refused(web: Web, path: str, method: str, given: dict[str, Any], status: int) -> None:
    answer = _hook(web, path, method=method, **given)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_body_is_measured_while_it_comes(web: Web) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(4000):
            yield b"x" * 1000

    assert _hook(web, "/now", content=endless()).status_code == 413


def _signature(body: bytes, moment: str = "", secret: str = SECRET) -> dict[str, str]:
    signed = f"{moment}.".encode() + body if moment else body
    headers = {"x-codemation-signature": f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"}
    return {**headers, **({"x-codemation-timestamp": moment} if moment else {})}


def test_a_signature_is_of_the_body_as_it_came(web: Web) -> None:
    body = b'{ "sku":"A1",\n "amount": 1 }'
    now = str(int(time.time()))
    for headers, status in (
        (_signature(body), 202),
        (_signature(body, now), 202),
        ({}, 401),
        (_signature(b'{"sku":"A1","amount":1}'), 401),
        (_signature(body, secret="wrong-horse-battery"), 401),
        (_signature(body, str(int(now) - 4000)), 401),
        ({**_signature(body), "x-codemation-timestamp": now}, 401),
        ({**_signature(body), "x-codemation-timestamp": "soon"}, 401),
        ({"x-codemation-signature": b"sha256=\xe9"}, 401),
    ):
        answer = _hook(web, "/signed", content=body, headers={"content-type": "application/json", **headers})
        assert answer.status_code == status, headers


def test_a_token_is_asked_for_before_the_body_is_taken(web: Web) -> None:
    good = {"authorization": f"Bearer {SECRET}"}
    assert _hook(web, "/barred", {"sku": "A"}, headers=good).status_code == 202
    assert _hook(web, "/barred", {"sku": "A"}, "PUT", headers={"x-webhook-token": SECRET}).status_code == 202
    assert _hook(web, "/barred", {"sku": "A"}).status_code == 401
    assert _hook(web, "/barred", {"sku": "A"}, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert _hook(web, "/barred", content=b"x" * 2000).status_code == 401
    assert _hook(web, "/barred", content=b"x" * 2000, headers=good).status_code == 413
    assert _hook(web, "/barred", method="PATCH").headers["allow"] == "POST, PUT"
    assert SECRET not in "".join(web.said)


def test_a_request_may_wait_for_the_result(web: Web) -> None:
    headers = {"idempotency-key": "order-1"}
    first = _hook(web, "/result", {"sku": "A1", "amount": 2}, headers=headers)
    assert (first.status_code, first.json()["output"]) == (200, [{"sku": "A1", "weight": 5.0}])
    again = _hook(web, "/result", {"sku": "A1", "amount": 2}, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert _hook(web, "/result", {"sku": "B2"}, headers=headers).status_code == 422
    failed = _hook(web, "/broken", {"sku": "A1"})
    assert (failed.status_code, failed.json()["title"]) == (502, "Run failed")
    assert "out of stock" not in failed.text


def test_a_node_may_answer(web: Web) -> None:
    headers = {"idempotency-key": "order-2"}
    answer = _hook(web, "/replies", {"sku": "A1"}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"taken": "A1", "at": "2026-01-31"})
    assert web.ended(answer.headers["codemation-run"])["status"] == "succeeded"
    assert _hook(web, "/replies", {"sku": "A1"}, headers=headers).json() == answer.json()
    assert _hook(web, "/replies", {"sku": "A1", "amount": 0}).status_code == 204


def test_forms_and_files_become_the_item(web: Web) -> None:
    sent = _hook(web, "/mail", data={"from": "ada", "tag": ["a", "b"]})
    assert sent.json()["output"] == [{"fields": {"from": "ada", "tag": ["a", "b"]}, "files": {}}]
    files = [("letter", ("letter.txt", b"dear bob", "text/plain")), ("letter", ("more.html", b"<b>x", "text/html"))]
    answer = _hook(web, "/mail", data={"from": "ada"}, files=files)
    assert answer.status_code == 200, answer.text
    given = {"letter": "dear bob", "letter-2": "<b>x"}
    assert answer.json()["output"] == [{"fields": {"from": "ada"}, "files": given}]
    run = answer.json()["run"]
    page = web.get(f"/runs/{run}/nodes/keep/outputs/main").json()
    assert [(one["name"], one["size"], one["mime"]) for one in page["files"]] == [
        ("letter", 8, "text/plain"),
        ("letter-2", 4, "text/html"),
    ]
    file = web.get(f"/runs/{run}/nodes/keep/outputs/main/items/0/files/letter-2")
    assert (file.content, file.headers["content-type"]) == (b"<b>x", "application/octet-stream")
    assert file.headers["content-disposition"].startswith("attachment; ")
    assert web.get(f"/runs/{run}/nodes/keep/outputs/main/items/0/files/nothing").status_code == 404


@pytest.mark.parametrize(("path", "gives"), [("/late", "weigh"), ("/silent", "answer")])
def test_whoever_has_waited_long_enough_is_told_where_the_answer_will_be(site: Site, path: str, gives: str) -> None:
    with site.web(CODEMATION_ACTIVATE="hook.*", CODEMATION_HOOK_PATIENCE="0.3") as web:
        began = time.monotonic()
        answer = _hook(web, path, {"sku": "A1", "amount": 4})
        assert 0.3 <= time.monotonic() - began < 2.0
        assert (answer.status_code, answer.headers["location"]) == (202, answer.json()["url"])
        run = answer.json()["run"]
        assert web.get(f"/runs/{run}").json()["status"] == "running"
        assert web.ended(run)["status"] == "succeeded"
        assert len(web.get(f"/runs/{run}/nodes/{gives}/outputs/main").json()["items"]) == 1
        again = _hook(web, path, {"sku": "A1", "amount": 0})
        assert again.status_code == (200 if path == "/late" else 204)


def test_many_who_send_one_key_at_once_are_answered_alike(web: Web) -> None:
    from concurrent.futures import ThreadPoolExecutor

    headers = {"idempotency-key": "order-9"}
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(_hook, web, "/result", {"sku": "C"}, headers=headers) for _ in range(8)]
        answers = [(one.result().status_code, one.result().text) for one in sent]
    assert len(set(answers)) == 1, answers
    assert answers[0][0] == 200


def test_a_path_is_listened_to_for_as_long_as_its_workflow_is_active(web: Web) -> None:
    assert web.post("/workflows/hook.now/deactivate").json()["active"] is False
    assert _hook(web, "/now", {"sku": "A1"}).status_code == 404
    assert web.post("/workflows/hook.now/deactivate").status_code == 409
    assert web.post("/workflows/hook.now/activate").status_code == 200
    assert _hook(web, "/now", {"sku": "A1"}).status_code == 202
    found = web.get("/triggers", params={"workflow": "hook.now", "kind": "webhook"}).json()["items"]
    assert [(one["active"], one["said"], one["error"]) for one in found] == [(True, "POST /now", "")]
    assert web.post("/workflows/hook.idle/activate").status_code == 409
