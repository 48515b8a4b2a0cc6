"""Where requests come from and who sends them: hosts, origins, tokens."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from codemation.host.access import digest_of
from codemation.web.identity import EVERYBODY, Actor, actor_of
from codemation.web.problems import Refused, problem
from codemation.web.service import Service

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN = ("/api/v1/openapi.json", "/api/v1/docs")
"""Parts of the API that everybody may read."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Doors:
    """Who may come in, and as whom."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._hosts = frozenset(service.settings.config.allowed_hosts)
        self._closed = False
        """Whether there ever was a token; then there is no way in without one any more."""

    def check_host(self, headers: Headers) -> None:
        """Refuse requests for hosts that are not this one: a page may have its name lead here (DNS rebinding)."""
        host = host_of(headers.get("host", ""))
        allowed = self._hosts or (LOOPBACK if self._service.loopback else None)
        if allowed is not None and "*" not in allowed and host not in allowed:
            way_out = f"name it in the setting allowed_hosts: {host}" if host else "send a Host header"
            raise Refused(problem(400, f"this server is not called {host!r}", kind="unknown host", way_out=way_out))

    def check_origin(self, headers: Headers) -> None:
        """Refuse what a page of somebody else's lets a browser send."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        foreign = origin is not None and host_of(urlsplit(origin).netloc) != host_of(headers.get("host", ""))
        if foreign or site == "cross-site":
            raise Refused(problem(403, "this comes from a page of another site", way_out="ask without a browser"))

    def is_guarded(self, path: str) -> bool:
        """Whether it has to be known who asks."""
        return path.startswith("/api/") and path not in OPEN

    async def actor(self, headers: Headers) -> Actor:
        """Who asks.

        Raises:
            Refused: nobody knows.
        """
        service = self._service
        text = _bearer(headers)
        if text is not None:
            token = await service.call(lambda: service.app.stores.tokens.holder(digest_of(text)))
            if token is not None:
                return actor_of(token)
            raise _unknown("this token does not count: it was revoked, has expired, or never was one")
        if service.unguarded:
            return EVERYBODY
        if service.loopback and not any(name in headers for name in _FORWARDED) and await self._is_open():
            return EVERYBODY
        raise _unknown("a token is needed")

    async def _is_open(self) -> bool:
        """Whether nobody has made a token yet."""
        service = self._service
        if not self._closed:
            self._closed = await service.call(service.has_tokens)
        return not self._closed


def host_of(netloc: str) -> str:
    """The host of an address, without its port."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _bearer(headers: Headers) -> str | None:
    """The text after `Authorization: Bearer`; none without that header."""
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, text = given.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _unknown(detail: str) -> Refused:
    way_out = "send Authorization: Bearer TOKEN; codemation tokens create makes one"
    return Refused(problem(401, detail, way_out=way_out, WWW_Authenticate="Bearer"))
