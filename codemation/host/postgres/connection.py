"""Connections to PostgreSQL: few, kept open, lent for one statement at a time.

Nothing is bound to a connection but its settings and prepared statements, so that any of them serves anybody. Whatever
goes wrong on one leaves this module as an error of ours: what means "nobody knows what happened, look again" as
`StoreUnavailable`, everything else by its own name.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8BinaryDumper

from codemation.core.errors import HostError, StoreUnavailable
from codemation.host.postgres.faults import is_full, loses_connection, translate, unreachable
from codemation.host.postgres.link import Link
from codemation.host.postgres.silence import Attentive, answer_limit

SETTINGS: Mapping[str, str] = {
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
    "TimeZone": "UTC",
    "jit": "off",
    # The hot statements find every row by an index. A plan that was made while a table was nearly empty would scan or
    # sort all of it, or of an index, for as long as it is cached; these take such plans away, and the way in which the
    # statements are written does the rest (see HELD in statements.py). A plan is made once, not five times.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_indexonlyscan": "off",
    "enable_sort": "off",
    "cpu_index_tuple_cost": "1",
}
OVER_A_NETWORK: Mapping[str, str] = {
    # By these the server lets go of a client that is gone; each would keep a connection from others for two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
NETWORK: Mapping[str, str | int] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "codemation",
    "target_session_attrs": "read-write",
    "client_encoding": "UTF8",
}
REST = 10.0
"""Seconds after which a connection that nobody needs is closed, apart from the last one: others may wait for one."""
FULL = 5.0
"""Seconds for which a process makes do with what it has, after the server had no more connections."""


class Lease:
    """The use of a connection for the length of a `with`; translates what psycopg raises in it."""

    __slots__ = ("_connections", "_link")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __enter__(self) -> Link:
        self._link = self._connections._take()  # noqa: SLF001 - the two are one thing: a lease is taken and given back
        return self._link

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connections = self._connections
        connections._give_back(self._link, error)  # noqa: SLF001 - as above
        if error is not None and isinstance(error, psycopg.Error):
            raise translate(error, connections.target) from error


class Connections:
    """At most `limit` connections of this process to one database; threads wait for their turn.

    A forked child opens its own and never touches its parent's.
    """

    def __init__(
        self,
        url: str,
        *,
        limit: int = 4,
        pooled: bool = False,
        alone: bool = False,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """`on_lost` is called before a lost connection is opened again; `pooled` is for poolers without memory.

        A process that is `alone` shares its work with no others, and takes the processor for waiting.

        Raises:
            HostError: the URL cannot be read.
        """
        self._conninfo = connection_string(url, sets=not pooled)
        self.target = target_of(self._conninfo)
        self._limit = limit
        self._prepare = not pooled
        self._alone = alone
        self._on_lost = on_lost
        self._inherited: list[Link] = []
        self._idle: list[Link] = []
        self._closed = False
        self._start_anew()

    def __repr__(self) -> str:
        return f"<Connections to {self.target}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lease(self) -> Lease:
        """A connection for one statement, or for one transaction."""
        return Lease(self)

    @property
    def spare(self) -> bool:
        """Whether who holds a connection may wait for another one: it is not the only one that there is."""
        return bool(self._idle)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._check_process()
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            self._turn.notify_all()
        for link in idle:
            link.connection.close()

    def _start_anew(self) -> None:
        self._process = os.getpid()
        self._guard = threading.RLock()
        self._turn = threading.Condition(self._guard)
        """For those who wait for a connection."""
        self._waiting = 0
        self._idle = []
        self._open = 0
        self._generation = 0
        self._lost = False
        self._refused_at = float("-inf")

    def _check_process(self) -> None:
        if self._process != os.getpid():
            # Closing an inherited connection, or letting it be collected, would end the parent's session.
            self._inherited += self._idle
            self._start_anew()

    def _take(self) -> Link:
        self._check_process()
        waited = False
        while True:
            with self._guard:
                while not self._idle and self._open >= self._may_have():
                    self._waiting += 1
                    self._turn.wait(FULL)
                    self._waiting -= 1
                if self._closed:
                    raise HostError(f"the stores on {self.target} were closed")
                if self._idle:
                    return self._idle.pop()
                self._open += 1
                generation, lost = self._generation, self._lost
            try:
                return Link(self._connect(lost), generation, prepare=self._prepare, alone=self._alone)
            except BaseException as error:
                if not self._makes_do(error) or waited:  # what there is may be held by whoever asks
                    raise
                waited = True

    def _may_have(self) -> int:
        refused = time.monotonic() - self._refused_at < FULL
        return max(1, self._open) if refused else self._limit

    def _makes_do(self, error: BaseException) -> bool:
        """Give up opening one more connection; whether those that there are will do, for the server has no more."""
        with self._guard:
            self._open -= 1
            self._turn.notify()
            if not (self._open and isinstance(error, StoreUnavailable) and is_full(error.__cause__)):
                return False
            self._refused_at = time.monotonic()
            return True

    def _give_back(self, link: Link, error: BaseException | None) -> None:
        if link.process != os.getpid():
            self._inherited.append(link)
            return
        cut_off = error is not None and isinstance(error, psycopg.Error) and loses_connection(error)
        useless: list[Link] = []
        with self._guard:
            if cut_off and link.generation == self._generation:
                # The server has gone away, so what is idle was cut off as well.
                self._generation += 1
                self._lost = True
                useless, self._idle = self._idle, []
            current = link.generation == self._generation and not self._closed
            if current and (error is None or link.usable):
                link.rests_since = time.monotonic()
                self._idle.append(link)
                if len(self._idle) > 1 and link.rests_since - self._idle[0].rests_since > REST:
                    useless.append(self._idle.pop(0))
            else:
                useless.append(link)
            self._open -= len(useless)
            if self._waiting:
                self._turn.notify(1 + len(useless))
        for each in useless:
            each.connection.close()

    def _connect(self, lost: bool) -> Attentive:
        if lost and self._on_lost:
            self._on_lost()
        try:
            connection = connect(self._conninfo)
        except psycopg.OperationalError as error:
            if self._on_lost is None or lost:
                raise unreachable(error, self.target) from error
            self._on_lost()
            try:
                connection = connect(self._conninfo)
            except psycopg.OperationalError as again:
                raise unreachable(again, self.target) from again
        with self._guard:
            self._lost = False
        connection.prepare_threshold = None  # whoever prepares does it himself
        return connection


def connect(conninfo: str) -> Attentive:
    """A connection in autocommit mode that sends every number as a bigint, so that a statement is prepared once."""
    connection = Attentive.connect(conninfo, autocommit=True)
    connection.limit = answer_limit(conninfo)
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    return connection


def connection_string(url: str, *, sets: bool = True) -> str:
    """A libpq connection string with our settings, if it sets any, where the URL has none of its own.

    Raises:
        HostError: the URL cannot be read. What it says is not repeated, for it may hold a password.
    """
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        given = conninfo_to_dict(plain)
    except psycopg.ProgrammingError:
        raise HostError(
            "the database URL cannot be read",
            way_out="write it as postgresql://user@host:5432/name, with special characters of a password as %XX",
        ) from None
    host = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "/")
    wanted = {} if not sets else SETTINGS if host.startswith(("/", "@")) else {**SETTINGS, **OVER_A_NETWORK}
    ours = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    options = f"{ours} {given.pop('options', None) or ''}".strip()
    return make_conninfo("", **{**NETWORK, **given, **({"options": options} if options else {})})


def target_of(conninfo: str) -> str:
    """Where a connection string leads, for people: host or socket and database, never user or password."""
    given = conninfo_to_dict(conninfo)
    name = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "the default one"
    host = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "the default socket")
    port = given.get("port") or os.environ.get("PGPORT")
    return f'database "{name}" at {host}' + (f":{port}" if port and not host.startswith("/") else "")
