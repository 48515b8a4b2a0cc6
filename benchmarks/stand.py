"""What the benchmarks stand on: a private folder, the product's own server in it, and whoever works on that."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from benchmarks.effort import Effort
from benchmarks.floor import Floor
from benchmarks.peer import DBOS, Peer, PeerKind, PeerMissing, installed
from codemation.adapters.redis.server import RedisServer
from codemation.host.app import App
from codemation.host.default_app import close_default_apps
from codemation.host.postgres.embedded import EmbeddedServer, open_embedded

DISK = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it; other temporary folders may lie in memory
OURS = "postgres"
"""The database in which the product keeps its runs on an embedded server."""
RELOADED = 0.5
"""Seconds after which every session has taken up settings that were changed."""


class Stand:
    """One server; floor, peer and ours on it."""

    def __init__(self, folder: Path, server: EmbeddedServer, effort: Effort) -> None:
        self.folder = folder
        self.effort = effort
        self._server = server
        self._environments: Path | None = None
        self._peers: dict[str, Peer] = {}
        self._absent: dict[str, str] = {}
        """Why peers do not take part, by name."""
        self._redis: RedisServer | None = None
        self.floor = Floor(self.database("floor"))

    @property
    def url(self) -> str:
        """The URL of the product's database."""
        return self._server.url

    def database(self, name: str) -> str:
        """The URL of a database on the server, made if it is not there."""
        with psycopg.connect(self._server.url, autocommit=True) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                admin.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self._server.url.replace(f"/{OURS}?", f"/{name}?")

    def ask(self, query: LiteralString, *values: Any) -> tuple[Any, ...]:
        """The one row that a query about the server gives; it is asked from beside the product's database."""
        with psycopg.connect(self.database("floor"), autocommit=True) as connection:
            row = connection.execute(query, values or None).fetchone()
        assert row is not None
        return row

    def inside(self, query: LiteralString, *values: Any) -> tuple[Any, ...]:
        """The first row, if any, of a statement in the product's database."""
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return (cursor.fetchone() or ()) if cursor.description else ()

    def within(self, name: str, query: LiteralString) -> tuple[Any, ...]:
        """The one row that a query in one of the databases gives."""
        with psycopg.connect(self.database(name), autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row

    def unvacuumed(self) -> contextlib.AbstractContextManager[None]:
        """Without the server's own vacuum, whose pages and log would be counted along whenever it happens to come.

        The log stays until it has been read, however much others have written before.
        """
        return self._set(autovacuum="off", wal_keep_size="8GB")

    def slower_commits(self, microseconds: int) -> contextlib.AbstractContextManager[None]:
        """On a disk, so to speak, on which each commit of anybody takes so much longer, and a little more."""
        return self._set(commit_delay=str(microseconds), commit_siblings="0")

    @contextlib.contextmanager
    def _set(self, **settings: str) -> Iterator[None]:
        names = {name: psycopg.sql.Identifier(name) for name in settings}
        with psycopg.connect(self._server.url, autocommit=True) as admin:
            for name, value in settings.items():
                admin.execute(psycopg.sql.SQL("ALTER SYSTEM SET {} = {}").format(names[name], value))
            self._reload(admin)
            try:
                yield
            finally:
                for name in names.values():
                    admin.execute(psycopg.sql.SQL("ALTER SYSTEM RESET {}").format(name))
                self._reload(admin)

    def _reload(self, admin: psycopg.Connection[Any]) -> None:
        admin.execute("SELECT pg_reload_conf()")
        time.sleep(RELOADED)

    def redis(self, number: int) -> str:
        """The URL of a Redis, which is started when somebody asks for the first time: one of its databases."""
        if self._redis is None:
            self._redis = RedisServer(self.folder / "redis")
        return f"{self._redis.url.rpartition('/')[0]}/{number}"

    def invite(self, environments: Path) -> None:
        """Let peers take part that can be had; each has an environment of its own in there."""
        self._environments = environments
        self._absent.clear()

    @property
    def peer(self) -> Peer | None:
        """The peer that works in one process, if it takes part."""
        return self.guests(DBOS).get(DBOS.name)

    def guests(self, *kinds: PeerKind) -> dict[str, Peer]:
        """Those of the peers that take part, by name."""
        for number, kind in enumerate(kinds, 1):
            if kind.name in self._peers or kind.name in self._absent:
                continue
            try:
                self._peers[kind.name] = self._guest(kind, number)
            except PeerMissing as error:
                self._absent[kind.name] = str(error)
        return {kind.name: self._peers[kind.name] for kind in kinds if kind.name in self._peers}

    def missing(self, *kinds: PeerKind) -> tuple[str, ...]:
        """Why those of the peers that do not take part do not."""
        return tuple(self._absent[kind.name] for kind in kinds if kind.name in self._absent)

    def _guest(self, kind: PeerKind, number: int) -> Peer:
        if self._environments is None:
            raise PeerMissing(f"{kind.name} was left out")
        python = installed(kind, self._environments).absolute()
        return Peer(kind, python, url=self.database(f"peer_{kind.program[:-3]}"), redis=self.redis(number))

    def rest(self) -> None:
        """Close our app; the next run opens it again."""
        close_default_apps()

    def close(self) -> None:
        """Let go of everything but the server."""
        for peer in self._peers.values():
            peer.close()
        self.floor.close()
        self.rest()
        if self._redis is not None:
            self._redis.close()


def tell(app: App) -> None:
    """Have the sessions of an app tell the server's statistics now what they did, and not only some seconds later."""
    connections = app.stores.journal._connections  # type: ignore[attr-defined]  # noqa: SLF001 - of PostgreSQL, here
    with contextlib.ExitStack() as leases:
        for _ in range(len(connections._idle)):  # noqa: SLF001 - nobody else needs to know how many there are
            leases.enter_context(connections.lease()).connection.execute("SELECT pg_stat_force_next_flush()")


@contextlib.contextmanager
def standing(effort: Effort) -> Iterator[Stand]:
    """A stand for the length of a `with`; nothing of it is left afterwards.

    Runs of ours find their database as those of any app do: by the current folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="codemation-bench-", dir=DISK if DISK.is_dir() else None))
    folder.chmod(0o755)  # the account of root's server must reach what lies in it; everything there is private again
    (folder / "codemation.config.py").write_text("from codemation.host.config import Config\n\nconfig = Config()\n")
    state = folder / ".codemation"
    try:
        with _our_settings_only(), contextlib.chdir(folder), open_embedded(state, grace=0.2) as server:
            stand = Stand(folder, server, effort)
            try:
                yield stand
            finally:
                stand.close()
    finally:
        _wait_for_the_end(state)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _our_settings_only() -> Iterator[None]:
    """Without the variables that would lead to another database, or slow down starting."""
    kept = dict(os.environ)
    for name in kept:
        if name in ("DATABASE_URL", "PYTHONDONTWRITEBYTECODE") or name.startswith("CODEMATION_"):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def _wait_for_the_end(state: Path, patience: float = 30.0) -> None:
    """Return when the server, which ends by itself after its last user, has done so."""
    deadline = time.monotonic() + patience
    while (state / "postgres" / "data" / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server in {state} has not ended {patience:.0f} s after its last user")
        time.sleep(0.05)
