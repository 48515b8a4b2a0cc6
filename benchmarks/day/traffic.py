"""The day: a Monday of a company, minute by minute: peaks, cron bursts, an outage of somebody else, and people.

Every figure here is an assumption, and is meant to be replaced by your own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
TODAY = 20_000
"""Runs of the day at 1 ×."""
MIX: Mapping[str, float] = {"ten steps": 0.70, "map of 1,000": 0.10, "two waits": 0.15, "five children": 0.05}
"""Kinds of runs and their shares."""
NODE_SECONDS = 0.3
"""What a node takes for its own purposes, most of it spent waiting for others; a process is taken for as long."""
PAYLOAD_SHARE, PAYLOAD = 0.05, 2_000_000
"""Runs that carry a file or a table, and its bytes."""
KEPT_DAYS = 30
"""Days until a run is pruned."""
RETRIED, RETRIED_IN_OUTAGE, LATER = 0.02, 0.5, 60.0
"""Activations that are tried once more, usually and while others are out of order, and how many seconds later."""
OUTAGE = (14 * HOUR, 14 * HOUR + 600)
SPIKE = (8 * HOUR, 8 * HOUR + 900)
"""When everything that was left over the weekend is handed in."""
SPIKE_HEIGHT = 5.0
CRON_SHARE, NIGHTLY_SHARE, NIGHTLY = 0.10, 0.05, 2
"""Of all runs, those that start at full hours in the same second, and those of one hour in the night."""
PEOPLE = 20
"""Who look at pages in office hours, at 1 ×: each at a list and a run every ten seconds."""


class Batch(NamedTuple):
    """Runs of one kind that are handed in at one moment, or in the course of a minute."""

    at: float
    kind: str
    runs: int
    over: float


def arrivals(factor: float, seed: int) -> Iterator[Batch]:
    """The runs of the day at so many times today's load; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    weights = [_weight(minute * MINUTE) for minute in range(1_440)]
    spread = factor * TODAY * (1 - CRON_SHARE - NIGHTLY_SHARE) / sum(weights)
    for minute, weight in enumerate(weights):
        yield from _mixed(minute * MINUTE, _poisson(chance, spread * weight), MINUTE)
        if not minute % 60:
            night = NIGHTLY_SHARE if minute == 60 * NIGHTLY else 0.0
            yield from _mixed(minute * MINUTE, round(factor * TODAY * (CRON_SHARE / 24 + night)), 0.0)


def retried(at: float) -> float:
    """The share of activations that fail once at that moment."""
    return RETRIED_IN_OUTAGE if OUTAGE[0] <= at < OUTAGE[1] else RETRIED


def looks(at: float, factor: float) -> float:
    """Pages a second that people look at."""
    return factor * PEOPLE * _weight(at, spike=1.0) / 2.5 / 10.0


def _weight(at: float, spike: float = SPIKE_HEIGHT) -> float:
    """How busy it is: a night, a morning and an afternoon, and the first minutes of the week."""
    hour = at / HOUR
    busy = 0.4 + 2.0 * math.exp(-(((hour - 10.0) / 1.6) ** 2)) + 1.7 * math.exp(-(((hour - 15.0) / 2.0) ** 2))
    return busy * (spike if SPIKE[0] <= at < SPIKE[1] else 1.0)


def _mixed(at: float, runs: int, over: float) -> Iterator[Batch]:
    left = runs
    for kind, share in MIX.items():
        some = min(left, round(runs * share))
        left -= some
        yield Batch(at, kind, some, over)
    if left:
        yield Batch(at, next(iter(MIX)), left, over)


def _poisson(chance: random.Random, mean: float) -> int:
    """How many come where `mean` are expected."""
    return max(0, round(chance.gauss(mean, math.sqrt(mean))))
