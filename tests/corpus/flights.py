"""1. Flights delay report: sources, params references, side inputs."""

# pyright: strict

import pandas as pd
import polars as pl

import codemation as cm


class Params(cm.Params):
    month: int = 1
    """Month of departure."""
    min_delay: float = 15


@cm.node
def load_flights(params: Params) -> pl.DataFrame:
    rows = {"carrier": ["UA", "AA", "UA", "DL"], "month": [1, 1, 2, 1], "hour": [6, 7, 8, 9]}
    flights = pl.DataFrame({**rows, "delay": [20.0, 5.0, 40.0, 60.0]})
    return flights.filter(pl.col("month") == params.month)


@cm.node
def load_weather(params: Params) -> pd.DataFrame:
    return pd.DataFrame({"hour": [6, 7, 9], "wind": [10.0 * params.month, 5.0, 30.0]})


@cm.node
def keep_late(flights: pl.DataFrame, min_delay: float) -> pl.DataFrame:
    return flights.filter(pl.col("delay") >= min_delay)


@cm.node
def attach_weather(flights: pl.DataFrame, weather: pl.DataFrame, tolerance: str = "1h") -> pl.DataFrame:
    return flights.join(weather, on="hour", how="left").with_columns(pl.lit(tolerance).alias("tolerance"))


@cm.node
def by_carrier(flights: pl.DataFrame) -> pl.DataFrame:
    return flights.group_by("carrier").agg(pl.col("delay").mean()).sort("carrier")


@cm.node(cache=True)
def report(by_carrier: pl.DataFrame, worst: list[dict[str, object]]) -> cm.Item[dict[str, object]]:
    return cm.Item({"carriers": by_carrier["carrier"].to_list(), "worst": [row["carrier"] for row in worst]})


@cm.node
def worst_ten(flights: pl.DataFrame) -> list[dict[str, object]]:
    return flights.sort("delay", descending=True).head(10).to_dicts()


@cm.workflow("flights.delays", params=Params).on(cm.cron("0 6 * * *", timezone="America/New_York"))
def delays(start: cm.Flow) -> cm.Flow:
    late = start.then(load_flights).then(keep_late, min_delay=Params.min_delay)
    weather = start.then(load_weather)
    joined = late.then(attach_weather, weather=weather, tolerance="90m")
    return joined.then(by_carrier).then(report, worst=joined.then(worst_ten))
