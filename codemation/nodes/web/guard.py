"""Connections that lead to public addresses only, unless another one was allowed by name.

A name is resolved here, all its addresses are judged, and the connection is made to one that was judged: nobody can
give another answer in between. It holds for every connection, so for redirects and further pages as well.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpcore
import httpx

from codemation.core.errors import NodeError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(NodeError):
    """The address is not one that may be asked."""


class GuardedBackend(httpcore.NetworkBackend):
    """Makes connections to addresses that are allowed."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._names = {name.lower().rstrip(".") for name in allowed}
        self._networks = list(_networks(allowed))
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to an address of the host that was judged.

        Raises:
            Forbidden: one of its addresses is not public, and not allowed.
        """
        addresses = self.judged(host, port)
        for address in addresses[:-1]:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._plain.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    def judged(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of which may be asked.

        Raises:
            Forbidden: one of them may not.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host {host!r} is not known: {error}") from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            if not self._may(host, ipaddress.ip_address(address.partition("%")[0])):
                raise Forbidden(
                    f"{host} leads to {address}, which is no public address",
                    way_out=f'if that is what you want: allow=["{host}"]',
                )
        return addresses

    def _may(self, host: str, address: Address) -> bool:
        if host.lower().rstrip(".") in self._names or any(address in network for network in self._networks):
            return True
        return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _meant(address))


def _networks(allowed: Sequence[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for one in allowed:
        try:
            yield ipaddress.ip_network(one)
        except ValueError:
            continue  # it is the name of a host


def _meant(address: Address) -> list[Address]:
    """The address, and the one that is hidden inside of it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return [address.ipv4_mapped]
        if address.sixtofour is not None:
            return [address, address.sixtofour]
        if address in _NAT64:
            return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


class GuardedTransport(httpx.BaseTransport):
    """Sends requests over guarded connections; takes no notice of proxies in the environment."""

    def __init__(self, allowed: Sequence[str], context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context or ssl.create_default_context(), network_backend=GuardedBackend(allowed)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(status_code=answer.status, headers=answer.headers, stream=_Body(answer), request=request)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
