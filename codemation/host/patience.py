"""Waiting for a database that is away: longer each time, with a word now and then, and not for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from codemation.core.durations import readable
from codemation.core.errors import StoreUnavailable

_log = logging.getLogger("codemation.database")
LONGEST = 2.0
"""Seconds between two tries at the most."""


class Patience:
    """Given to an engine: called with the number of the failed try, it waits, or raises when it has waited enough."""

    def __init__(self, limit: float) -> None:
        self.notice: Callable[[], None] = lambda: None
        """Told of every try that failed."""
        self._limit = limit
        self._guard = threading.Lock()
        self._away_since: float | None = None
        self._said_at = 0.0

    def __call__(self, tries: int, error: StoreUnavailable) -> None:
        """Wait before try number `tries + 1`.

        Raises:
            StoreUnavailable: it has been away for longer than the limit.
        """
        self.notice()
        now = time.monotonic()
        with self._guard:
            if tries == 1 or self._away_since is None:
                self._away_since = now
            away = now - self._away_since
            if now - self._said_at > 10.0:
                self._said_at = now
                _log.warning("the database does not answer (%s); waiting, for %s so far", error.message, readable(away))
        if away > self._limit:
            raise error
        time.sleep(min(0.02 * 2.0 ** min(tries, 10), LONGEST))
