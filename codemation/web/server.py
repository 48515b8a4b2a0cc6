"""The server process: listens, answers until it is told to stop, and stops without breaking anything off."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

import uvicorn
from anyio.to_thread import current_default_thread_limiter

from codemation.core.errors import HostError
from codemation.host.log_lines import write_log
from codemation.host.settings import Settings
from codemation.web.application import application
from codemation.web.service import THREADS, Service

GRACE = 20
"""Seconds that requests under way have to come to their end when the server stops."""
BACKLOG = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where and how the server listens."""

    host: str = "127.0.0.1"
    port: int = 8000
    root_path: str = ""
    unguarded: bool = False
    log_format: Literal["text", "json"] = "text"


def serve(settings: Settings, listening: Listening, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        HostError: the address is taken, or the app can never be opened; says what to do.
    """
    write_log(listening.log_format, heard=("codemation", "uvicorn.error"))
    with bound(listening.host, listening.port) as door:
        loopback = is_loopback(door)
        service = Service(settings, loopback=loopback, unguarded=listening.unguarded, root_path=listening.root_path)
        service.open()
        try:
            server = Server(service, listening)
            said(service, door, say)
            server.run([door])
        finally:
            service.close()
    say("stopped")


def said(service: Service, door: socket.socket, say: Callable[[str], None]) -> None:
    """Say where the server is, and who may come in.

    Raises:
        HostError: everybody could, from anywhere.
    """
    guarded = service.trouble is not None or service.has_tokens()
    if not guarded and not service.loopback and not service.unguarded:
        raise HostError(
            "there is no token yet, so everybody who reaches this address could do everything",
            way_out="codemation tokens create NAME --role admin; or listen at 127.0.0.1, or say --unguarded",
        )
    host, port = door.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    say(f"listening at http://{name}:{port}{service.root}  (API: /api/v1/docs)")
    if not guarded:
        who = "everybody who reaches it" if not service.loopback else "every program of this machine"
        say(f"! there is no token, so {who} may do everything: codemation tokens create NAME --role admin")
    if service.trouble is not None:
        say(f"! {service.trouble.message}; answering 503 until it is there")


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens at an address.

    Raises:
        HostError: somebody else does, or there is no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise HostError(f"{host!r} is no address here: {error.strerror}", way_out="--host 127.0.0.1") from None
    with door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(address)
            door.listen(BACKLOG)
        except OSError as error:
            way_out = "stop whoever listens there, or take another: --port 8001"
            raise HostError(f"port {port} of {host} cannot be listened at: {error.strerror}", way_out=way_out) from None
        yield door


def is_loopback(door: socket.socket) -> bool:
    """Whether only programs of this machine reach it."""
    return ip_address(door.getsockname()[0]).is_loopback


class Server(uvicorn.Server):
    """uvicorn, that tells the service when it stops, and leaves what follows to whoever runs it."""

    def __init__(self, service: Service, listening: Listening) -> None:
        self._service = service
        super().__init__(
            uvicorn.Config(
                application(service),
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                root_path=listening.root_path,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        asyncio.run(self.serve(sockets=sockets))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let handlers that are plain functions have as many threads as the bridge has."""
        current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Let streams end as soon as the signal comes, so that nobody has to wait for them."""
        self._service.draining.set()
        self.force_exit = self.should_exit  # whoever asks again does not want to wait
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals for as long as this serves; afterwards they mean what they meant before."""
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {one: signal.signal(one, self.handle_exit) for one in wanted}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
