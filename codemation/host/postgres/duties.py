"""What one process of all should do, on PostgreSQL: a row for each duty, taken by epoch and beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codemation.core.ids import WorkerId
from codemation.core.ports import DUTIES, DutyRow, Pulse, WorkerRow
from codemation.host.postgres.codes import TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.link import Row
from codemation.host.postgres.statements import numbers, statement, texts

_LEFT = "extract(epoch FROM min({column}) - now_())::float8"
# What the dead were asking is long overdue, whenever they would have been given up.
_ASKED = """CASE WHEN t.owner IS NOT NULL AND (w.id IS NULL OR w.dead_at IS NOT NULL)
    THEN LEAST(t.next_at, now_() - interval '1 hour') ELSE t.next_at END"""
# One statement says that the holder lives, how all duties stand, and how soon there is something to do.
_BEAT = statement(f"""
    WITH b AS (
        UPDATE duties SET beat = beat + 1, last_at = CASE WHEN x.lag >= 0 THEN now_() ELSE last_at END,
            lag = CASE WHEN x.lag >= 0 THEN x.lag ELSE duties.lag END
        FROM unnest(:names::text[], :epochs::bigint[], :lags::float8[]) AS x (name, epoch, lag)
        WHERE duties.name = x.name AND duties.epoch = x.epoch AND holder = :worker
        RETURNING duties.name, beat, last_at, duties.lag),
    soon AS MATERIALIZED (
        SELECT
            (SELECT {_LEFT.format(column="due_at")} FROM tickets
                WHERE state = {TicketState.WAITING:d} AND due_at IS NOT NULL) AS fire,
            (SELECT {_LEFT.format(column="next_at")} FROM triggers
                WHERE active AND next_at IS NOT NULL AND overlap <> '') AS schedule,
            (SELECT {_LEFT.format(column=_ASKED)} FROM triggers t LEFT JOIN workers w ON w.id = t.owner
                WHERE active AND next_at IS NOT NULL AND kind IN ('poll', 'watch')
                    AND t.id = ANY(:triggers::text[])) AS poll,
            (SELECT {_LEFT.format(column="due_at")} FROM firings WHERE trigger = ANY(:triggers::text[])) AS owed)
    SELECT s.fire, s.schedule, s.poll, s.owed, n.name, d.holder, COALESCE(d.epoch, 0),
        COALESCE(b.beat, d.beat, 0), COALESCE(b.last_at, d.last_at),
        extract(epoch FROM now_() - COALESCE(b.last_at, d.last_at))::float8, COALESCE(b.lag, d.lag),
        w.name, w.place, w.pid, w.pid_started, w.version, w.beat,
        d.holder IS NOT NULL AND (w.id IS NULL OR w.dead_at IS NOT NULL)
    FROM unnest(:all::text[]) WITH ORDINALITY AS n (name, place) CROSS JOIN soon s
        LEFT JOIN duties d ON d.name = n.name LEFT JOIN b ON b.name = n.name LEFT JOIN workers w ON w.id = d.holder
    ORDER BY n.place""")
_TAKE = statement("""
    INSERT INTO duties AS known (name, holder, epoch, beat) SELECT :name, :worker, 1, 1
    WHERE :epoch::bigint = 0 OR EXISTS (SELECT FROM duties WHERE name = :name)
    ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, epoch = known.epoch + 1, beat = known.beat + 1
    WHERE known.epoch = :epoch::bigint AND known.beat = :beat::bigint RETURNING epoch""")
_LEAVE = statement("UPDATE duties SET holder = NULL, epoch = epoch + 1 WHERE holder = :worker")


class PostgresDuties:
    """What one process of all should do from time to time."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def beat(
        self, worker: WorkerId, held: Mapping[str, int], *, did: Mapping[str, float], triggers: Sequence[str] = ()
    ) -> Pulse:
        """Say that the holder of duties lives, and learn how all of them stand."""
        values = {
            "worker": worker,
            "names": texts(held),
            "epochs": numbers(held.values()),
            "lags": texts(str(did.get(name, -1.0)) for name in held),
            "triggers": texts(triggers),
            "all": texts(DUTIES),
        }
        with self._connections.lease() as link:
            rows = link.all(_BEAT, values)
        fire, schedule, poll, owed = rows[0][:4]
        duties = tuple(_duty(row[4:]) for row in rows)
        return Pulse(duties=duties, fire=fire, schedule=schedule, poll=poll, owed=owed)

    def take(self, name: str, worker: WorkerId, known: DutyRow) -> int | None:
        """Take a duty that stands as `known` says; the new epoch, `None` when somebody was faster."""
        values = {"name": name, "worker": worker, "epoch": known.epoch, "beat": known.beat}
        with self._connections.lease() as link:
            row = link.one(_TAKE, values)
        return None if row is None else int(row[0])

    def leave(self, worker: WorkerId) -> None:
        """Give up whatever this worker holds."""
        with self._connections.lease() as link:
            link.run(_LEAVE, {"worker": worker})


def _duty(row: Row) -> DutyRow:
    name, holder, epoch, beat, last_at, age, lag, *entered, gone = row
    worker = None
    if holder is not None and entered[0] is not None:
        called, place, pid, pid_started, version, lives = entered
        worker = WorkerRow(
            id=WorkerId(holder),
            name=called,
            place=place,
            pid=pid,
            pid_started=pid_started,
            version=version,
            beat=lives,
        )
    return DutyRow(
        name=name,
        holder=None if holder is None else WorkerId(holder),
        epoch=epoch,
        beat=beat,
        last_at=last_at,
        age=age,
        lag=lag,
        worker=worker,
        gone=gone,
    )
