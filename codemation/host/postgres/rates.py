"""When calls may begin, on PostgreSQL: one row for a rate, and its clock the database's."""

from __future__ import annotations

from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_LENGTH = ":seconds::float8 * interval '1 second'"
_BOOK = statement(f"""
    INSERT INTO rates AS known (name, at) VALUES (:name, now_() + {_LENGTH})
    ON CONFLICT (name) DO UPDATE SET at = GREATEST(known.at, now_()) + {_LENGTH}
    RETURNING GREATEST(0, extract(epoch FROM at - {_LENGTH} - now_()))::float8""")


class PostgresRates:
    """When calls may begin."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def book(self, name: str, calls: int, spacing: float) -> float:
        """Book the next `calls` moments, `spacing` seconds apart; seconds until the first of them."""
        with self._connections.lease() as link:
            ((wait,),) = link.all(_BOOK, {"name": name, "seconds": calls * spacing})
        return float(wait)
