"""How Alembic runs the revisions: on the connection that it is given, in one transaction, one process at a time."""

from __future__ import annotations

from typing import cast

from alembic import context
from sqlalchemy import Connection, text

from codemation.host.postgres.tables import metadata

LOCK = 0x636F64656D61746E
"""The lock that concurrent migrations wait for; it ends with the transaction, however that ends."""


def migrate(connection: Connection) -> None:
    """Bring the database up to date; a second process waits, and then finds nothing to do."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()


migrate(cast(Connection, context.config.attributes["connection"]))
