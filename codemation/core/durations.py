"""Durations as people write them: `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"7d"`, or a `timedelta`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
LONGEST = 1000 * 365 * 86400.0
"""Seconds; what is longer leads to dates that cannot be stored."""


def seconds(duration: str | timedelta) -> float:
    """The duration in seconds; parts may be put together, as in `"1h 30m"`.

    Raises:
        ValueError: it is no duration, or not a positive one, or longer than a thousand years.
    """
    if isinstance(duration, timedelta):
        total = duration.total_seconds()
    elif isinstance(duration, str) and duration.strip() and not _PART.sub("", duration.strip()):
        total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
    else:
        raise ValueError(
            f'{duration!r} is not a duration; write it like "500ms", "30s", "5m", "2h", "7d" or a timedelta'
        )
    if total <= 0:
        raise ValueError(f"{duration!r} is not a positive duration")
    if total > LONGEST:
        raise ValueError(f"{duration!r} is longer than a thousand years")
    return total


def readable(duration: float) -> str:
    """A number of seconds for people: `850 ms`, `12.3 s`, `4m 05s`, `2h 10m`."""
    if duration < 0.9995:
        return f"{duration * 1000:.0f} ms"
    if duration < 59.95:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(round(duration / 60), 60)
    return f"{hours}h {minutes:02d}m"
