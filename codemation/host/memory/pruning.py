"""The end of what was kept, in memory."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports import Outdated, RunRow, Swept
from codemation.core.states import FINISHED, RunStatus
from codemation.host.memory.tables import Tables


class MemoryPruning:
    """The end of what was kept."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def outdated(self) -> tuple[Outdated, ...]:
        """What is to be pruned."""
        found = defaultdict[tuple[WorkflowId, RunStatus], list[datetime]](list)
        with self._tables.lock:
            for row in self._in_time():
                found[row.workflow, row.status].append(row.finished_at or row.created_at)
        return tuple(
            Outdated(workflow=workflow, status=status, runs=len(ends), oldest=min(ends))
            for (workflow, status), ends in sorted(found.items())
        )

    def prune(self, limit: int = 200) -> int:
        """Delete finished runs whose time is over."""
        with self._tables.lock:
            gone = [row.id for row in self._over()[:limit]]
            self._delete(gone)
            return len(gone)

    def sweep(self, limit: int = 200) -> Swept:
        """Delete what belongs to nobody."""
        tables = self._tables
        with tables.lock:
            lost = {home for home in (*tables.homes.values(), *(run for _, run in tables.borrowed)) if self._lost(home)}
            batches = self._delete(sorted(lost)[:limit])
            keys = [key for key in tables.key_ends if not tables.counts(key)]
            for key in keys:
                del tables.key_ends[key], tables.keys[key]
            past = tables.clock() - timedelta(days=1)
            rates = [name for name, at in tables.rates.items() if at < past][:limit]
            for name in rates:
                del tables.rates[name]
            return Swept(batches=batches, keys=len(keys), rates=len(rates))

    def _in_time(self) -> list[RunRow]:
        """What goes when there is pruning until nothing is left: children after their parents."""
        past, gone = self._past(), dict[RunId, RunRow]()
        for row in sorted(past, key=lambda row: row.id):
            if row.parent not in self._tables.runs or row.parent in gone:
                gone[row.id] = row
        return [row for row in past if row.id in gone]

    def _over(self) -> list[RunRow]:
        """What may go now: a child only when its parent has gone."""
        return [row for row in self._past() if row.parent not in self._tables.runs]

    def _past(self) -> list[RunRow]:
        """The runs whose time is over, the longest over first."""
        ends = {row.id: end for row in self._tables.runs.values() if (end := self._end(row)) is not None}
        over = [run for run, end in ends.items() if end < self._tables.clock()]
        return [self._tables.runs[run] for run in sorted(over, key=lambda run: (ends[run], run))]

    def _end(self, row: RunRow) -> datetime | None:
        """Until when a run is kept; `None` for ever."""
        if row.status not in FINISHED or row.finished_at is None:
            return None
        outcome = "succeeded" if row.status is RunStatus.SUCCEEDED else "failed"
        age = self._tables.ages.get(row.id, {}).get(outcome)
        return None if age is None else row.finished_at + timedelta(seconds=age)

    def _lost(self, run: RunId) -> bool:
        """Whether a run is not there and will not be: its id tells when it was made."""
        made = int(run.replace("-", "")[:12], 16) / 1000
        return run not in self._tables.runs and made < self._tables.clock().timestamp() - 86400

    def _delete(self, gone: list[RunId]) -> int:
        """Delete all that is kept of runs, whether they are there or not; says how many batches went."""
        tables = self._tables
        tables.borrowed -= {one for one in tables.borrowed if one[1] in gone}
        mine, before = [ref for ref, home in tables.homes.items() if home in gone], len(tables.batches)
        for ref in mine:
            heirs = sorted(run for borrowed, run in tables.borrowed if borrowed == ref)
            if heirs:
                tables.homes[ref] = heirs[0]
            else:
                del tables.homes[ref], tables.batches[ref]
        for noted in [one for one in tables.follow_ups if one[0] in gone]:
            del tables.follow_ups[noted]
        for run in gone:
            for ticket in tables.of_run(run):
                tables.drop(ticket)
            kept = (tables.runs, tables.journal, tables.checkpoints, tables.letters, tables.ages, tables.logs)
            for rows in (*kept, tables.parents):
                rows.pop(run, None)
        return before - len(tables.batches)
