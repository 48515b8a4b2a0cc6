"""Waiting for a database that is away: longer each time, with a word now and then, and not for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from codemation.core.durations import readable
from codemation.core.errors import StoreUnavailable

_log = logging.getLogger("codemation.database")
LONGEST = 2.0
"""Seconds between two tries at the most."""
SILENCE = 10.0
"""Seconds between two words about it in the log."""


_in_haste: ContextVar[bool] = ContextVar("in_haste", default=False)


@contextmanager
def in_haste() -> Iterator[None]:
    """Have no patience meanwhile: whoever waits for an answer is better told at once that the database is away."""
    token = _in_haste.set(True)
    try:
        yield
    finally:
        _in_haste.reset(token)


class Patience:
    """Given to an engine: called with the number of the failed try, it waits, or raises when it has waited enough.

    Each thread has its own patience: that another one has only begun to wait prolongs nothing.
    """

    def __init__(
        self,
        limit: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.notice: Callable[[], None] = lambda: None
        """Told of every try that failed."""
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._of_thread = threading.local()
        self._guard = threading.Lock()
        self._said_at = float("-inf")

    def end(self) -> None:
        """Wait no more: whoever closes an app has no use for a database that is away."""
        self._limit = 0.0

    def __call__(self, tries: int, error: StoreUnavailable) -> None:
        """Wait before try number `tries + 1`.

        Raises:
            StoreUnavailable: it has been away for longer than the limit.
        """
        self.notice()
        if _in_haste.get():
            raise error
        now = self._clock()
        if tries == 1:
            self._of_thread.away_since = now
        away = now - getattr(self._of_thread, "away_since", now)
        with self._guard:
            if now - self._said_at >= SILENCE:
                self._said_at = now
                _log.warning("the database does not answer (%s); waiting, for %s so far", error.message, readable(away))
        if away >= self._limit:
            raise error
        self._sleep(min(0.02 * 2.0 ** min(tries, 10), LONGEST))
