"""Hints whose time comes soon, so that it is waited for where it was noted."""

from __future__ import annotations

import heapq
import threading
import time
from itertools import count

from codemation.core.ports import Hint


class Soon:
    """Hints by the time that they are for, on the monotonic clock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._hints: list[tuple[float, int, Hint]] = []
        self._numbers = count()
        """Hints cannot be told which of them is the less."""

    def add(self, delay: float, hint: Hint) -> None:
        """Note a hint for a time that comes in so many seconds."""
        with self._changed:
            heapq.heappush(self._hints, (time.monotonic() + delay, next(self._numbers), hint))
            self._changed.notify_all()

    def rouse(self) -> None:
        """Let whoever waits go on."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, longest: float) -> list[Hint]:
        """Those whose time has come, which are noted no longer; the first of them is waited for, at most so long."""
        with self._changed:
            if (pause := self._pause(longest)) > 0:
                self._changed.wait(pause)
            found, now = list[Hint](), time.monotonic()
            while self._hints and self._hints[0][0] <= now:
                found.append(heapq.heappop(self._hints)[2])
            return found

    def _pause(self, longest: float) -> float:
        return min(longest, self._hints[0][0] - time.monotonic()) if self._hints else longest
