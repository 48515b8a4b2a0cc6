"""The times of schedules: what follows a time, and which of those that have passed a run is owed for. Pure arithmetic.

A cron expression speaks of the wall clock of its zone. Where the clock goes forward, a job at an hour that is missing
comes right after it; where it goes back, a job at an hour that is there twice comes once. A job that comes by the
minute or by the hour takes the clock as it goes. `every` counts from the epoch, so that its times are the same for
whoever asks, and whenever it was armed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

AT_ONCE = 500
"""Ticks that are dealt with in one go."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOWS = tuple(timedelta(seconds=one) for one in (3_600, 86_400, 32 * 86_400, 367 * 86_400))
"""How far the last tick is looked for: a schedule that is long silent has few ticks in a long time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """What becomes of the ticks that have come."""

    ticks: tuple[datetime, ...]
    """Those that a run is owed for, oldest first, in UTC."""
    next_at: datetime | None
    """The first that is left; `None` when there is none any more."""


def following(config: Mapping[str, Any], after: datetime) -> Iterator[datetime]:
    """The times of a schedule after a time, in UTC."""
    if "every" in config:
        return _multiples(round(float(config["every"]) * 1_000_000), after)
    return _rising(after, CronSim(config["expression"], after.astimezone(ZoneInfo(config["timezone"]))))


def first_after(config: Mapping[str, Any], after: datetime) -> datetime | None:
    """The first time of a schedule after a time; `None` for one that has none any more."""
    return next(following(config, after), None)


def between(config: Mapping[str, Any], since: datetime, until: datetime) -> Iterator[datetime]:
    """The times of a schedule from `since` on and before `until`."""
    return takewhile(lambda time: time < until, following(config, since - timedelta(microseconds=1)))


def deal(config: Mapping[str, Any], first: datetime, now: datetime, grace: timedelta) -> Dealt:
    """Which ticks a run is owed for, from the `first` that nobody has dealt with up to `now`.

    A tick is missed when it is later than `grace`. Of the missed ones `catch_up` lets none be made up for (`skip`), the
    latest where no tick since has come in time (`latest`), or each of them (`all`).
    """
    policy = config.get("catch_up", "latest")
    begin = first if policy == "all" else max(first, now - grace)
    found = list(islice(_upto(config, begin, now), AT_ONCE + 1))
    if len(found) > AT_ONCE:
        return Dealt(ticks=tuple(found[:AT_ONCE]), next_at=found[AT_ONCE])
    if not found and policy == "latest":
        found = _last(config, first, now)
    return Dealt(ticks=tuple(found), next_at=first_after(config, now))


def _upto(config: Mapping[str, Any], since: datetime, now: datetime) -> Iterator[datetime]:
    return between(config, since, now + timedelta(microseconds=1))


def _last(config: Mapping[str, Any], first: datetime, now: datetime) -> list[datetime]:
    """The last tick up to now, if there is one since `first`."""
    for window in (*_WINDOWS, now - first):
        last = None
        for last in _upto(config, max(first, now - window), now):  # noqa: B007 - the last one is wanted
            pass
        if last is not None:
            return [last]
    return []


def _rising(after: datetime, times: Iterable[datetime]) -> Iterator[datetime]:
    """Times after a time, in UTC; one that is there twice, because the clock has gone back, comes once."""
    last = after
    for time in times:
        found = time.astimezone(UTC)
        if found > last:
            last = found
            yield found


def _multiples(period: int, after: datetime) -> Iterator[datetime]:
    """The multiples of a period, in microseconds since the epoch, after a time."""
    count = (after - _EPOCH) // timedelta(microseconds=1) // period
    while True:
        count += 1
        yield _EPOCH + timedelta(microseconds=count * period)
