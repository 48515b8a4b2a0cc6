"""What was measured, as figures: values by round, their median and spread, ratios of pairs, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

STEADY = 1.5
"""The same work may take so many times as long in a slow round as in a quick one before a comparison says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What one contender took or reached, a value for each round."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return min(self.values), max(self.values)

    @property
    def steady(self) -> bool:
        """Whether the middle half of the rounds agrees; a single round says nothing about that."""
        if len(self.values) < 2:
            return True
        low, _, high = quantiles(self.values, method="inclusive")
        return high <= STEADY * low


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A promise about a figure, and the figure."""

    what: str
    figure: float
    limit: float
    unit: str
    at_least: bool = False
    """Whether more is better; otherwise the figure must not exceed the limit."""

    @property
    def reached(self) -> bool:
        """Whether the promise is kept."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one benchmark found."""

    name: str
    title: str
    series: tuple[Series, ...] = ()
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()
    yardstick: Series | None = None
    """What ours was compared with, the same plain work in each round."""

    @property
    def disturbed(self) -> bool:
        """Whether the machine was so busy with other things that the figures say nothing, good ones included."""
        return self.yardstick is not None and not self.yardstick.steady


def ratio(name: str, one: Series, other: Series) -> Series:
    """One contender by another, round by round: what disturbs both of a pair cancels out."""
    pairs = zip(one.values, other.values, strict=True)
    return Series(name=name, unit="×", values=tuple(a / b for a, b in pairs))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
