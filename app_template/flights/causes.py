"""How much of who leaves late can be told from what is known beforehand, and from which kind of knowledge.

A linear model of lateness is fitted on every combination of the groups below. What a group explains depends on the
order in which groups are let in, so each gets the average over all orders (Lindeman, Merenda and Gold; the Shapley
value of R²). The parts add up to the R² of the whole model. This says what goes with lateness, not what causes it.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import polars as pl
from numpy.typing import NDArray

GROUPS: dict[str, tuple[str, ...]] = {
    "How late the airport ran an hour before": ("previous",),
    "The clock hour": ("hour",),
    "The month and weekday": ("month", "weekday"),
    "The carrier": ("carrier",),
    "The weather at departure": ("wind_level", "visib_level", "precip_level", "cold"),
    "The airport and destination": ("origin", "dest"),
    "The age of the aircraft": ("age",),
}
PREVIOUS_EDGES = (0.05, 0.1, 0.2, 0.35, 0.5)
"""Shares of late departures in the hour before: where one step of that group ends and the next begins."""
FREEZING = 32.0
"""Degrees Fahrenheit."""
RAREST = 50
"""Departures that a value needs for a column of its own; rarer ones share the column of the first value."""
CHUNK = 65_536
SHORTEST = 1e-10
"""A direction this much shorter than the longest is taken for none."""
PLACES = 9

Floats = NDArray[np.float64]


def explained(table: pl.DataFrame) -> pl.DataFrame:
    """Tell for each group of knowledge which share of the variance of lateness it explains (column `share`).

    Fewer than two departures, or none or all of them late, leave nothing to explain: every share is zero.
    """
    departures = _departures(table)
    late = departures["late"].cast(pl.Float64).to_numpy()
    if len(late) < 2 or late.min() == late.max():
        return pl.DataFrame({"group": list(GROUPS), "share": [0.0] * len(GROUPS)})
    columns, owners = _columns(departures)
    gram, moments = _products(columns, late)
    spread = float(late @ late) - float(late.sum()) ** 2 / len(late)
    names = list(GROUPS)
    fit = {
        chosen: _fit(gram, moments, np.isin(owners, [-1, *chosen]), len(late)) / spread
        for size in range(len(names) + 1)
        for chosen in combinations(range(len(names)), size)
    }
    shares = [round(_average_gain(group, fit, len(names)), PLACES) for group in range(len(names))]
    return pl.DataFrame({"group": names, "share": shares}).sort("share", "group", descending=[True, False])


def _departures(table: pl.DataFrame) -> pl.DataFrame:
    """Departures that left, each with what was known before it did."""
    left = table.filter(pl.col("dep_delay").is_not_null())
    previous = left.group_by("origin", "time_hour").agg(pl.col("late").mean().alias("late_before"))
    before = previous.with_columns(pl.col("time_hour").dt.offset_by("1h"))
    return left.join(before, on=["origin", "time_hour"], how="left", maintain_order="left").with_columns(
        _step("late_before", PREVIOUS_EDGES).alias("previous"),
        pl.col("date").dt.month().alias("month"),
        pl.col("date").dt.weekday().alias("weekday"),
        (pl.col("temp") < FREEZING).cast(pl.Int8).alias("cold"),
        (pl.col("plane_age") // 5).clip(0, 5).alias("age"),
    )


def _step(column: str, edges: tuple[float, ...]) -> pl.Expr:
    steps = pl.sum_horizontal([(pl.col(column) >= edge).cast(pl.Int8) for edge in edges])
    return pl.when(pl.col(column).is_not_null()).then(steps)


def _columns(departures: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """A constant and one column of zeros and ones per value, with the number of the group that each belongs to.

    What is not known (no weather, no aircraft) is a value of its own: not knowing may tell something too.
    """
    columns: list[NDArray[np.float32]] = [np.ones(len(departures), dtype=np.float32)]
    owners = [-1]
    for number, names in enumerate(GROUPS.values()):
        for name in names:
            values = departures[name]
            frequent = values.value_counts().filter(pl.col("count") >= RAREST)[name].sort(nulls_last=True)
            for value in frequent[1:]:
                chosen = values.is_null() if value is None else (values == value).fill_null(value=False)
                columns.append(chosen.to_numpy().astype(np.float32))
                owners.append(number)
    return np.column_stack(columns), np.array(owners)


def _products(columns: NDArray[np.float32], late: Floats) -> tuple[Floats, Floats]:
    """Products of every two columns and of each with lateness: counts, and therefore exact in these floats."""
    size = columns.shape[1]
    gram, moments = np.zeros((size, size)), np.zeros(size)
    for start in range(0, len(late), CHUNK):
        part = columns[start : start + CHUNK]
        gram += part.T @ part
        moments += part.T @ late[start : start + CHUNK].astype(np.float32)
    return gram, moments


def _fit(gram: Floats, moments: Floats, chosen: NDArray[np.bool_], count: int) -> float:
    """The variance that a model of the chosen columns explains, as a sum of squares.

    Columns may repeat each other (no wind is known where no visibility is), so directions without length are left out.
    """
    lengths, directions = np.linalg.eigh(gram[np.ix_(chosen, chosen)])
    kept = lengths > SHORTEST * lengths[-1]
    along = directions[:, kept].T @ moments[chosen]
    return float(along**2 @ (1 / lengths[kept])) - float(moments[0]) ** 2 / count


def _average_gain(group: int, fit: dict[tuple[int, ...], float], groups: int) -> float:
    """What letting this group in adds to the fit, averaged over every order of the groups."""
    total = 0.0
    for chosen, value in fit.items():
        if group not in chosen:
            weight = factorial(len(chosen)) * factorial(groups - len(chosen) - 1) / factorial(groups)
            total += weight * (fit[tuple(sorted((*chosen, group)))] - value)
    return total
