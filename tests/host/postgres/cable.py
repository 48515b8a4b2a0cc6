"""A cable between a client and its server that can be cut, or go dark: then it takes everything and passes nothing on.

Whoever hangs on a dark cable hears neither an answer nor an end, and the system's own keepalives are answered. A
connection that was in the dark never works again, also when new ones do, as after the loss of a router's memory.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

FIRST = 4096
"""Bytes by which a connection is known: its client says early who it is."""


@dataclass(eq=False, slots=True, kw_only=True)
class _Strand:
    """One connection."""

    client: socket.socket
    server: socket.socket
    dark: bool = False
    over: bool = False
    said: bytes = b""
    struck: bool = False
    """Whether the client has asked something whose answer is not passed on."""
    threads: list[threading.Thread] = field(default_factory=list)

    def hang_up(self) -> None:
        self.over = True
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        for thread in self.threads:
            thread.join(30)
        self.client.close()
        self.server.close()


class Cable:
    """Passes on whatever comes to its port, until it is cut, or goes dark."""

    def __init__(self, server: Path | tuple[str, int]) -> None:
        """`server` is where it leads: a socket in the file system, or host and port."""
        self._server = server
        self._guard = threading.Lock()
        self._strands: list[_Strand] = []
        self._dark: bytes | None = None
        self._blow: tuple[bytes, Callable[[], None]] | None = None
        """Of what a client says, and what happens when the server has answered that."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, url: str) -> str:
        """The URL of a server, by way of the cable."""
        if url.startswith("redis://"):
            before, _, after = url.rpartition("@")
            return f"{before}@127.0.0.1:{self.port}/{after.partition('/')[2]}"
        before, _, after = url.partition("?")
        others = [one for one in after.split("&") if not one.startswith("host=")]
        return f"{before}?{'&'.join([f'host=127.0.0.1&port={self.port}', *others])}"

    def known(self, known_by: bytes) -> int:
        """How many connections work whose clients have said this early."""
        with self._guard:
            return len(self._working(known_by))

    def cut(self, known_by: bytes = b"") -> int:
        """End every connection, or those whose clients have said this early; new ones work. Says how many."""
        with self._guard:
            found = [strand for strand in self._strands if known_by in strand.said]
            self._strands = [strand for strand in self._strands if strand not in found]
        for strand in found:
            strand.close()
        return len(found)

    def darken(self, known_by: bytes = b"") -> int:
        """Pass nothing on any more, in either direction: of all connections, or those whose clients say this early.

        Says how many there were.
        """
        with self._guard:
            self._dark = known_by
            found = self._working(known_by)
            for strand in found:
                strand.dark = True
        return len(found)

    def _working(self, known_by: bytes) -> list[_Strand]:
        strands = (strand for strand in self._strands if not strand.dark and not strand.over)
        return [strand for strand in strands if known_by in strand.said]

    def strike(self, words: bytes, strike: Callable[[], None]) -> None:
        """Call `strike` once: a client has said these words, by which a statement is known that it has not used before.

        The server has done what it was asked, and its answer is not passed on.
        """
        with self._guard:
            self._blow = (words, strike)

    def spare(self) -> None:
        """Nothing is struck any more that was not struck yet."""
        with self._guard:
            self._blow = None

    def lighten(self) -> None:
        """New connections work again."""
        with self._guard:
            self._dark = None

    def forget(self) -> None:
        """The server has noticed which clients it does not reach, and lets go of them; they do not hear of it."""
        with self._guard:
            for strand in self._strands:
                if strand.dark:
                    strand.let_go()

    def close(self) -> None:
        """End every connection, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX if isinstance(self._server, Path) else socket.AF_INET)
                try:
                    server.connect(str(self._server) if isinstance(self._server, Path) else self._server)
                except OSError:
                    client.close()
                    server.close()
                    continue
                self._serve(_Strand(client=client, server=server))

    def _serve(self, strand: _Strand) -> None:
        ways = ((strand.client, strand.server), (strand.server, strand.client))
        strand.threads = [threading.Thread(target=self._carry, args=(strand, *way), daemon=True) for way in ways]
        with self._guard:  # whoever ends it waits for its threads
            self._strands.append(strand)
            for thread in strand.threads:
                thread.start()

    def _carry(self, strand: _Strand, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if source is strand.client:
                    self._listen(strand, data)
                elif strand.struck and (blow := self._taken()) is not None:
                    blow()
                    break
                with self._guard:
                    strand.dark |= self._dark is not None and self._dark in strand.said
                    if strand.dark:
                        return
                sink.sendall(data)
        if not strand.dark:
            strand.hang_up()

    def _taken(self) -> Callable[[], None] | None:
        """What the blow does that falls now."""
        with self._guard:
            blow, self._blow = self._blow, None
        return None if blow is None else blow[1]

    def _listen(self, strand: _Strand, data: bytes) -> None:
        """Take note of what a client says."""
        if len(strand.said) < FIRST:
            strand.said += data
        blow = self._blow
        strand.struck |= blow is not None and blow[0] in data


@contextlib.contextmanager
def cables(*servers: Path | tuple[str, int]) -> Iterator[list[Cable]]:
    """A cable to each of these servers."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Cable(server)) for server in servers]
