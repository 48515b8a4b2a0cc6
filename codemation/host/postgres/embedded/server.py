"""The embedded server as its users see it: open it, ask for its URL, close it.

Everybody who opens the same folder shares one server. Whoever needs it starts it; it ends a few seconds after the last
one has gone, however they went. Opening goes: home → start lock → a share of the users' lock → cluster → watchdog →
server → its answer. The share is taken before anything is started and the watchdog before the server, so a server that
nobody would ever stop cannot come about, wherever the opener is killed.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from codemation.host.postgres.embedded.address import Address, find_address, shortened
from codemation.host.postgres.embedded.cluster import check_cluster, create_cluster
from codemation.host.postgres.embedded.errors import ServerClosed, refusing
from codemation.host.postgres.embedded.home import SYSTEM_STATE, Home, find_home
from codemation.host.postgres.embedded.locks import PATIENCE, SharedLock, starting
from codemation.host.postgres.embedded.postmaster import (
    GRACE,
    failure,
    ready,
    running,
    start_server,
    start_watchdog,
    stop_unreachable,
)
from codemation.host.postgres.embedded.programs import programs_for


class EmbeddedServer:
    """One process's use of a project's PostgreSQL server; safe to share between threads.

    A forked child has no use of its own: it may connect while its parent has, or call `ensure()` to get one.
    """

    def __init__(self, directory: Path, *, state: Path = SYSTEM_STATE, grace: float = GRACE) -> None:
        self._directory = directory.absolute()
        self._state = state
        self._grace = grace
        self._guard = threading.Lock()
        self._users: SharedLock | None = None
        self._address: Address | None = None
        _open_servers.add(self)

    @property
    def url(self) -> str:
        """The connection URL for libpq, psycopg and SQLAlchemy; it names the password's file, not the password."""
        if self._address is None:
            raise _closed(self._directory)
        return self._address.url

    def ensure(self) -> None:
        """Sees to it that the server takes clients, and starts it again if it died; quick when all is well.

        Raises:
            EmbeddedError: it cannot be started; the error's class says why.
        """
        with self._guard:
            if self._users and self._users.held and self._address and self._address.answers():
                return
            home = find_home(self._directory, self._state)
            with refusing(home.folder), starting(home.lock("start"), home.make) as start_lock:
                if self._users is None or not self._users.counts:
                    if self._users:
                        self._users.drop()
                    self._users = SharedLock(home.lock("users"))
                self._address = _bring_up(home, start_lock, self._grace)

    def close(self) -> None:
        """Ends this process's use; the server ends a few seconds after the last one's."""
        with self._guard:
            if self._users:
                self._users.drop()
            self._users = self._address = None

    def forget(self) -> None:
        """Leaves the use to the parent, in a child that was just forked."""
        self._guard = threading.Lock()
        self._users = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self._users and self._users.held else "closed"
        return f"<EmbeddedServer {state} {self._directory}>"


def open_embedded(directory: Path, *, state: Path = SYSTEM_STATE, grace: float = GRACE) -> EmbeddedServer:
    """Opens the PostgreSQL server of a project's `.codemation/` folder, and starts it if it does not run.

    Only root's server uses the `state` folder, and only when its account cannot reach the project. `grace` is how many
    seconds the server outlives its last user; whoever finds it running takes it as it is.

    Raises:
        EmbeddedError: it cannot be started; the error's class says why.
    """
    server = EmbeddedServer(directory, state=state, grace=grace)
    try:
        server.ensure()
    except BaseException:
        server.close()
        raise
    return server


ATTEMPTS = 2
"""How often a server is started before its end counts as a failure: one may be killed while it starts."""

_open_servers: weakref.WeakSet[EmbeddedServer] = weakref.WeakSet()


def _after_fork() -> None:
    for server in list(_open_servers):
        server.forget()


os.register_at_fork(after_in_child=_after_fork)


def _bring_up(home: Home, start_lock: int, grace: float) -> Address:
    """Makes whatever is missing between an empty folder and a server that answers; the caller holds the start lock."""
    programs = programs_for(home.account, home.state)
    address = find_address(home)
    if not home.data.exists():
        create_cluster(home, programs, start_lock, shortened(home, address))
    check_cluster(home)
    start_watchdog(home, grace)
    since = home.log.stat().st_size if home.log.exists() else 0
    deadline, starts = time.monotonic() + PATIENCE, 0
    while not (ready(home) and address.answers()):
        if not running(home):
            if starts == ATTEMPTS:
                raise failure(home, since)
            starts += start_server(home, programs, address)
        elif time.monotonic() > deadline:
            raise failure(home, since)
        else:
            stop_unreachable(home, address)
            time.sleep(0.005)
    return address


def _closed(directory: Path) -> ServerClosed:
    return ServerClosed(
        f"The embedded PostgreSQL server in {directory} was closed by this process.",
        way_out="Call ensure() to open it again, or keep it open while you use it.",
    )
