"""How long what is kept of a finished run is kept, written as durations and stored as seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from codemation.core.durations import seconds

FOREVER = "forever"
LONGEST = 100 * 365 * 86400.0
"""Seconds from which on a time counts as for ever."""

Ages = Mapping[str, float | None]
"""Seconds by outcome; `None` for ever."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a run is kept after its end; where nothing is said, as long as the host says."""

    succeeded: str | timedelta | None = None
    failed: str | timedelta | None = None
    """Of runs that have failed or were cancelled."""

    def __post_init__(self) -> None:
        self.ages  # noqa: B018 - refuses what is no duration, where it is written

    @property
    def ages(self) -> dict[str, float | None]:
        """What is said here, in seconds.

        Raises:
            ValueError: a time is neither a duration nor "forever".
        """
        given = {"succeeded": self.succeeded, "failed": self.failed}
        return {outcome: age_of(age) for outcome, age in given.items() if age is not None}


def age_of(age: str | timedelta) -> float | None:
    """An age in seconds; `None` for ever.

    Raises:
        ValueError: it is neither a duration nor "forever".
    """
    if age == FOREVER:
        return None
    try:
        found = seconds(age)
    except ValueError as error:
        raise ValueError(f'{error}; or "{FOREVER}"') from None
    return None if found >= LONGEST else found
