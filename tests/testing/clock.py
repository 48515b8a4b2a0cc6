"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The time, as the stores in memory ask for it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time now."""
        return self._now

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
