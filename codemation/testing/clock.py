"""A clock that stands still until somebody moves it: nothing that waits for it takes any time."""

from __future__ import annotations

import asyncio
import math
import threading
from datetime import UTC, datetime, timedelta

from codemation.host.runtime.clock import Clock

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock(Clock):
    """Moved by whoever holds it, and by everything that would wait."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        if now.tzinfo is None:
            raise ValueError(f"{now} has no time zone; give a time with one, such as datetime(2026, 1, 1, tzinfo=UTC)")
        self._begun = self._now = now
        self._guard = threading.Lock()

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return (self.now() - self._begun).total_seconds()

    def now(self) -> datetime:
        """The time on this clock."""
        with self._guard:
            return self._now

    def pass_to(self, moment: datetime) -> None:
        """Go on to a moment, unless it is over."""
        with self._guard:
            self._now = max(self._now, moment)

    def pause(self, seconds: float) -> None:
        """Let seconds go by, which takes no time."""
        with self._guard:
            self._now += timedelta(microseconds=math.ceil(max(0.0, seconds) * 1e6))

    async def rest(self, seconds: float) -> None:
        """Let seconds go by, which takes no time; other coroutines have their turn."""
        self.pause(seconds)
        await asyncio.sleep(0)

    def leap(self, seconds: float) -> bool:
        """Let the seconds until the next piece of work go by, and one microsecond, so that its time has surely come."""
        self.pause(seconds + 1e-6)
        return True
