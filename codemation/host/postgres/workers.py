"""Workers on PostgreSQL: one row for each start of a process."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow
from codemation.host.postgres.codes import TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.statements import numbers, statement, texts

_REGISTER = statement("""
    INSERT INTO workers (id, name, place, pid, pid_started, version, beat, host, queues, digests, slots, heard_at)
    VALUES (:id, :name, :place, :pid, :pid_started, :version, :beat, :host, :queues::text[], :digests::text[], :slots,
        now_())
    ON CONFLICT (id) DO UPDATE SET queues = EXCLUDED.queues, digests = EXCLUDED.digests, slots = EXCLUDED.slots
        WHERE workers.dead_at IS NULL""")
_COLUMNS = """id, name, place, pid, pid_started, version, host, queues, digests, slots, registered_at,
    extract(epoch FROM now_() - heard_at)::float8 AS silent"""
_NAMES = "id, name, place, pid, pid_started, version, host, queues, digests, slots, registered_at"
_ALIVE = f"""
    FROM workers WHERE dead_at IS NULL
        OR EXISTS (SELECT FROM tickets WHERE owner = workers.id AND state = {TicketState.RUNNING:d})"""
# The list is of the moment before the own beat, which is therefore added.
_BEAT = statement(f"""
    WITH me AS (
        UPDATE workers SET beat = beat + 1, load = :load, heard_at = now_()
        WHERE id = :worker AND dead_at IS NULL RETURNING id AS mine)
    SELECT {_NAMES}, CASE WHEN id = mine THEN 0 ELSE silent END, CASE WHEN id = mine THEN :load ELSE load END,
        beat + CASE WHEN id = mine THEN 1 ELSE 0 END
    FROM me CROSS JOIN (SELECT {_COLUMNS}, load, beat {_ALIVE}) AS alive""")
_LIVING = statement(f"SELECT {_COLUMNS}, load, beat {_ALIVE}")
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
        """Enter a process that has just started; again changes what it serves, and nothing else."""
        values = {name: getattr(worker, name) for name in _REGISTER.names}
        values |= {"queues": texts(worker.queues), "digests": texts(worker.digests)}
        with self._connections.lease() as link:
            link.run(_REGISTER, values)

    def beat(self, worker: WorkerId, *, load: int = 0) -> tuple[WorkerRow, ...] | None:
        """Say that the process lives and read who is entered; `None` when it was buried meanwhile."""
        with self._connections.lease() as link:
            rows = link.all(_BEAT, {"worker": worker, "load": float(load)})
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
    id_, name, place, pid, pid_started, version, host, queues, digests, slots, started_at, silent, load, beat = row
    return WorkerRow(
        id=WorkerId(id_),
        name=name,
        place=place,
        pid=pid,
        pid_started=pid_started,
        version=version,
        beat=beat,
        host=host,
        queues=tuple(queues),
        digests=tuple(digests),
        slots=slots,
        load=round(load or 0),
        started_at=started_at,
        silent=silent or 0.0,
    )
