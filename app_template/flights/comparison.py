"""Delay against weather, one carrier at a time: shares by weather level, and what bad weather adds.

Flights of one day share their weather and their troubles, so they are no independent observations. The intervals come
from drawing whole days again with replacement (a cluster bootstrap). All sums are counts of flights, exact in a float,
so the same days give the same bytes whatever the order in which a machine adds them up.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from flights.measure import LEVELS

ROUGH = 2
"""From this level on the weather counts as rough."""
FEWEST_FLIGHTS = 100
"""Departures in fair and in rough weather that a carrier needs to be measured."""
SEED = 2013
PLACES = 9
LONGEST_DELAY = 600
"""Minutes: longer delays count as this one when the slowest tenth is sought."""
_RIDGE = 1e-7

Floats = NDArray[np.float64]


class Interval(BaseModel):
    """An estimate with the bounds that hold it in 95 of 100 draws."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class Carrier(BaseModel):
    """A carrier and how much there is to learn about it."""

    model_config = ConfigDict(frozen=True)

    code: str
    name: str
    flights: int
    fair: int
    """Departures in fair weather."""
    rough: int
    """Departures in rough weather."""

    @property
    def measurable(self) -> bool:
        """Whether there are enough departures in both kinds of weather for an interval to mean something."""
        return min(self.fair, self.rough) >= FEWEST_FLIGHTS


class Level(BaseModel):
    """A carrier's departures in one level of weather."""

    model_config = ConfigDict(frozen=True)

    level: int
    departed: int
    late: int
    share: Interval | None
    """The share of late departures, where there is an interval to give."""


class Comparison(BaseModel):
    """How one carrier stands the weather."""

    model_config = ConfigDict(frozen=True)

    carrier: Carrier
    levels: list[Level]
    added: Interval | None = None
    """Share of late departures in rough weather minus that in fair weather."""
    adjusted: Interval | None = None
    """The same at equal airport, clock hour and month."""
    slowest_fair: Interval | None = None
    """Minutes that one departure in ten exceeds in fair weather."""
    slowest_rough: Interval | None = None
    """Minutes that one departure in ten exceeds in rough weather."""


def roster(table: pl.DataFrame) -> list[Carrier]:
    """List the carriers of the table, the largest first."""
    counted = table.group_by("carrier", "carrier_name").agg(
        pl.len().alias("flights"),
        (pl.col("dep_delay").is_not_null() & (pl.col("severity") == 0)).sum().alias("fair"),
        (pl.col("dep_delay").is_not_null() & (pl.col("severity") >= ROUGH)).sum().alias("rough"),
    )
    ordered = counted.sort("flights", "carrier", descending=[True, False])
    return [
        Carrier(code=code, name=name, flights=flights, fair=fair, rough=rough)
        for code, name, flights, fair, rough in ordered.iter_rows()
    ]


def count_carrier(carrier: Carrier, table: pl.DataFrame) -> Comparison:
    """Count a carrier's departures by weather, without intervals: there are too few for them."""
    counts = _level_counts(_departures(carrier, table))
    levels = [Level(level=each, departed=counts[each][0], late=counts[each][1], share=None) for each in sorted(counts)]
    return Comparison(carrier=carrier, levels=levels)


def compare_carrier(carrier: Carrier, table: pl.DataFrame, *, resamples: int) -> Comparison:
    """Measure a carrier's departures by weather, with intervals from so many draws of days."""
    departures = _departures(carrier, table)
    days = _Days.of(departures)
    weights = days.draws(np.random.default_rng([SEED, zlib.crc32(carrier.code.encode())]), resamples)
    counts = _level_counts(departures)
    late, departed = _by_day_and_level(days)
    shares = _ratio(weights @ late, weights @ departed)
    rough = _ratio((weights @ late)[:, ROUGH:].sum(axis=1), (weights @ departed)[:, ROUGH:].sum(axis=1))
    return Comparison(
        carrier=carrier,
        levels=[
            Level(level=each, departed=counts[each][0], late=counts[each][1], share=_interval(shares[:, each]))
            for each in sorted(counts)
        ],
        added=_interval(rough - shares[:, 0]),
        adjusted=_interval(_adjusted(days, weights)),
        slowest_fair=_interval(_slowest(days, weights, days.level == 0)),
        slowest_rough=_interval(_slowest(days, weights, days.level >= ROUGH)),
    )


def side_by_side(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Put the carriers in one order: the largest first."""
    return sorted(comparisons, key=lambda each: (-each.carrier.flights, each.carrier.code))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    """Departures as columns of numbers, sorted by day; `starts` are the rows at which a new day begins."""

    starts: NDArray[np.intp]
    level: NDArray[np.intp]
    late: NDArray[np.intp]
    delay: NDArray[np.intp]
    controls: Floats

    @classmethod
    def of(cls, departures: pl.DataFrame) -> _Days:
        dates = departures["date"].to_physical().to_numpy()
        return cls(
            starts=np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]]),
            level=departures["severity"].to_numpy().astype(np.intp),
            late=departures["late"].cast(pl.Int64).to_numpy().astype(np.intp),
            delay=departures["dep_delay"].to_numpy().astype(np.intp),
            controls=_dummies(departures, ["origin", "hour", "month"]),
        )

    @property
    def of_day(self) -> NDArray[np.intp]:
        """The day of each departure, counted from 0."""
        sizes = np.diff(np.r_[self.starts, len(self.level)])
        return np.repeat(np.arange(len(self.starts)), sizes)

    def draws(self, random: np.random.Generator, resamples: int) -> Floats:
        """How often each draw takes each day; the first takes each once and so gives the estimate itself."""
        count = len(self.starts)
        drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
        return np.vstack([np.ones(count), drawn]).astype(np.float64)


def _departures(carrier: Carrier, table: pl.DataFrame) -> pl.DataFrame:
    known = (pl.col("carrier") == carrier.code) & pl.col("dep_delay").is_not_null() & pl.col("severity").is_not_null()
    return table.filter(known).with_columns(pl.col("date").dt.month().alias("month")).sort("date", maintain_order=True)


def _level_counts(departures: pl.DataFrame) -> dict[int, tuple[int, int]]:
    counted = departures.group_by("severity").agg(pl.len(), pl.col("late").sum())
    found = {level: (count, late) for level, count, late in counted.iter_rows()}
    return {level: found.get(level, (0, 0)) for level in range(len(LEVELS))}


def _by_day_and_level(days: _Days) -> tuple[Floats, Floats]:
    shape = (len(days.starts), len(LEVELS))
    late, departed = np.zeros(shape), np.zeros(shape)
    np.add.at(late, (days.of_day, days.level), days.late)
    np.add.at(departed, (days.of_day, days.level), 1)
    return late, departed


def _dummies(departures: pl.DataFrame, columns: Sequence[str]) -> Floats:
    """One column of zeros and ones for each value but the first of each of these columns."""
    parts: list[Any] = []
    for column in columns:
        values = departures[column].to_numpy()
        parts.extend(values == value for value in np.unique(values)[1:])
    return np.column_stack([np.ones(len(departures)), *parts]).astype(np.float64)


def _adjusted(days: _Days, weights: Floats) -> Floats:
    """The coefficient of rough weather in a linear model of lateness, for each draw of days."""
    rough, unsettled = days.level >= ROUGH, days.level == 1
    columns = np.column_stack([rough, unsettled, days.controls, days.late]).astype(np.float64)
    size = columns.shape[1]
    products = np.stack([part.T @ part for part in np.split(columns, days.starts[1:])])
    sums = (weights @ products.reshape(len(products), -1)).reshape(-1, size, size)
    # A draw may lack an hour or a month altogether; the ridge leaves that coefficient at zero and the others alone.
    normal = sums[:, :-1, :-1] + _RIDGE * np.eye(size - 1)
    return np.linalg.solve(normal, sums[:, :-1, -1:])[:, 0, 0].astype(np.float64)


def _slowest(days: _Days, weights: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """The delay in minutes that at most a tenth of the chosen departures exceed, for each draw of days."""
    delay = np.minimum(days.delay[chosen], LONGEST_DELAY)
    low = int(delay.min())
    histogram = np.zeros((len(days.starts), int(delay.max()) - low + 1))
    np.add.at(histogram, (days.of_day[chosen], delay - low), 1)
    cumulated = np.cumsum(weights @ histogram, axis=1)
    reached = cumulated >= 0.9 * cumulated[:, -1:]
    return np.where(cumulated[:, -1] > 0, reached.argmax(axis=1) + low, np.nan)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _interval(draws: Floats) -> Interval | None:
    """The estimate and the middle 95 of 100 draws; none where the data has no such departures."""
    if np.isnan(draws[0]):
        return None
    low, high = np.nanquantile(draws[1:], [0.025, 0.975])
    value, low, high = (round(float(each), PLACES) for each in (draws[0], low, high))
    return Interval(value=value, low=low, high=high)
