"""Sources, params references, side inputs: the flights delay report."""

# pyright: strict

import codemation as cm
import pandas as pd
import polars as pl
from typing_extensions import assert_type


class Params(cm.Params):
    month: int = 1
    """Month of departure."""
    min_delay: float = 15


@cm.node
def load_flights(params: Params) -> pl.DataFrame: ...


@cm.node
def load_weather(params: Params) -> pd.DataFrame: ...


@cm.node
def keep_late(flights: pl.DataFrame, min_delay: float) -> pl.DataFrame: ...


@cm.node
def attach_weather(flights: pl.DataFrame, weather: pd.DataFrame, tolerance: str = "1h") -> pl.DataFrame: ...


@cm.node
def by_carrier(flights: pl.DataFrame) -> pl.DataFrame: ...


@cm.node
def report(by_carrier: pl.DataFrame, worst: list[dict[str, object]]) -> cm.Item[dict[str, object]]: ...


@cm.node
def worst_ten(flights: pl.DataFrame) -> list[dict[str, object]]: ...


@cm.workflow("flights.delays", params=Params)
def delays(start: cm.Flow) -> cm.Flow[dict[str, object]]:
    late = start.then(load_flights).then(keep_late, min_delay=Params.min_delay)
    weather = start.then(load_weather)
    joined = late.then(attach_weather, weather=weather, tolerance="90m")
    return joined.then(by_carrier).then(report, worst=joined.then(worst_ten))


def results() -> None:
    run = delays.run(month=2)
    assert_type(run[report].item, dict[str, object])
    assert_type(run[worst_ten].items, list[dict[str, object]])
    assert_type(run["report"].count, int)
    assert_type(Params.month, int)
    assert_type(load_flights(Params(month=3)), pl.DataFrame)


async def awaited() -> None:
    run = await delays.arun(month=2)
    assert_type(run.status, str)
