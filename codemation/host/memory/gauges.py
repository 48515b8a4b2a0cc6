"""How much there is to do, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from codemation.core.ports import QueueReading, Reading
from codemation.core.states import FINISHED
from codemation.host.memory.tables import Tables

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class MemoryGauges:
    """Figures for who watches over all."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, bounds: Sequence[float]) -> Reading:
        """Read all of them."""
        tables = self._tables
        with tables.lock:
            now = tables.clock()
            runs = list(tables.runs.values())
            ended = [one for one in runs if one.finished_at and one.finished_at > now - HOUR]
            ended = [one for one in ended if one.created_at > now - DAY]
            took = [(one.finished_at - one.created_at).total_seconds() for one in ended if one.finished_at]
            stood: dict[tuple[str, str], list[float]] = {}
            for ticket in tables.tickets.values():
                late = (now - ticket.due_at).total_seconds() if ticket.due_at and ticket.state == "ready" else 0.0
                stood.setdefault((ticket.lane.queue, ticket.state), []).append(max(0.0, late))
        return Reading(
            unfinished=Counter(one.status for one in runs if one.status not in FINISHED),
            finished=Counter(one.status for one in ended),
            seconds=sum(took),
            within=tuple(sum(seconds <= bound for seconds in took) for bound in bounds),
            queues=tuple(
                QueueReading(queue=queue, state=state, tickets=len(ages), age=max(ages))
                for (queue, state), ages in sorted(stood.items())
            ),
        )
