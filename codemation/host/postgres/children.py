"""Children and who waits for them, on PostgreSQL."""

from __future__ import annotations

from codemation.core.ids import RunId
from codemation.core.ports import OpenWait, RunRow
from codemation.host.postgres.codes import FIRST_FINISHED, TicketKind, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import run_row
from codemation.host.postgres.run_statements import RUN
from codemation.host.postgres.statements import statement
from codemation.host.postgres.waits import OPENED, open_wait

_OF = statement(f"SELECT {RUN}, r.id::text FROM runs r WHERE r.parent_run = :run::uuid ORDER BY r.created_at, r.id")
_WANTED = statement(f"""
    SELECT {OPENED} FROM tickets k JOIN runs r ON r.id = k.run_id
    WHERE k.kind = {TicketKind.CHILD:d} AND k.state = {TicketState.WAITING:d} AND k.stop = 0
        AND (:run::uuid IS NULL OR k.run_id = :run::uuid)
        AND NOT EXISTS (
            SELECT FROM runs child WHERE child.id = (k.input ->> 'child')::uuid AND child.parent_ticket = k.id
                AND child.status < {FIRST_FINISHED})
    ORDER BY k.id LIMIT :most::int""")
_UNWANTED = statement("""
    SELECT r.id::text FROM runs r
    WHERE r.finished_at IS NULL AND r.stop = 0 AND r.parent_ticket IS NOT NULL
        AND (:run::uuid IS NULL OR r.parent_run = :run::uuid)
        AND NOT EXISTS (SELECT FROM tickets k WHERE k.id = r.parent_ticket AND k.stop = 0)
    ORDER BY r.id LIMIT :most::int""")


class PostgresChildren:
    """Runs that other runs wait for."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of(self, run: RunId) -> tuple[RunRow, ...]:
        """The children of a run, oldest first."""
        with self._connections.lease() as link:
            return tuple(run_row(RunId(row[-1]), row) for row in link.all(_OF, {"run": run}))

    def wanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[OpenWait, ...]:
        """Waits whose child does not work for them yet."""
        with self._connections.lease() as link:
            return tuple(open_wait(row) for row in link.all(_WANTED, {"run": run, "most": limit}))

    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        """Unfinished children that nobody waits for."""
        with self._connections.lease() as link:
            return tuple(RunId(name) for (name,) in link.all(_UNWANTED, {"run": run, "most": limit}))
