"""The inbox on PostgreSQL: letters, and the one fold ticket of the run that somebody will claim to answer them."""

from __future__ import annotations

import psycopg

from codemation.core.errors import InputError, UnknownRun
from codemation.core.ids import RunId, TicketId
from codemation.core.ports import Letter
from codemation.host.postgres.answering import UNFINISHED, ask_for_fold
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import statement

_POST = statement(f"""
    WITH letter AS (
        INSERT INTO signals (run_id, key, body) SELECT id, :key, :body::json FROM runs
        WHERE id = :run AND {UNFINISHED} ON CONFLICT (run_id, key) DO NOTHING RETURNING id, run_id)
    {ask_for_fold("SELECT :fold::bigint AS id, run_id, id AS signal FROM letter")} RETURNING 1""")
_THERE = statement("SELECT 1 FROM runs WHERE id = :run")
_PENDING = statement(
    "SELECT id, key, body::text, extract(epoch FROM at)::float8 FROM signals WHERE run_id = :run ORDER BY id + 0"
)


class PostgresInbox:
    """Signals from outside."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal and ask for a fold; `False` when one with this key was there already, or the run is over.

        Raises:
            UnknownRun: there is none.
            InputError: the body is not JSON.
        """
        values = {"run": run, "key": storable(key), "body": body, "fold": fold}
        with self._connections.lease() as link:
            try:
                posted = link.one(_POST, values)
            except psycopg.DataError as error:
                raise InputError(f"the signal {key!r} is not JSON: {error.diag.message_primary or error}") from error
            if posted is None and link.one(_THERE, values) is None:
                raise UnknownRun(f"no run {run}", way_out="codemation runs list")
        return posted is not None

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What has not been folded yet, oldest first."""
        with self._connections.lease() as link:
            rows = link.all(_PENDING, {"run": run})
        return tuple(Letter(id=number, key=key, body=body, at=at) for number, key, body, at in rows)
