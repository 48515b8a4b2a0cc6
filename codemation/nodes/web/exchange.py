"""One request and its answer: redirects, pauses that were asked for, and limits of time and size."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore
import httpx

from codemation.core.context import Context
from codemation.core.errors import ContractError, NodeError
from codemation.nodes.http_access import HttpAccess
from codemation.nodes.web.guard import GuardedTransport

_REDIRECTS: Final = 10
_SECRET: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_PAUSED: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long, how much and how often."""

    seconds: float
    bytes: int
    attempts: int
    pause: float
    """The longest pause between two attempts."""
    codes: frozenset[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that only the origin of the first URL is sent."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """As httpx takes it: `json`, `data` or `content`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    url: str
    headers: httpx.Headers
    content: bytes
    links: Mapping[str, Mapping[str, str]]
    encoding: str

    @property
    def kind(self) -> str:
        """The type of the content, without its parameters."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()


def signed(access: HttpAccess) -> dict[str, str]:
    """The header that lets somebody in."""
    secret = access.secret.get_secret_value()
    if access.user:
        return {"Authorization": f"Basic {base64.b64encode(f'{access.user}:{secret}'.encode()).decode()}"}
    return {access.header: f"{access.scheme} {secret}".strip()}


class Exchange:
    """Asks over one set of connections."""

    def __init__(self, transport: GuardedTransport, limits: Limits, ctx: Context, home: str) -> None:
        self._transport = transport
        self._limits = limits
        self._ctx = ctx
        self._home = _origin(httpx.URL(home))

    def ask(self, ask: Ask) -> Answer:
        """Ask until there is an answer that is no plea to wait.

        Raises:
            NodeError: there is none, or it says that something is wrong.
        """
        for attempt in range(1, self._limits.attempts + 1):
            answer = self._followed(ask)
            said = f"{ask.method} {_place(answer.url)}: {answer.status}"
            self._ctx.log.info("%s", said)
            if answer.status not in _PAUSED or attempt == self._limits.attempts:
                break
            self._pause(answer, attempt, said)
        codes = self._limits.codes
        if answer.status in codes if codes is not None else 200 <= answer.status < 300:
            return answer
        text = answer.content[:300].decode("utf-8", "replace").strip()
        raise NodeError(
            f"{said}{': ' + text if text else ''}", way_out="ok_codes=[…] names the codes that are all right"
        )

    def _pause(self, answer: Answer, attempt: int, said: str) -> None:
        asked = _asked_pause(answer.headers.get("retry-after"))
        if asked is not None and asked > self._limits.pause:
            raise NodeError(
                f"{said}, and asks for a pause of {asked:.0f} s",
                way_out=f'max_wait="{asked + 1:.0f}s" would wait for it',
            )
        until = time.monotonic() + (asked if asked is not None else min(2.0 ** (attempt - 1), self._limits.pause))
        while (left := until - time.monotonic()) > 0:
            if self._ctx.cancelled:
                raise NodeError(f"{said}; cancelled while waiting")
            time.sleep(min(left, 0.1))

    def _followed(self, ask: Ask) -> Answer:
        deadline = time.monotonic() + self._limits.seconds
        for _ in range(_REDIRECTS + 1):
            answer = self._once(ask, deadline)
            target = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or target is None:
                return answer
            ask = _redirected(ask, answer, target)
        raise NodeError(f"{_place(ask.url)}: more than {_REDIRECTS} redirects")

    def _once(self, ask: Ask, deadline: float) -> Answer:
        url = _checked(ask.url)
        headers = {"User-Agent": "codemation", "Accept": "*/*", "Accept-Encoding": "gzip, deflate", **ask.headers}
        if _origin(url) == self._home:
            headers.update(ask.secret)
        else:
            headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        left = max(deadline - time.monotonic(), 0.001)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), left)
        request = httpx.Request(ask.method, url, headers=headers, extensions={"timeout": timeout}, **ask.body)
        try:
            response = self._transport.handle_request(request)
            try:
                content = self._read(response, deadline)
            finally:
                response.close()
        except (httpx.HTTPError, httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            said = str(error) or type(error).__name__
            raise NodeError(f"{ask.method} {_place(ask.url)}: {said}") from None
        return Answer(
            status=response.status_code,
            url=str(url),
            headers=response.headers,
            content=content,
            links={name: dict(link) for name, link in response.links.items() if name},
            encoding=response.charset_encoding or "utf-8",
        )

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        content = bytearray()
        for block in response.iter_bytes():
            content += block
            if len(content) > self._limits.bytes:
                raise NodeError(
                    f"{_place(str(response.request.url))} gave more than {self._limits.bytes:,} bytes",
                    way_out="max_bytes=… takes more",
                )
            if time.monotonic() > deadline or self._ctx.cancelled:
                why = "was cancelled" if self._ctx.cancelled else f"took longer than {self._limits.seconds:g} s"
                raise NodeError(f"{_place(str(response.request.url))} {why}")
        return bytes(content)


def asked_url(url: str, query: Mapping[str, Any]) -> str:
    """The URL with further parameters."""
    made = _checked(url)
    return str(made.copy_merge_params(dict(query)) if query else made)


def _checked(url: str) -> httpx.URL:
    try:
        made = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ContractError(f"{url!r:.100} is no URL: {error}") from None
    if made.scheme not in ("http", "https") or not made.host or "%" in made.host:
        raise ContractError(f"{url!r:.100} is no URL that begins with http:// or https://")
    if made.userinfo:
        raise ContractError("a URL holds a password, which would be stored", way_out="give the credential `access`")
    return made


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _place(url: str) -> str:
    """A URL without its query, in which secrets may stand."""
    return str(httpx.URL(url).copy_with(query=None, fragment=None, userinfo=b""))


def _redirected(ask: Ask, answer: Answer, target: str) -> Ask:
    url = str(httpx.URL(answer.url).join(target))
    keeps = answer.status in (307, 308) or ask.method in ("GET", "HEAD")
    return replace(ask, url=url, method=ask.method if keeps else "GET", body=ask.body if keeps else {})


def _asked_pause(text: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
