"""No network: while it is closed, a connection to anything but this machine's own files is refused with a clear word.

An audit hook sees every connection that Python opens, whatever library asks for it; it cannot be taken out again, so
there is one for the process, which looks at nothing while no harness is open. Connections that a library opens in C by
itself (libpq does) are not seen.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any


class NetworkRefused(ConnectionError):
    """A node under test wanted to talk to the world."""


class _Gate:
    def __init__(self) -> None:
        self.closed: list[frozenset[str]] = []
        """The hosts that are let through, for each harness that is open."""
        self.watching = False
        self.guard = threading.Lock()


_gate = _Gate()


@contextmanager
def closed(but: Collection[str] = ()) -> Iterator[None]:
    """Refuse connections, except to the hosts that are named."""
    allowed = frozenset(but)
    with _gate.guard:
        if not _gate.watching:
            sys.addaudithook(_seen)
            _gate.watching = True
        _gate.closed.append(allowed)
    try:
        yield
    finally:
        with _gate.guard:
            _gate.closed.remove(allowed)


def _seen(event: str, arguments: tuple[Any, ...]) -> None:
    if not _gate.closed or not event.startswith("socket."):
        return
    host = _asked(event, arguments)
    if host is not None and not any(host in allowed for allowed in _gate.closed):
        raise NetworkRefused(
            f"there is no network in a harness, and {host} was asked for; give the node a fake: "
            f"harness.run(…, replace={{node: fake}}), or let the host through: Harness(network=[{host!r}])"
        )


def _asked(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The host that somebody wants to reach."""
    if event == "socket.getaddrinfo":
        return _text(arguments[0])
    if event in ("socket.connect", "socket.sendto"):
        sock, address = arguments[0], arguments[1]
        unix = getattr(sock, "family", None) == getattr(socket, "AF_UNIX", None)
        return None if unix else _text(address[0] if isinstance(address, tuple) else address)
    return None


def _text(host: object) -> str | None:
    if host is None:
        return None
    return host.decode(errors="replace") if isinstance(host, bytes) else str(host)
