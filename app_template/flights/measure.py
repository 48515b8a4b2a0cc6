"""From five raw tables to one that can be asked: odd rows are found, names, weather and aircraft joined.

Times in the data are New York clock times; `time_hour` is the scheduled hour in UTC, the only one that never repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from flights.records import (
    EXTREME_DELAY,
    FASTEST_GROUND_SPEED,
    SHORTEST_ROUTE,
    Note,
    Reject,
)

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEVELS = ("fair", "unsettled", "rough", "severe")
"""What a departure's weather is called: by the worst of wind, visibility and precipitation in its scheduled hour."""
WIND_EDGES = (13.0, 18.0, 25.0)
"""Miles per hour."""
VISIBILITY_EDGES = (9.0, 5.0, 2.0)
"""Miles."""
PRECIPITATION_EDGES = (0.01, 0.05, 0.15)
"""Inches in the hour."""
STORMY = 60.0
"""Miles per hour: a sustained wind to look at twice."""

# Joined with concat_str: pl.format of polars 2.1 panics on a table whose first chunk is empty.
FLIGHT_KEY = pl.concat_str(
    pl.date("year", "month", "day").dt.to_string("%Y-%m-%d "),
    *("carrier", "flight", pl.lit(" "), "origin", pl.lit("-"), "dest"),
)
READING_KEY = pl.concat_str("origin", pl.col("time_hour").dt.to_string(" %Y-%m-%d %H:%M UTC"))
ORDER = ["time_hour", "origin", "carrier", "flight", "dest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The five tables as read, the aircraft already those that are believed."""

    flights: pl.DataFrame
    weather: pl.DataFrame
    planes: pl.DataFrame
    airports: pl.DataFrame
    airlines: pl.DataFrame


def odd_departures(flights: pl.DataFrame) -> pl.DataFrame:
    """Find the departures that something is odd about, each with a key and the fields that a judge needs."""
    clock = _minutes("dep_time") - _minutes("sched_dep_time") - pl.col("dep_delay")
    odd = pl.any_horizontal(
        pl.col("dep_time").is_null() & pl.col("tailnum").is_null(),
        pl.col("dep_time").is_not_null() & (pl.col("arr_time").is_null() | pl.col("air_time").is_null()),
        ~pl.col("tailnum").str.contains(r"^N[1-9][0-9A-Z]{0,4}$"),
        pl.col("dep_delay") >= EXTREME_DELAY,
        pl.col("distance") < SHORTEST_ROUTE,
        pl.col("distance") > pl.col("air_time") * (FASTEST_GROUND_SPEED / 60),
        clock % 1440 != 0,
    )
    return (
        flights.filter(odd)
        .select(
            pl.lit("flights").alias("table"),
            FLIGHT_KEY.alias("key"),
            pl.date("year", "month", "day").alias("departed_on"),
            *("carrier", "flight", "origin", "dest", "distance", "sched_dep_time"),
            *("tailnum", "dep_time", "dep_delay", "arr_time", "air_time"),
        )
        .sort("key")
    )


def odd_readings(weather: pl.DataFrame) -> pl.DataFrame:
    """Find the readings that lack a value, are stormier than likely, or share their local hour with another."""
    local_hour = ["origin", "year", "month", "day", "hour"]
    odd = pl.any_horizontal(
        pl.col("temp").is_null(),
        pl.col("wind_speed").is_null(),
        pl.col("wind_speed") > STORMY,
        pl.len().over(local_hour) > 1,
    )
    return (
        weather.filter(odd)
        .select(
            pl.lit("weather").alias("table"),
            READING_KEY.alias("key"),
            *("origin", "time_hour", "temp", "wind_speed", "precip", "visib"),
        )
        .sort("key")
    )


def register(planes: pl.DataFrame) -> pl.DataFrame:
    """Name the rows of the aircraft register, so that each can be judged."""
    return planes.select(
        pl.lit("planes").alias("table"),
        pl.col("tailnum").alias("key"),
        *("tailnum", "year", "manufacturer", "model", "seats"),
    ).sort("key")


def assemble(sources: Sources, *, rejects: Sequence[Reject], repairs: Sequence[Note], min_delay: float) -> pl.DataFrame:
    """Join everything that is known about each departure that is believed, one row each, in a fixed order.

    A departure is `late` when it left at least `min_delay` minutes after its time; unknown if it never left.
    """
    return (
        _believed(sources.flights, FLIGHT_KEY, rejects, "flights")
        .with_columns(_without_odd_tail_numbers(repairs))
        .join(_weather(sources.weather, rejects), on=["origin", "time_hour"], how="left")
        .join(_aircraft(sources.planes), on="tailnum", how="left")
        .join(sources.airlines.select("carrier", pl.col("name").alias("carrier_name")), on="carrier", how="left")
        .join(sources.airports.select(pl.col("faa").alias("dest"), pl.col("name").alias("dest_name")), "dest", "left")
        .select(
            pl.date("year", "month", "day").alias("date"),
            *("time_hour", "hour", "origin", "dest", pl.col("dest_name").fill_null(pl.col("dest"))),
            *("carrier", pl.col("carrier_name").fill_null(pl.col("carrier")), "flight", "tailnum", "distance"),
            _status().alias("status"),
            *("sched_dep_time", "dep_time", "dep_delay", "arr_delay", "air_time"),
            (pl.col("dep_delay") >= min_delay).alias("late"),
            *("temp", "wind_speed", "wind_gust", "precip", "visib"),
            *("wind_level", "visib_level", "precip_level", "severity"),
            *("plane_year", "manufacturer", "model", "seats"),
            (pl.col("year") - pl.col("plane_year")).alias("plane_age"),
        )
        .sort(ORDER)
    )


def _believed(
    table: pl.DataFrame, key: pl.Expr, rejects: Sequence[Reject], kind: Literal["flights", "weather"]
) -> pl.DataFrame:
    refused = [reject.key for reject in rejects if reject.table == kind]
    return table.filter(~key.is_in(refused)) if refused else table


def _without_odd_tail_numbers(repairs: Sequence[Note]) -> pl.Expr:
    keys = [note.key for note in repairs if note.kind == "odd_tail_number"]
    return pl.when(~FLIGHT_KEY.is_in(keys)).then(pl.col("tailnum")).alias("tailnum")


def _weather(weather: pl.DataFrame, rejects: Sequence[Reject]) -> pl.DataFrame:
    levels = [
        _level("wind_speed", WIND_EDGES).alias("wind_level"),
        _level("visib", VISIBILITY_EDGES).alias("visib_level"),
        _level("precip", PRECIPITATION_EDGES).alias("precip_level"),
    ]
    return (
        _believed(weather, READING_KEY, rejects, "weather")
        .select("origin", "time_hour", "temp", "wind_speed", "wind_gust", "precip", "visib")
        .with_columns(levels)
        .with_columns(pl.max_horizontal("wind_level", "visib_level", "precip_level").alias("severity"))
    )


def _level(column: str, edges: Sequence[float]) -> pl.Expr:
    """How many of the edges a reading has passed; falling edges are passed downwards."""
    rising = edges[-1] > edges[0]
    passed = [pl.col(column) >= edge if rising else pl.col(column) < edge for edge in edges]
    return pl.sum_horizontal([each.cast(pl.Int8) for each in passed]).cast(pl.Int8)


def _aircraft(planes: pl.DataFrame) -> pl.DataFrame:
    return planes.select(
        "tailnum",
        pl.col("year").cast(pl.Int32).alias("plane_year"),
        *("manufacturer", "model", pl.col("seats").cast(pl.Int32)),
    )


def _status() -> pl.Expr:
    return (
        pl.when(pl.col("dep_time").is_null())
        .then(pl.lit("cancelled"))
        .when(pl.col("arr_time").is_null())
        .then(pl.lit("unfinished"))
        .when(pl.col("air_time").is_null())
        .then(pl.lit("diverted"))
        .otherwise(pl.lit("flown"))
    )


def _minutes(column: str) -> pl.Expr:
    return pl.col(column) // 100 * 60 + pl.col(column) % 100
