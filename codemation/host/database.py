"""The app's database as those see it who look after it: where it is, which schema it has, how quick it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from codemation.host.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """What a database says of itself."""

    describes: str
    """Where it is; without secrets."""
    server: str
    """Version of PostgreSQL."""
    schema: str | None
    """Version of the schema that is there; `None` without one."""
    wanted: str
    """Version of the schema that this release works on."""
    milliseconds: float
    """Of one small question and its answer."""

    @property
    def current(self) -> bool:
        """Whether this release can work on it."""
        return self.schema == self.wanted


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the app's database; the embedded one is started if need be, and runs for as long as this lasts.

    Raises:
        HostError: the embedded one cannot be started.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    from codemation.host.postgres.embedded import open_embedded  # noqa: PLC0415 - only the embedded one needs it

    with open_embedded(settings.state) as server:
        yield server.url


def database_state(url: str) -> DatabaseState:
    """Ask a database about itself.

    Raises:
        StoreUnavailable: it cannot be reached.
    """
    from codemation.host.postgres.connection import Connections  # noqa: PLC0415 - the driver is loaded when it is used
    from codemation.host.postgres.migrate import current, expected  # noqa: PLC0415 - as above

    with Connections(url, limit=1) as connections, connections.lease() as link:
        version = link.ask(b"SHOW server_version", {})[0][0]
        began = time.perf_counter()
        link.ask(b"SELECT 1", {})
        took = time.perf_counter() - began
        schema = current(link.connection)
        return DatabaseState(
            describes=connections.target,
            server=str(version).partition(" ")[0],
            schema=schema,
            wanted=expected(),
            milliseconds=took * 1000,
        )


def migrate(url: str) -> DatabaseState:
    """Bring the schema to the version that this release works on; harmless when it is.

    Raises:
        StoreUnavailable: the database cannot be reached.
        SchemaMismatch: the schema was made by a newer release.
    """
    from codemation.host.postgres.migrate import upgrade  # noqa: PLC0415 - brings SQLAlchemy and Alembic

    upgrade(url)
    return database_state(url)
