"""The time that the work of a process goes by, so that a test can give it another one."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime


class Clock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time, with its zone."""
        return datetime.now().astimezone()

    def pause(self, seconds: float) -> None:
        """Let a thread wait."""
        time.sleep(seconds)

    async def rest(self, seconds: float) -> None:
        """Let a coroutine wait."""
        await asyncio.sleep(seconds)

    def leap(self, seconds: float) -> bool:
        """Whether seconds in which nothing is to be done have gone by at once; on a real clock they never do."""
        return False


REAL = Clock()
