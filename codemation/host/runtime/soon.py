"""Hints whose time comes soon, so that it is waited for where it was noted."""

from __future__ import annotations

import heapq
import time
from itertools import count

from codemation.core.ports import Hint


class Soon:
    """Hints by the time that they are for, on the monotonic clock; whoever asks sees to it that he is alone."""

    def __init__(self) -> None:
        self._hints: list[tuple[float, int, Hint]] = []
        self._numbers = count()
        """Hints cannot be told which of them is the less."""

    def add(self, delay: float, hint: Hint) -> None:
        """Note a hint for a time that comes in so many seconds."""
        heapq.heappush(self._hints, (time.monotonic() + delay, next(self._numbers), hint))

    def pause(self, longest: float) -> float:
        """Seconds until the first time comes; at most so many."""
        return min(longest, self._hints[0][0] - time.monotonic()) if self._hints else longest

    def due(self) -> list[Hint]:
        """Those whose time has come, which are noted no longer."""
        found, now = list[Hint](), time.monotonic()
        while self._hints and self._hints[0][0] <= now:
            found.append(heapq.heappop(self._hints)[2])
        return found
