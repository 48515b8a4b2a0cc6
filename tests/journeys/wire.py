"""A socket between a client and its server that can stop either of them at a moment of the test's choice.

The moments are numbered by what the client has sent so far: everything it ever asks, the login included.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What happens at one question of the client's; its connection ends there."""

    number: int
    """The question, counted from 1."""
    when: Literal["asked", "answered"]
    """Before the server hears the question, or when it has answered and the client has not heard it."""
    strike: Callable[[], None] = lambda: None
    """What happens besides: somebody may be killed."""


class Wire:
    """Passes everything on, counts the questions, and cuts where it is told to."""

    def __init__(self, folder: Path, server: Path, cuts: tuple[Cut, ...]) -> None:
        self.folder = folder
        self.asked = 0
        self._cuts = {cut.number: cut for cut in cuts}
        self._server = server
        self._guard = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._threads[0].start()

    def url(self, url: str) -> str:
        """The server's URL, by way of the wire."""
        before, _, after = url.partition("host=")
        return f"{before}host={self.folder}{after[after.find('&') :] if '&' in after else ''}"

    def close(self) -> None:
        """End every connection, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(30)  # whom it is letting in right now is hung up on as well
        self._listener.close()
        for end in self._ends:
            _hang_up(end)
        for thread in self._threads[1:]:
            thread.join(30)
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self._ends += (client, server)
                try:
                    server.connect(str(self._server))
                except OSError:
                    _hang_up(client)
                    continue
                self._serve(client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        pending: list[Cut] = []
        for work in (self._carry_questions, self._carry_answers):
            thread = threading.Thread(target=work, args=(client, server, pending), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry_questions(self, client: socket.socket, server: socket.socket, pending: list[Cut]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                with self._guard:
                    self.asked += 1
                    cut = self._cuts.get(self.asked)
                if cut is not None and cut.when == "asked":
                    cut.strike()
                    break
                if cut is not None:
                    pending.append(cut)
                server.sendall(data)
        _hang_up(client)
        _hang_up(server)

    def _carry_answers(self, client: socket.socket, server: socket.socket, pending: list[Cut]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if pending:
                    pending.pop().strike()
                    break
                client.sendall(data)
        _hang_up(client)
        _hang_up(server)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(server: Path, *cuts: Cut) -> Iterator[Wire]:
    """A wire to the server that listens there."""
    folder = Path(tempfile.mkdtemp(prefix="codemation-wire-", dir="/tmp"))  # a socket's path is short
    made = Wire(folder, server, cuts)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
