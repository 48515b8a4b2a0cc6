"""Which duties this process holds: what another holds is taken when its beat stands still, or its process is gone.

Nothing is decided by the clock of the database, nor by anybody's clock but that of the process which looks: a duty is
free when *its own* looks, while the database answered, have seen the same epoch and beat for long enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from codemation.core.ids import WorkerId
from codemation.core.ports import Duties, DutyRow, Pulse
from codemation.host.runtime.liveness import is_gone


class Holding:
    """The duties of a process."""

    def __init__(
        self,
        duties: Duties,
        names: Sequence[str],
        silence: float,
        here: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._duties = duties
        self._names = frozenset(names)
        self._silence = silence
        self._here = here
        self._clock = clock
        self._seen: dict[str, tuple[int, int, float]] = {}
        """Epoch and beat of each duty, and since when they have stood so."""
        self.held: dict[str, int] = {}
        """The epochs at which this process has taken what it holds."""

    def look(self, pulse: Pulse, worker: WorkerId) -> None:
        """Learn from a beat what is not held any more, and take what is free."""
        for row in pulse.duties:
            if row.name in self.held and (row.holder, row.epoch) != (worker, self.held[row.name]):
                del self.held[row.name]  # somebody has taken this process for dead meanwhile
            if row.name in self._names and row.name not in self.held and self._is_free(row):
                epoch = self._duties.take(row.name, worker, row)
                if epoch is not None:
                    self.held[row.name] = epoch

    def outage(self) -> None:
        """The database did not answer: how long a beat has stood still says nothing now."""
        self._seen.clear()

    def leave(self, worker: WorkerId) -> None:
        """Give up what is held."""
        if self.held:
            self._duties.leave(worker)
            self.held = {}

    def _is_free(self, row: DutyRow) -> bool:
        if row.holder is None or row.gone:
            return True
        if row.worker is not None and is_gone(row.worker, self._here):
            return True
        now = self._clock()
        epoch, beat, since = self._seen.get(row.name, (-1, -1, now))
        if (epoch, beat) != (row.epoch, row.beat):
            since = now
        self._seen[row.name] = (row.epoch, row.beat, since)
        return now - since >= self._silence
