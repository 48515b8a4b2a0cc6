"""How many requests somebody makes: a bucket of tokens for each, that fills by the second."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 4.0
"""Seconds' worth of requests that may come at once."""
MOST = 10_000
"""Buckets that are kept; whoever has not asked for longest is forgotten, and his bucket is full anew."""


class Buckets:
    """Of this process: several of them let through so many times as many."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """At most `rate` requests a second, of each; 0 for as many as there are."""
        self.rate = rate
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Count one request; seconds until the next would pass if this one does not, else 0."""
        if not self.rate:
            return 0.0
        now, full = self._clock(), self.rate * BURST
        level, at = self._levels.pop(key, (full, now))
        level = min(full, level + (now - at) * self.rate)
        passes = level >= 1.0
        self._levels[key] = (level - passes, now)
        if len(self._levels) > MOST:
            self._levels.popitem(last=False)
        return 0.0 if passes else (1.0 - level) / self.rate
