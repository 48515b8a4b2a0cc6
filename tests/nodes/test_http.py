"""The web is asked within limits, page by page, and never where nobody meant to ask."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import ContractError, NodeError, RunFailed
from codemation.host.handles import RunHandle
from codemation.nodes.http_access import HttpAccess
from codemation.nodes.web.guard import Forbidden, GuardedBackend
from tests.nodes.web import Got, Site, serving

Run = Callable[..., RunHandle]
LOCAL = ["127.0.0.1"]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def ask(site: Site, path: str, **arguments: Any) -> list[Any]:
    return cm.nodes.http({}, **{"url": f"{site.url}{path}", "allow": LOCAL, **arguments})


class Order(BaseModel):
    id: int


def test_what_answers_hold_becomes_items(site: Site) -> None:
    site.gives("/list", [{"a": 1}, {"a": 2}])
    site.gives("/object", {"a": 1, "rows": {"all": [1, 2]}})
    site.gives("/lines", b'{"a": 1}\n{"a": 2}\n', Content_Type="application/x-ndjson")
    site.gives("/table", b"a,b\n1,x\n", Content_Type="text/csv; charset=utf-8")
    site.gives("/text", "é".encode("latin-1"), Content_Type="text/plain; charset=latin-1")
    site.gives("/packed", gzip.compress(b"[1]"), Content_Type="application/json", Content_Encoding="gzip")
    site.gives("/nothing", b"", 204)
    assert ask(site, "/list") == [{"a": 1}, {"a": 2}] == ask(site, "/lines")
    assert ask(site, "/object") == [{"a": 1, "rows": {"all": [1, 2]}}]
    assert ask(site, "/object", items="rows.all") == [1, 2]
    assert ask(site, "/table") == [{"a": "1", "b": "x"}]
    assert ask(site, "/text")[0]["text"] == "é"
    assert ask(site, "/packed") == [1]
    assert ask(site, "/nothing")[0]["status"] == 204
    with pytest.raises(ContractError, match=r"no list at 'rows.none'"):
        ask(site, "/object", items="rows.none")
    site.gives("/lie", b"<html>", Content_Type="application/json")
    with pytest.raises(NodeError, match="says that it gives application/json, and does not"):
        ask(site, "/lie")


def test_a_file_becomes_an_attachment_of_its_item(site: Site, run: Run) -> None:
    site.gives("/file", b"\x00\x01", Content_Type="image/png")

    @cm.node
    def size(item: cm.Item[Any]) -> int:
        return len(item.attachments["body"].read())

    flow = cm.workflow("http.file").then(cm.nodes.http, url=f"{site.url}/file", allow=LOCAL).then(size)
    assert run(flow.build()).output == [2]


def test_what_is_sent_is_what_was_given(site: Site) -> None:
    site.gives("/x", {})
    ask(site, "/x?a=1", method="POST", json={"n": 1}, query={"b": "ä&c"}, headers={"X-Kind": "k"})
    ask(site, "/x", method="PUT", form={"f": "v w"})
    cm.nodes.http(Order(id=7), url=f"{site.url}/x", method="PATCH", send_item=True, allow=LOCAL)
    dated = {"at": date(2026, 1, 2), "price": Decimal("1.10")}
    cm.nodes.http(dated, url=f"{site.url}/x", method="POST", send_item=True, allow=LOCAL)
    first, second, third, fourth = site.asked
    assert fourth.body == b'{"at":"2026-01-02","price":"1.10"}'
    assert (first.method, first.body, first.query, first.headers["x-kind"]) == (
        "POST",
        b'{"n":1}',
        {"a": "1", "b": "ä&c"},
        "k",
    )
    assert (second.method, second.body) == ("PUT", b"f=v+w")
    assert (third.method, third.body) == ("PATCH", b'{"id":7}')


@pytest.mark.parametrize("how", ["seconds", "date", "unsaid"])
def test_it_waits_as_the_server_asks_and_tries_again(site: Site, how: str) -> None:
    def page(_: Got) -> tuple[int, dict[str, str], bytes]:
        if len(site.asked) < 2:
            soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            after = {"seconds": {"Retry-After": "1"}, "date": {"Retry-After": soon}, "unsaid": {}}[how]
            return 503 if how == "date" else 429, after, b"later"
        return 200, {"Content-Type": "application/json"}, b"[1]"

    site.pages["/busy"] = page
    began = time.monotonic()
    assert ask(site, "/busy") == [1]
    assert time.monotonic() - began >= 0.9


def test_a_pause_that_is_too_long_and_attempts_that_are_too_many_are_errors(site: Site) -> None:
    site.gives("/long", b"", 429, Retry_After="3600")
    with pytest.raises(NodeError, match="429, and asks for a pause of 3600 s"):
        ask(site, "/long")
    site.gives("/never", b"still busy", 503, Retry_After="0")
    with pytest.raises(NodeError, match="503: still busy"):
        ask(site, "/never", attempts=3)
    assert len([got for got in site.asked if got.path == "/never"]) == 3
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    site.gives("/soon", b"", 429, Retry_After="30")
    with pytest.raises(NodeError, match="cancelled while waiting"):
        ask(site, "/soon", ctx=cm.Context(stopping=cancelled.is_set))


def test_codes_that_are_not_all_right_are_errors_that_show_what_was_said(site: Site) -> None:
    site.gives("/gone", b"gone for good", 410)
    with pytest.raises(NodeError, match="/gone: 410: gone for good"):
        ask(site, "/gone")
    (told,) = ask(site, "/gone", ok_codes=[410])
    assert (told["status"], told["content"]) == (410, b"gone for good")


def numbered(start: int, size: int, total: int) -> list[int]:
    return list(range(start, min(start + size, total)))


def test_pages_are_followed_in_every_way(site: Site) -> None:
    def answer(value: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
        import json

        return 200, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()

    def linked(got: Got) -> tuple[int, dict[str, str], bytes]:
        at = int(got.query.get("at", 0))
        more = {"Link": f'</linked?at={at + 2}>; rel="next", </linked>; rel="first"'} if at < 4 else {}
        return answer(numbered(at, 2, 5), **more)

    def nexts(got: Got) -> tuple[int, dict[str, str], bytes]:
        at = int(got.query.get("at", 0))
        return answer({"rows": numbered(at, 2, 5), "links": {"next": f"/nexts?at={at + 2}" if at < 4 else None}})

    def cursors(got: Got) -> tuple[int, dict[str, str], bytes]:
        at = int(got.query.get("after", 0))
        return answer({"rows": numbered(at, 2, 5), "cursor": at + 2 if at < 4 else ""})

    site.pages.update({"/linked": linked, "/nexts": nexts, "/cursors": cursors})
    site.pages["/pages"] = lambda got: answer(numbered((int(got.query["page"]) - 1) * 2, 2, 4))
    site.pages["/offsets"] = lambda got: answer(numbered(int(got.query["skip"]), 2, 5))
    assert ask(site, "/linked", paginate="link") == [0, 1, 2, 3, 4]
    assert ask(site, "/nexts", paginate="next", next_field="links.next", items="rows") == [0, 1, 2, 3, 4]
    cursor: dict[str, Any] = {"paginate": "cursor", "next_field": "cursor", "page_parameter": "after", "items": "rows"}
    assert ask(site, "/cursors", **cursor) == [0, 1, 2, 3, 4]
    assert ask(site, "/pages", paginate="page") == [0, 1, 2, 3]
    assert ask(site, "/offsets", paginate="offset", page_parameter="skip", page_size=2) == [0, 1, 2, 3, 4]
    with pytest.raises(NodeError, match="more than 2 pages"):
        ask(site, "/linked", paginate="link", max_pages=2)
    site.gives("/round", {"next": "/round"})
    with pytest.raises(NodeError, match="leads back to one that was read before"):
        ask(site, "/round", paginate="next")


def test_an_answer_may_be_neither_too_long_nor_too_slow(site: Site) -> None:
    site.gives("/bomb", gzip.compress(b"x" * 3_000_000), Content_Encoding="gzip", Content_Type="text/plain")
    with pytest.raises(NodeError, match="gave more than 1,000,000 bytes"):
        ask(site, "/bomb", max_bytes=1_000_000)

    def slow(_: Got) -> tuple[int, dict[str, str], bytes]:
        time.sleep(2)
        return 200, {}, b""

    site.pages["/slow"] = slow
    began = time.monotonic()
    with pytest.raises(NodeError, match=r"/slow: .*timed out|ReadTimeout"):
        ask(site, "/slow", time_limit="300ms")
    assert time.monotonic() - began < 1.9


def test_an_answer_that_drips_is_ended_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                try:
                    for _ in range(200):
                        connection.sendall(b"x")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(NodeError, match=r"took longer than 0.4 s|timed out"):
            cm.nodes.http({}, url=f"http://127.0.0.1:{listener.getsockname()[1]}/", allow=LOCAL, time_limit="400ms")
        thread.join()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 - it is asked, and not listened at
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "2130706433",
        "0x7f.1",
        "100.64.0.1",
        "224.0.0.1",
    ],
)
def test_addresses_that_are_not_public_are_not_asked(host: str) -> None:
    with pytest.raises(NodeError, match=r"no public address|is not known"):
        cm.nodes.http({}, url=f"http://{host}:9/latest/meta-data", time_limit="2s")


def test_what_was_allowed_by_name_address_or_network_is_asked(site: Site) -> None:
    site.gives("/x", [1])
    port = site.url.rpartition(":")[2]
    assert ask(site, "/x", allow=["127.0.0.0/8"]) == [1]
    assert cm.nodes.http({}, url=f"http://localhost:{port}/x", allow=["localhost"]) == [1]
    with pytest.raises(Forbidden, match=r"127.0.0.1 leads to 127.0.0.1"):
        ask(site, "/x", allow=["localhost"])


def test_redirects_are_followed_and_guarded_as_well(site: Site) -> None:
    site.gives("/x", [1])
    site.gives("/near", b"", 302, Location="/x")
    site.gives("/inside", b"", 302, Location="http://169.254.169.254/latest")
    site.gives("/file", b"", 302, Location="file:///etc/passwd")
    site.gives("/circle", b"", 302, Location="/circle")
    site.gives("/kept", b"", 307, Location="/x")
    assert ask(site, "/near", method="POST", json={"a": 1}) == [1]
    assert [(got.method, got.body) for got in site.asked] == [("POST", b'{"a":1}'), ("GET", b"")]
    ask(site, "/kept", method="POST", json={"a": 1})
    assert (site.asked[-1].method, site.asked[-1].body) == ("POST", b'{"a":1}')
    with pytest.raises(Forbidden, match=r"169.254.169.254"):
        ask(site, "/inside")
    with pytest.raises(ContractError, match="begins with http"):
        ask(site, "/file")
    with pytest.raises(NodeError, match="more than 10 redirects"):
        ask(site, "/circle")


def test_secrets_are_sent_to_their_origin_alone_and_never_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    port = site.url.rpartition(":")[2]
    site.gives("/x", [1])
    site.gives("/away", b"", 302, Location=f"http://localhost:{port}/x?token=hush-query")
    both = ["127.0.0.1", "localhost"]
    token = HttpAccess(secret=cm.Secret("hush-token"))
    with caplog.at_level(logging.INFO):
        ask(site, "/away", access=token, allow=both, headers={"Cookie": "hush-cookie"}, query={"key": "hush-key"})
    near, away = site.asked
    assert near.headers["authorization"] == "Bearer hush-token"
    assert "authorization" not in away.headers
    assert "cookie" not in away.headers
    assert "hush" not in caplog.text
    ask(site, "/x", access=HttpAccess(secret=cm.Secret("pw"), user="me"))
    assert site.asked[-1].headers["authorization"] == "Basic bWU6cHc="
    ask(site, "/x", access=HttpAccess(secret=cm.Secret("k"), header="X-Key", scheme=""))
    assert site.asked[-1].headers["x-key"] == "k"
    with pytest.raises(NodeError) as raised:
        ask(site, "/missing?key=hush-key", access=token)
    assert "hush" not in str(raised.value)
    with pytest.raises(ContractError, match="holds a password"):
        cm.nodes.http({}, url="http://me:pw@example.org/")


def test_it_runs_for_each_item_with_a_url_that_depends_on_it(site: Site, run: Run) -> None:
    site.gives("/1", {"n": 1})
    site.gives("/2", {"n": 2})

    @cm.node
    def ids() -> list[int]:
        return [1, 2]

    base = site.url
    flow = cm.workflow("http.each").then(ids).then(cm.nodes.http, url=cm.expr(lambda n: f"{base}/{n}"), allow=LOCAL)
    assert run(flow.build())["http"].items == [{"n": 1}, {"n": 2}]
    with pytest.raises(RunFailed, match="404"):
        run(cm.workflow("http.none").then(cm.nodes.http, url=f"{base}/none", allow=LOCAL).build())


@pytest.mark.parametrize("url", ["ftp://example.org/x", "/x", "http://", "http://[", "example.org"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ContractError, match="URL"):
        cm.nodes.http({}, url=url)


@given(st.ip_addresses())
def test_only_public_addresses_are_judged_good(address: Any) -> None:
    host = str(address)
    try:
        judged = GuardedBackend(()).judged(host, 80)
    except Forbidden:
        return
    assert [ip_address(one) for one in judged] == [address]
    assert address.is_global
    assert not address.is_private
    assert not address.is_loopback
