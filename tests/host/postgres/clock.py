"""The database's clock, shifted."""

from __future__ import annotations

import psycopg
from psycopg import sql

from codemation.host.postgres.link import Row

_SHIFTED = sql.SQL(
    "CREATE OR REPLACE FUNCTION now_() RETURNS timestamptz LANGUAGE sql VOLATILE"
    " AS $$SELECT clock_timestamp() + interval {}$$"
)


def set_clock(database: psycopg.Connection[Row], ahead: float) -> None:
    """Let the database's clock go so many seconds before the machine's."""
    database.execute(_SHIFTED.format(f"{ahead} seconds"))
