"""What is asked of the joined table: each function answers with a small table of exact counts.

Every answer carries the same tally, so that shares and means are divided only where they are shown, and can be
added up: `flights` scheduled, `cancelled`, `departed`, `late` of those, `minutes` of departure delay in all
(an early departure counts below zero), `landed` and `arrival_minutes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

TALLY = ("flights", "cancelled", "departed", "late", "minutes", "landed", "arrival_minutes")
WIND_BANDS = (8.0, 13.0, 18.0, 23.0, 28.0)
VISIBILITY_BANDS = (1.0, 3.0, 5.0, 9.0, 10.0)
PRECIPITATION_BANDS = (0.01, 0.05, 0.1, 0.2)
AGE_BANDS = (5, 10, 15, 20, 25)


def tally() -> list[pl.Expr]:
    """Count and add up a group of departures."""
    return [
        pl.len().cast(pl.Int64).alias("flights"),
        (pl.col("status") == "cancelled").sum().cast(pl.Int64).alias("cancelled"),
        pl.col("dep_delay").count().cast(pl.Int64).alias("departed"),
        pl.col("late").sum().cast(pl.Int64).alias("late"),
        pl.col("dep_delay").cast(pl.Int64).sum().alias("minutes"),
        pl.col("arr_delay").count().cast(pl.Int64).alias("landed"),
        pl.col("arr_delay").cast(pl.Int64).sum().alias("arrival_minutes"),
    ]


def by_hour(table: pl.DataFrame) -> pl.DataFrame:
    """Tally each scheduled clock hour at each airport."""
    return table.group_by("hour", "origin").agg(tally()).sort("hour", "origin")


def by_day(table: pl.DataFrame) -> pl.DataFrame:
    """Tally each day, with its strongest wind, worst visibility and the rain at the wettest airport in flown hours."""
    hours = table.filter(pl.col("severity").is_not_null()).unique(["date", "origin", "time_hour"])
    airports = hours.group_by("date", "origin").agg(
        pl.col("wind_speed").max(), pl.col("visib").min(), pl.col("precip").sort().sum()
    )
    weather = airports.group_by("date").agg(pl.col("wind_speed").max(), pl.col("visib").min(), pl.col("precip").max())
    return table.group_by("date").agg(tally()).join(weather, on="date", how="left").sort("date")


def by_weather(table: pl.DataFrame) -> pl.DataFrame:
    """Tally bands of wind, visibility and precipitation, and the four levels that combine them.

    `band` is the number of edges at or below the reading, so 0 is the lowest; departures without weather are left out.
    """
    known = table.filter(pl.col("severity").is_not_null())
    measures = {
        "wind": _band("wind_speed", WIND_BANDS),
        "visibility": _band("visib", VISIBILITY_BANDS),
        "precipitation": _band("precip", PRECIPITATION_BANDS),
        "level": pl.col("severity").cast(pl.Int32),
    }
    parts = [
        known.group_by(band.alias("band")).agg(tally()).sort("band").select(pl.lit(name).alias("measure"), pl.all())
        for name, band in measures.items()
    ]
    return pl.concat(parts)


def by_route(table: pl.DataFrame) -> pl.DataFrame:
    """Tally each route from an airport to a destination."""
    return table.group_by("origin", "dest", "dest_name").agg(tally()).sort("origin", "dest")


def by_age(table: pl.DataFrame) -> pl.DataFrame:
    """Tally bands of the aircraft's age, with `expected`: the late departures if each flight had done as its carrier.

    Carriers that fly old aircraft may run late for other reasons; late minus expected compares each with itself.
    """
    known = table.filter(pl.col("plane_age").is_not_null()).with_columns(_band("plane_age", AGE_BANDS).alias("band"))
    own = known.group_by("carrier").agg((pl.col("late").sum() / pl.col("late").count()).alias("own_share"))
    mix = known.group_by("band", "carrier").agg(pl.col("late").count().alias("departures"))
    expected = (
        mix.join(own, on="carrier")
        .sort("band", "carrier")
        .group_by("band", maintain_order=True)
        .agg((pl.col("departures") * pl.col("own_share")).sum().alias("expected"))
    )
    return known.group_by("band").agg(tally()).join(expected, on="band").sort("band")


def overview(days: pl.DataFrame) -> dict[str, int]:
    """Add up the tally over all days."""
    return {name: int(days[name].sum()) for name in TALLY}


def worst_routes(routes: pl.DataFrame, *, at_least: int, top: int) -> pl.DataFrame:
    """Pick the routes with the largest share of late departures among those with enough departures to judge."""
    return (
        routes.filter(pl.col("departed") >= at_least)
        .sort(
            pl.col("late") / pl.col("departed"), "origin", "dest", descending=[True, False, False], maintain_order=True
        )
        .head(top)
    )


def _band(column: str, edges: Sequence[float]) -> pl.Expr:
    return pl.sum_horizontal([(pl.col(column) >= edge).cast(pl.Int32) for edge in edges])
