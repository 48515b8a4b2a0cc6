"""How often and how patiently a failed call is tried again. A policy decides; only the engine acts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from codemation.core.definition import RetryPlan
from codemation.core.durations import seconds


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a failure; `attempts` counts all tries, the first included."""

    attempts: int = 3
    backoff: Literal["none", "fixed", "exponential"] = "exponential"
    delay: str | timedelta = "1s"
    max_delay: str | timedelta = "5m"
    jitter: bool = True
    on: tuple[type[BaseException], ...] = (Exception,)
    give_up_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts={self.attempts}: a node is tried at least once")
        seconds(self.delay), seconds(self.max_delay)

    def applies_to(self, error: BaseException) -> bool:
        """Whether this exception is worth another try at all."""
        return isinstance(error, self.on) and not isinstance(error, self.give_up_on)

    @property
    def plan(self) -> RetryPlan:
        """The policy as data, without the exception classes, which only the executor knows."""
        return RetryPlan(
            attempts=self.attempts,
            backoff=self.backoff,
            delay=seconds(self.delay),
            max_delay=seconds(self.max_delay),
            jitter=self.jitter,
        )


def delay_before(plan: RetryPlan, attempt: int, seed: str) -> float:
    """Seconds to wait before try number `attempt`, 2 or more; `seed` fixes the jitter, so that a replay waits alike."""
    if plan.backoff == "none":
        return 0.0
    base = plan.delay if plan.backoff == "fixed" else plan.delay * 2.0 ** min(attempt - 2, 64)
    base = min(base, plan.max_delay)
    if not plan.jitter:
        return base
    spread = int.from_bytes(hashlib.blake2b(f"{seed}/{attempt}".encode(), digest_size=4).digest(), "big") / 2**32
    return base * (0.5 + 0.5 * spread)
