"""The database of an app: the one that is configured, or the embedded one; opened, checked and brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from codemation.core.errors import StoreUnavailable
from codemation.core.ports import Blobs, Bus, Stores
from codemation.host.bus.choosing import open_bus
from codemation.host.memory.bus import MemoryBus
from codemation.host.settings import Settings

TRIES = 3
"""How often an embedded database is opened that goes away meanwhile; each time it is started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Opened stores, and how to let go of them."""

    stores: Stores
    close: Callable[[], None]
    describes: str
    """What people are told of the database; without secrets."""
    url: str = field(default="", repr=False)
    """Where it is reached, with its password; empty for what is in memory."""
    bus: Bus = field(default_factory=MemoryBus)
    """Tells processes of each other's news."""
    check: Callable[[], None] = lambda: None
    """Raises `StoreUnavailable` or `SchemaMismatch` if the database is not as it has to be, now."""


def open_backend(settings: Settings) -> Backend:
    """Open the app's database.

    Raises:
        HostError: it does not answer, has another schema, or cannot be started; says what to do.
    """
    if settings.database_url is not None:
        return _external(settings, settings.database_url)
    return _embedded(settings)


def _external(settings: Settings, url: str) -> Backend:
    from codemation.host.postgres.stores import open_stores  # noqa: PLC0415  # only the database in use pays for its adapter

    pooled, alone = settings.config.database_pooler, settings.config.scheduler == "inline"
    opened = open_stores(url, blobs=_blobs(settings), pooled=pooled, alone=alone)
    bus = open_bus(settings, url)

    def close() -> None:
        bus.close()
        opened.close()

    return Backend(stores=opened.stores, close=close, describes=opened.describes, url=url, bus=bus, check=opened.check)


def _embedded(settings: Settings) -> Backend:
    from codemation.host.postgres.embedded import open_embedded  # noqa: PLC0415  # only the database in use pays for its adapter
    from codemation.host.postgres.migrate import ensure  # noqa: PLC0415  # only the database in use pays for its adapter
    from codemation.host.postgres.stores import open_stores  # noqa: PLC0415  # only the database in use pays for its adapter

    server, tries, alone = open_embedded(settings.state), 1, settings.config.scheduler == "inline"
    try:
        while True:
            try:
                ensure(server.url)
                opened = open_stores(server.url, blobs=_blobs(settings), alone=alone, on_lost=server.ensure)
                break
            except StoreUnavailable:  # it was killed just now
                if tries == TRIES:
                    raise
                tries += 1
                server.ensure()
    except BaseException:
        server.close()
        raise

    bus = open_bus(settings, server.url)

    def close() -> None:
        bus.close()
        opened.close()
        server.close()

    describes = f"embedded PostgreSQL in {settings.state}"
    return Backend(stores=opened.stores, close=close, describes=describes, url=server.url, bus=bus, check=opened.check)


def _blobs(settings: Settings) -> Blobs | None:
    if settings.config.payloads == "postgres":
        return None
    from codemation.host.directory_blobs import DirectoryBlobs  # noqa: PLC0415  # only the database in use pays for its adapter

    return DirectoryBlobs(settings.path(settings.config.payload_directory))
