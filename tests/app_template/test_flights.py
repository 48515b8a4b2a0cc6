"""The app's answers are those that plain pandas gives on the whole year: the same counts, and floats to 1e-9."""

from __future__ import annotations

import itertools
import statistics
from math import isclose
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from flights import causes, comparison, measure, questions, source
from flights.questions import TALLY

from tests.app_template import pipeline, plain

Counts = dict[Any, tuple[int, ...]]


def counts(answer: pl.DataFrame, by: list[str]) -> Counts:
    """An answer as plain numbers by group."""
    keys = answer.select(by).rows() if len(by) > 1 else answer[by[0]].to_list()
    return dict(zip(keys, answer.select(TALLY).rows(), strict=True))


def test_every_row_of_the_files_is_read() -> None:
    everything = range(1, 13)
    assert source.read_flights(everything).height == len(plain.flights())
    assert source.read_weather(everything).height == len(plain.weather())
    assert source.read_planes().height == len(plain.planes())
    assert (source.read_airports().height, source.read_airlines().height) == (1458, 16)


def test_only_the_chosen_months_are_read() -> None:
    flights = plain.flights()
    assert source.read_flights([2, 11]).height == int(flights.month.isin([2, 11]).sum())


def test_the_joined_table_has_one_row_for_each_departure_that_is_believed(
    work: pipeline.Work, year: pd.DataFrame
) -> None:
    assert work.table.height == len(year) == len(plain.flights()) - 5
    assert work.table.select("date", "carrier", "flight", "origin").is_unique().all()
    for ours, theirs in (("severity", "level"), ("temp", "temp"), ("plane_age", "age"), ("late", "dep_delay")):
        assert work.table[ours].count() == year[theirs].count()
    assert work.table["wind_speed"].sum() == pytest.approx(year.wind_speed.sum(), rel=1e-9)
    assert work.table["plane_age"].sum() == int(year.age.sum())


def test_each_record_that_pandas_finds_impossible_is_refused_once(work: pipeline.Work) -> None:
    flights, weather, planes = plain.flights(), plain.weather(), plain.planes()
    bad_planes = planes[planes.year.isna() | (planes.year < 1970) | (planes.seats < 20)]
    bad_readings = weather[weather.temp.isna() | weather.wind_speed.isna() | (weather.wind_speed > 253)]
    refused = {table: [each.key for each in work.rejects if each.table == table] for table in ("planes", "weather")}
    assert sorted(refused["planes"]) == sorted(bad_planes.tailnum)
    hours = bad_readings.time_hour.str.slice(0, 16).str.replace("T", " ")
    assert sorted(refused["weather"]) == sorted(bad_readings.origin + " " + hours + " UTC")
    bad = flights[plain.impossible(flights)]
    keys = pd.to_datetime(bad[["year", "month", "day"]]).dt.strftime("%Y-%m-%d ") + bad.carrier
    keys = keys + bad.flight.astype(str) + " " + bad.origin + "-" + bad.dest
    assert sorted(each.key for each in work.rejects if each.table == "flights") == sorted(keys)


def test_each_odd_departure_that_is_kept_has_one_note(work: pipeline.Work) -> None:
    flights = plain.flights()
    flights = flights[~plain.impossible(flights)]
    cancelled = flights.dep_time.isna()
    odd_tail = flights.tailnum.notna() & ~flights.tailnum.fillna("").str.match(r"N[1-9][0-9A-Z]{0,4}$")
    unfinished = ~cancelled & flights.arr_time.isna() & ~odd_tail
    diverted = ~cancelled & flights.arr_time.notna() & flights.air_time.isna() & ~odd_tail
    expected = {
        "odd_tail_number": odd_tail.sum(),
        "no_aircraft": (cancelled & flights.tailnum.isna()).sum(),
        "unfinished": unfinished.sum(),
        "diverted": diverted.sum(),
        "extreme_delay": ((flights.dep_delay >= 900) & ~odd_tail & ~unfinished & ~diverted).sum(),
        "repeated_hour": plain.weather().duplicated(["origin", "year", "month", "day", "hour"], keep=False).sum(),
    }
    found = pd.Series([note.kind for note in work.notes]).value_counts().to_dict()
    assert found == {kind: int(count) for kind, count in expected.items()}


def test_a_table_in_pieces_is_judged_as_one_in_one_piece() -> None:
    weather = source.read_weather([2, 7])
    pieces = pl.concat([weather.head(3), weather.slice(3)], rechunk=False)
    assert pieces.n_chunks() > 1
    assert measure.odd_readings(pieces).equals(measure.odd_readings(weather.rechunk()))
    flights = source.read_flights([2])
    pieces = pl.concat([flights.filter(pl.col("flight") < 0), flights.head(3), flights.slice(3)], rechunk=False)
    assert measure.odd_departures(pieces).equals(measure.odd_departures(flights.rechunk()))


def test_the_hours_are_those_of_pandas(work: pipeline.Work, year: pd.DataFrame) -> None:
    assert counts(questions.by_hour(work.table), ["hour", "origin"]) == plain.tally(year, ["hour", "origin"])


def test_the_days_and_their_weather_are_those_of_pandas(work: pipeline.Work, year: pd.DataFrame) -> None:
    days = questions.by_day(work.table)
    assert counts(days, ["date"]) == {day.date(): row for day, row in plain.tally(year, ["date"]).items()}
    hours = year[year.level.notna()].drop_duplicates(["date", "origin", "time_hour"])
    airports = hours.groupby(["date", "origin"]).agg({"wind_speed": "max", "visib": "min", "precip": "sum"})
    expected = airports.groupby("date").agg({"wind_speed": "max", "visib": "min", "precip": "max"})
    found = days.drop_nulls("wind_speed").select("wind_speed", "visib", "precip").to_numpy()
    np.testing.assert_allclose(found, expected.to_numpy(), rtol=1e-9, atol=1e-9)
    totals = plain.tally(year.assign(all=0), ["all"])[0]
    assert tuple(questions.overview(days).values()) == totals


def test_the_weather_bands_are_those_of_pandas(work: pipeline.Work, year: pd.DataFrame) -> None:
    known = year[year.level.notna()]
    expected: Counts = {}
    for name, column, edges in (
        ("wind", "wind_speed", questions.WIND_BANDS),
        ("visibility", "visib", questions.VISIBILITY_BANDS),
        ("precipitation", "precip", questions.PRECIPITATION_BANDS),
        ("level", "level", (1, 2, 3)),
    ):
        rows = plain.tally(known.assign(band=plain.bands(known[column], list(edges))), ["band"])
        expected |= {(name, int(band)): row for band, row in rows.items()}
    assert counts(questions.by_weather(work.table), ["measure", "band"]) == expected


def test_the_routes_and_the_worst_of_them_are_those_of_pandas(work: pipeline.Work, year: pd.DataFrame) -> None:
    routes = questions.by_route(work.table)
    expected = plain.tally(year, ["origin", "dest"])
    assert counts(routes, ["origin", "dest"]) == expected
    often = {route: row[3] / row[2] for route, row in expected.items() if row[2] >= 365}
    worst = sorted(often, key=lambda route: (-often[route], route))[:12]
    assert questions.worst_routes(routes, at_least=365, top=12).select("origin", "dest").rows() == worst


def test_the_ages_and_what_is_usual_for_their_carriers_are_those_of_pandas(
    work: pipeline.Work, year: pd.DataFrame
) -> None:
    ages = questions.by_age(work.table)
    known = year[year.age.notna()].copy()
    known["band"] = plain.bands(known.age, [5, 10, 15, 20, 25])
    assert counts(ages, ["band"]) == plain.tally(known, ["band"])
    left = known[known.departed]
    usual = left.assign(usual=left.groupby("carrier").late.transform("mean")).groupby("band").usual.sum()
    np.testing.assert_allclose(ages["expected"].to_numpy(), usual.to_numpy(), rtol=1e-9)


def test_the_carriers_are_counted_as_pandas_counts_them(work: pipeline.Work, year: pd.DataFrame) -> None:
    known = year[year.level.notna() & year.departed]
    sizes = known.groupby(["carrier", "level"]).late.agg(["size", "sum"])
    expected = {key: (int(size), int(late)) for key, size, late in sizes.itertuples()}
    for carrier in comparison.roster(work.table):
        counted = comparison.count_carrier(carrier, work.table)
        assert carrier.flights == int((year.carrier == carrier.code).sum())
        for level in counted.levels:
            assert (level.departed, level.late) == expected.get((carrier.code, level.level), (0, 0))


@pytest.mark.parametrize("code", ["UA", "EV", "F9"])
def test_what_rough_weather_adds_is_what_pandas_and_least_squares_say(
    work: pipeline.Work, year: pd.DataFrame, code: str
) -> None:
    carrier = next(each for each in comparison.roster(work.table) if each.code == code)
    found = comparison.compare_carrier(carrier, work.table, resamples=100)
    known = year[(year.carrier == code) & year.level.notna() & year.departed]
    fair, rough = known[known.level == 0], known[known.level >= 2]
    controls = pd.get_dummies(known[["origin", "hour", "month"]].astype(str), drop_first=True)
    matrix = np.column_stack([known.level >= 2, known.level == 1, np.ones(len(known)), controls]).astype(float)
    adjusted = np.linalg.lstsq(matrix, known.late.to_numpy(float), rcond=None)[0][0]
    assert found.added is not None
    assert found.adjusted is not None
    assert found.slowest_fair is not None
    assert found.slowest_rough is not None
    assert isclose(found.added.value, rough.late.mean() - fair.late.mean(), abs_tol=1e-9)
    assert isclose(found.adjusted.value, adjusted, abs_tol=1e-9)
    assert found.slowest_fair.value == np.quantile(fair.dep_delay, 0.9, method="inverted_cdf")
    assert found.slowest_rough.value == np.quantile(rough.dep_delay, 0.9, method="inverted_cdf")


def test_an_interval_is_as_wide_as_the_spread_between_days_makes_it(work: pipeline.Work, year: pd.DataFrame) -> None:
    carrier = next(each for each in comparison.roster(work.table) if each.code == "UA")
    share = comparison.compare_carrier(carrier, work.table, resamples=2000).levels[0].share
    known = year[(year.carrier == "UA") & (year.level == 0) & year.departed]
    days = known.groupby("date").late.agg(["size", "sum"])
    ratio = days["sum"].sum() / days["size"].sum()
    error = np.sqrt(((days["sum"] - ratio * days["size"]) ** 2).sum()) / days["size"].sum()
    assert share is not None
    assert isclose(share.value, ratio, abs_tol=1e-9)
    assert (share.high - share.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)


def test_the_causes_are_the_average_gain_over_every_order_of_the_groups(year: pd.DataFrame) -> None:
    february = pipeline.prepare([2]).table
    left = year[(year.month == 2) & year.departed].copy()
    hour = pd.to_datetime(left.time_hour)
    before = left.assign(time=hour).groupby(["origin", "time"]).late.mean()
    share = before.reindex(pd.MultiIndex.from_arrays([left.origin, hour - pd.Timedelta(hours=1)])).to_numpy()
    left = left.assign(
        previous=plain.bands(pd.Series(share, index=left.index), list(causes.PREVIOUS_EDGES)),
        weekday=left.date.dt.day_of_week,
        wind_level=plain.bands(left.wind_speed, list(measure.WIND_EDGES)),
        visib_level=3 - plain.bands(left.visib, sorted(measure.VISIBILITY_EDGES)),
        precip_level=plain.bands(left.precip, list(measure.PRECIPITATION_EDGES)),
        cold=(left.temp < 32).where(left.temp.notna()),
        age=(left.age // 5).clip(0, 5),
    )
    blocks = [_dummies(left, names) for names in causes.GROUPS.values()]
    late = left.late.to_numpy(float)
    gains = _gains([np.ones((len(late), 1)), *blocks], late)
    found = dict(causes.explained(february).iter_rows())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for group, gain in zip(causes.GROUPS, gains, strict=True):
        assert isclose(found[group], gain, abs_tol=2e-9), group


def _dummies(left: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    parts = []
    for name in names:
        often = left[name].value_counts(dropna=False)
        kept = sorted(often[often >= causes.RAREST].index, key=lambda value: (pd.isna(value), value))
        parts += [(left[name].isna() if pd.isna(value) else left[name] == value).to_numpy(float) for value in kept[1:]]
    return np.column_stack(parts)


def _gains(
    blocks: list[np.ndarray[Any, np.dtype[np.float64]]], late: np.ndarray[Any, np.dtype[np.float64]]
) -> list[float]:
    """The mean gain in R² of each block but the first (the constant), over every order."""
    everything = np.column_stack(blocks)
    owners = np.repeat(np.arange(len(blocks)) - 1, [block.shape[1] for block in blocks])
    gram, moments = everything.T @ everything, everything.T @ late
    spread = ((late - late.mean()) ** 2).sum()

    def fit(chosen: frozenset[int]) -> float:
        mask = np.isin(owners, [-1, *chosen])
        coefficients = np.linalg.pinv(gram[np.ix_(mask, mask)], hermitian=True) @ moments[mask]
        return float(1 - ((late - everything[:, mask] @ coefficients) ** 2).sum() / spread)

    groups = range(len(blocks) - 1)
    known = {
        frozenset(chosen): fit(frozenset(chosen))
        for size in range(len(blocks))
        for chosen in itertools.combinations(groups, size)
    }
    orders = list(itertools.permutations(groups))
    return [
        statistics.fmean(
            known[frozenset(order[: order.index(each) + 1])] - known[frozenset(order[: order.index(each)])]
            for order in orders
        )
        for each in groups
    ]
