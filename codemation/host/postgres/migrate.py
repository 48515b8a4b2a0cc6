"""The schema's version: what is there, what this release wants, and how to get from one to the other.

Only `upgrade` imports Alembic and SQLAlchemy; asking which version is there costs one small query.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from codemation.core.errors import SchemaMismatch
from codemation.host.postgres.connection import Connections, connect, connection_string, target_of
from codemation.host.postgres.faults import translate, unreachable
from codemation.host.postgres.link import Row

_EXPECTED = "0019"
_WITHOUT_LIMITS = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"


def expected() -> str:
    """The version of the schema that this release works on."""
    return _EXPECTED


def current(connection: psycopg.Connection[Row]) -> str | None:
    """The version of the schema that is there; `None` in a database without one."""
    row = connection.execute("SELECT to_regclass('alembic_version')::text").fetchone()
    if row is None or row[0] is None:
        return None
    version = connection.execute(sql.SQL("SELECT version_num FROM alembic_version")).fetchone()
    return str(version[0]) if version else None


def check(connections: Connections) -> None:
    """See that the schema is the one that this release works on.

    Raises:
        SchemaMismatch: it is older, newer, or not there; says what to do.
    """
    with connections.lease() as link:
        there = current(link.connection)
    wanted = expected()
    if there == wanted:
        return
    if there is None:
        raise SchemaMismatch(
            f"{connections.target} has no schema yet; this release wants version {wanted}",
            way_out="codemation db migrate",
        )
    if there < wanted:
        raise SchemaMismatch(
            f"the schema of {connections.target} has version {there}; this release wants version {wanted}",
            way_out="codemation db migrate",
        )
    raise SchemaMismatch(
        f"the schema of {connections.target} has version {there}, made by a newer release; this one knows {wanted}",
        way_out="upgrade codemation: pip install --upgrade codemation",
    )


def ensure(url: str) -> None:
    """Bring the schema up to date if it is not; costs one small query if it is.

    Raises:
        StoreUnavailable: the database cannot be reached.
        SchemaMismatch: the schema was made by a newer release.
    """
    with Connections(url, limit=1) as connections, connections.lease() as link:
        there = current(link.connection)
    if there != expected():
        upgrade(url)


def upgrade(url: str) -> None:
    """Bring the schema to the version that this release works on; harmless when it is, or when others do the same.

    Raises:
        StoreUnavailable: the database cannot be reached.
        SchemaMismatch: the schema was made by a newer release.
    """
    # Only who migrates pays for importing them.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    conninfo = connection_string(url)
    target = target_of(conninfo)

    def open_connection() -> psycopg.Connection[Row]:
        try:
            connection = connect(psycopg.conninfo.make_conninfo(conninfo, options=_WITHOUT_LIMITS))
        except psycopg.OperationalError as error:
            raise unreachable(error, target) from error
        connection.autocommit = False
        return connection

    config = Config()
    config.set_main_option("script_location", "codemation.host.postgres:migrations")
    engine = create_engine("postgresql+psycopg://", creator=open_connection, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaMismatch(
            f"the schema of {target} has a version that this release does not know: {error}",
            way_out="upgrade codemation: pip install --upgrade codemation",
        ) from error
    except psycopg.Error as error:
        raise translate(error, target) from error
    finally:
        engine.dispose()
