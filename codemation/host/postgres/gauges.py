"""How much there is to do, on PostgreSQL: counted over what is live, and over the ends of the last hour."""

from __future__ import annotations

from collections.abc import Sequence

from codemation.core.ports import QueueReading, Reading
from codemation.host.postgres.codes import STATUSES, TICKET_STATES, TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import statement

_UNFINISHED = statement("SELECT status, count(*) FROM runs WHERE finished_at IS NULL GROUP BY status")
# Nothing leads to runs by their end, so they are looked for among those of a day, by their beginning.
_FINISHED = statement("""
    SELECT status, extract(epoch FROM finished_at - created_at)::float8 FROM runs
    WHERE created_at > now_() - interval '1 day' AND finished_at > now_() - interval '1 hour' LIMIT 100000""")
_QUEUES = statement(f"""
    SELECT lanes.queue, state, count(*), COALESCE(max(extract(epoch FROM now_() - due_at))
        FILTER (WHERE state = {TicketState.READY:d}), 0)::float8
    FROM tickets JOIN lanes ON lanes.id = tickets.lane GROUP BY lanes.queue, state ORDER BY lanes.queue, state""")


class PostgresGauges:
    """Figures for who watches over all."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def read(self, bounds: Sequence[float]) -> Reading:
        """Read all of them."""
        with self._connections.lease() as link:
            unfinished = link.all(_UNFINISHED, {})
            ended = link.all(_FINISHED, {})
            queues = link.all(_QUEUES, {})
        took = [seconds for _, seconds in ended]
        finished = [STATUSES[status] for status, _ in ended]
        return Reading(
            unfinished={STATUSES[status]: count for status, count in unfinished},
            finished={status: finished.count(status) for status in set(finished)},
            seconds=sum(took),
            within=tuple(sum(seconds <= bound for seconds in took) for bound in bounds),
            queues=tuple(
                QueueReading(queue=queue, state=TICKET_STATES[state], tickets=count, age=max(0.0, age))
                for queue, state, count, age in queues
            ),
        )
