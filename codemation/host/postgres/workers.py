"""Workers on PostgreSQL: one row for each start of a process."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow
from codemation.host.postgres.codes import TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.statements import numbers, statement

_REGISTER = statement("""
    INSERT INTO workers (id, name, place, pid, pid_started, version, beat)
    VALUES (:id, :name, :place, :pid, :pid_started, :version, :beat) ON CONFLICT (id) DO NOTHING""")
_COLUMNS = "id, name, place, pid, pid_started, version"
_ALIVE = f"""
    FROM workers WHERE dead_at IS NULL
        OR EXISTS (SELECT FROM tickets WHERE owner = workers.id AND state = {TicketState.RUNNING:d})"""
# The list is of the moment before the own beat, which is therefore added.
_BEAT = statement(f"""
    WITH me AS (UPDATE workers SET beat = beat + 1 WHERE id = :worker AND dead_at IS NULL RETURNING id AS mine)
    SELECT {_COLUMNS}, beat + CASE WHEN id = mine THEN 1 ELSE 0 END
    FROM me CROSS JOIN (SELECT {_COLUMNS}, beat {_ALIVE}) AS alive""")
_LIVING = statement(f"SELECT {_COLUMNS}, beat {_ALIVE}")
# A process that was buried before it was entered stays buried.
_BURY = statement("""
    INSERT INTO workers (id, name, place, pid, pid_started, dead_at)
    SELECT id, '', '', 0, 0, now_() FROM unnest(:workers::bigint[]) AS x (id)
    ON CONFLICT (id) DO UPDATE SET dead_at = COALESCE(workers.dead_at, EXCLUDED.dead_at)""")
_FORGET = statement(f"""
    DELETE FROM workers WHERE dead_at < now_() - interval '7 days'
        AND NOT EXISTS (SELECT FROM tickets WHERE owner = workers.id AND state = {TicketState.RUNNING:d})""")


class PostgresWorkers:
    """Who lives."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def register(self, worker: WorkerRow) -> None:
        """Enter a process that has just started; again is harmless."""
        values = {name: getattr(worker, name) for name in _REGISTER.names}
        with self._connections.lease() as link:
            link.run(_REGISTER, values)

    def beat(self, worker: WorkerId) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives and read who is entered; `None` when it was buried meanwhile."""
        with self._connections.lease() as link:
            rows = link.all(_BEAT, {"worker": worker})
        return tuple(map(_worker, rows)) or None

    def living(self) -> tuple[WorkerRow, ...]:
        """Everybody who is entered and not buried, or still holds a ticket."""
        with self._connections.lease() as link:
            return tuple(map(_worker, link.all(_LIVING, {})))

    def bury(self, workers: Sequence[WorkerId]) -> None:
        """Enter the death of workers; they can neither beat nor claim any more. The long dead are forgotten."""
        with self._connections.lease() as link:
            link.run(_BURY, {"workers": numbers(dict.fromkeys(workers))})
            link.run(_FORGET, {})


def _worker(row: Row) -> WorkerRow:
    id_, name, place, pid, pid_started, version, beat = row
    return WorkerRow(
        id=WorkerId(id_), name=name, place=place, pid=pid, pid_started=pid_started, version=version, beat=beat
    )
