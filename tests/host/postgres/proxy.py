"""A proxy in front of a PostgreSQL server that loses an answer when it is told to."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path


class LossyProxy:
    """Passes everything on; a lost answer was given by the server, and its client's connection ends instead."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self._losing = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def lose_the_next_answer(self) -> None:
        """From now on, until one is lost."""
        self._losing.set()

    def close(self) -> None:
        """Take no connections any more, and wait for those that there are to end."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._ends += (client, server)
            pairs = ((client, server, False), (server, client, True))
            threads = [threading.Thread(target=self._pass_on, args=pair, daemon=True) for pair in pairs]
            self._threads += threads
            for thread in threads:
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self._losing.is_set():
                    self._losing.clear()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def lossy_proxy(server: Path) -> Iterator[LossyProxy]:
    """A proxy in front of the server that listens there."""
    folder = Path(tempfile.mkdtemp(prefix="codemation-proxy-", dir="/tmp"))
    proxy = LossyProxy(folder, server)
    try:
        yield proxy
    finally:
        proxy.close()
        shutil.rmtree(folder)
