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

_OF = statement(f"""
    WITH r AS MATERIALIZED (SELECT * FROM runs WHERE parent_run = :run::uuid)
    SELECT {RUN}, r.id::text FROM r ORDER BY r.created_at, r.id""")
# Of one run, or of any: a range is a way through an index in both cases.
_OF_THE_RUN = """>= COALESCE(:run::uuid, '00000000-0000-0000-0000-000000000000')
            AND {column} <= COALESCE(:run::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')"""
_WANTED = statement(f"""
    WITH k AS MATERIALIZED (
        SELECT * FROM tickets
        WHERE kind = {TicketKind.CHILD:d} AND state + 0 = {TicketState.WAITING:d} AND stop = 0
            AND run_id {_OF_THE_RUN.format(column="run_id")})
    SELECT {OPENED} FROM k JOIN runs r ON r.id = k.run_id AND r.id = ANY(ARRAY(SELECT run_id FROM k))
    WHERE COALESCE((
        SELECT child.parent_ticket <> k.id OR child.status >= {FIRST_FINISHED} FROM runs child
        WHERE child.id = (k.input ->> 'child')::uuid), true)
    ORDER BY k.id LIMIT :most::int""")
_UNWANTED = statement(f"""
    WITH r AS MATERIALIZED (
        SELECT id, parent_ticket FROM runs
        WHERE finished_at IS NULL AND stop = 0 AND parent_ticket IS NOT NULL
            AND parent_run {_OF_THE_RUN.format(column="parent_run")})
    SELECT r.id::text FROM r
    WHERE COALESCE((SELECT k.stop FROM tickets k WHERE k.id = r.parent_ticket), 1) <> 0
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
