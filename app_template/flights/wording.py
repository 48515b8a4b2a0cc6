"""The sentences of the report: each is worked out from the answers, so it is true of other months too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import polars as pl

from flights.comparison import ROUGH, Comparison
from flights.measure import LEVELS
from flights.picture import AGE_LABELS, FEWEST, percent
from flights.questions import TALLY

MORNING, EVENING = 9, 17
"""Clock hours: before the one is morning, from the other on is evening."""
SMALL_AGE_GAP = 0.02
_LEGAL_FORM = re.compile(r",? (Inc\.|Co\.|Corporation)$")


def months_in_words(months: Sequence[int]) -> str:
    """Name the months of 2013: a run of them as from–to."""
    chosen = sorted(set(months))
    names = [f"{date(2013, month, 1):%B}" for month in chosen]
    if len(chosen) > 2 and chosen[-1] - chosen[0] == len(chosen) - 1:
        return f"{names[0]} to {names[-1]} 2013"
    return f"{listed(names)} 2013"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def short(name: str) -> str:
    """A carrier's name without its legal form."""
    return _LEGAL_FORM.sub("", name)


def points(share: float) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    return f"{share * 100:+.1f}".replace("-", "−")


def headline(total: dict[str, int], weather: pl.DataFrame) -> str:
    """The answer in one line: how many of a hundred leave late, and how many in rough weather."""
    if not total["departed"]:
        return "No departure left in these months."
    first = f"{hundredths(total)} of 100 departures left New York late."
    rough = rough_tally(weather)
    return f"{first} In rough weather it was {hundredths(rough)} of 100." if rough["departed"] else first


def hundredths(tally: dict[str, int]) -> str:
    """How many of a hundred departures were late, as a whole number."""
    return f"{100 * tally['late'] / tally['departed']:.0f}"


def rough_tally(weather: pl.DataFrame) -> dict[str, int]:
    """Add up the departures in rough and in severe weather."""
    rough = weather.filter((pl.col("measure") == "level") & (pl.col("band") >= ROUGH))
    return {name: int(rough[name].sum()) for name in TALLY}


def hours(table: pl.DataFrame) -> str:
    """When in the day it is best and worst to leave."""
    clock = table.group_by("hour").agg(pl.col("late", "departed").sum()).filter(pl.col("departed") >= FEWEST)
    if clock.is_empty():
        return "No clock hour has enough departures to be judged."
    ranked = clock.sort(pl.col("late") / pl.col("departed"), "hour").to_dicts()
    best, worst = ranked[0], ranked[-1]
    return (
        f"Best at {best['hour']}:00, worst at {worst['hour']}:00: {percent(best['late'], best['departed'])} "
        f"of departures left late against {percent(worst['late'], worst['departed'])}. {_evening(table)}"
    )


def _evening(table: pl.DataFrame) -> str:
    parts = (
        table.with_columns(
            pl.when(pl.col("hour") < MORNING)
            .then(pl.lit("early"))
            .when(pl.col("hour") >= EVENING)
            .then(pl.lit("late"))
            .alias("part")
        )
        .drop_nulls("part")
        .group_by("origin", "part")
        .agg((pl.col("late").sum() / pl.col("departed").sum()).alias("share"))
    )
    shares = {(origin, part): share for origin, part, share in parts.iter_rows()}
    airports = sorted(set(table["origin"].to_list()))
    worse = [each for each in airports if shares.get((each, "late"), 0.0) > shares.get((each, "early"), 0.0)]
    where = "every airport" if worse == airports else listed(worse)
    if not worse:
        return f"At no airport are departures after {EVENING}:00 late more often than those before {MORNING}:00."
    return f"At {where}, departures after {EVENING}:00 are late more often than those before {MORNING}:00."


def days(table: pl.DataFrame) -> str:
    """How unevenly the lateness is spread over the days."""
    flown = table.filter(pl.col("departed") > 0).sort("late", "date", descending=[True, False])
    if not flown["late"].sum():
        return "No departure left late on any day."
    tenth = max(flown.height // 10, 1)
    late = flown["late"].to_list()
    share = sum(late[:tenth]) / sum(late)
    worst = flown.sort(pl.col("late") / pl.col("departed"), "date", descending=[True, False]).row(0, named=True)
    lost = table.filter(pl.col("flights") > 0).sort("cancelled", "date", descending=[True, False]).row(0, named=True)
    said = (
        f"The worst {tenth} of {flown.height} days hold {share:.0%} of all late departures. "
        f"On {_day(worst['date'])}, {percent(worst['late'], worst['departed'])} left late"
    )
    if not lost["cancelled"]:
        return f"{said}; nothing was cancelled on any day."
    return f"{said}; on {_day(lost['date'])}, {percent(lost['cancelled'], lost['flights'])} never left at all."


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def weather(table: pl.DataFrame) -> str:
    """What bad weather adds, on departure and in cancellations."""
    fair = table.filter((pl.col("measure") == "level") & (pl.col("band") == 0))
    worst = table.filter((pl.col("measure") == "level") & (pl.col("departed") >= FEWEST)).tail(1)
    if fair.is_empty() or worst.is_empty() or worst["band"][0] == 0 or not fair["departed"][0]:
        return "There was too little bad weather to compare fair weather with."
    here, there = fair.row(0, named=True), worst.row(0, named=True)
    return (
        f"From fair to {LEVELS[there['band']]} weather, late departures go from "
        f"{percent(here['late'], here['departed'])} to {percent(there['late'], there['departed'])} and cancellations "
        f"from {percent(here['cancelled'], here['flights'])} to {percent(there['cancelled'], there['flights'])}."
    )


def carriers(comparisons: Sequence[Comparison]) -> str:
    """Which carriers stand rough weather best and worst, and how sure that is."""
    measured = [(each.adjusted.value, each) for each in comparisons if each.adjusted is not None]
    if not measured:
        return "No carrier has enough departures in both fair and rough weather to be compared."
    ranked = sorted(measured, key=lambda pair: (pair[0], pair[1].carrier.code))
    sure = sum(each.adjusted is not None and each.adjusted.low > 0 for _, each in ranked)
    said = f"Of {len(ranked)} carriers with enough flights, {sure} are clearly late more often in rough weather."
    least, most = (f"{points(value)} points at {short(each.carrier.name)}" for value, each in (ranked[0], ranked[-1]))
    if len(ranked) == 1:
        return f"{said} At equal airport, hour and month the difference is {least}."
    return f"{said} At equal airport, hour and month the difference goes from {least} to {most}."


def routes(table: pl.DataFrame, at_least: int) -> str:
    """Which route is the latest of those that are flown often."""
    if table.is_empty():
        return f"No route has {at_least} departures."
    rows = table.to_dicts()
    origin = max(sorted({row["origin"] for row in rows}), key=lambda each: sum(row["origin"] == each for row in rows))
    count = sum(row["origin"] == origin for row in rows)
    return (
        f"{rows[0]['origin']} to {rows[0]['dest_name']} is late most often: "
        f"{percent(rows[0]['late'], rows[0]['departed'])} of {rows[0]['departed']:,} departures. "
        f"{count} of the worst {len(rows)} routes leave from {origin}."
    )


def ages(table: pl.DataFrame) -> str:
    """Whether old aircraft are late more often, once carriers are compared with themselves."""
    rows = table.filter(pl.col("departed") >= FEWEST).to_dicts()
    if len(rows) < 2:
        return "There are too few aircraft of different age to compare."
    gaps = {AGE_LABELS[row["band"]]: (row["late"] - row["expected"]) / row["departed"] for row in rows}
    best, worst = min(gaps, key=lambda each: gaps[each]), max(gaps, key=lambda each: gaps[each])
    verdict = "barely matters" if gaps[worst] - gaps[best] < SMALL_AGE_GAP else "goes with some of the difference"
    return (
        f"Age {verdict}: measured against what their carriers make usual, aircraft of {best} years do best "
        f"({points(gaps[best])} points) and those of {worst} years worst ({points(gaps[worst])})."
    )


def causes(table: pl.DataFrame) -> str:
    """What tells most about who leaves late, and how much stays untold."""
    total = float(table["share"].sum())
    if total <= 0:
        return "Nothing that is known beforehand tells who leaves late."
    first, second = table.row(0, named=True), table.row(1, named=True)
    return (
        f"{first['group']} tells most: {first['share']:.1%} of the variance. Next comes {_lower(second['group'])} with "
        f"{second['share']:.1%}. Everything together explains {total:.1%}; the rest is not in this data."
    )


def _lower(words: str) -> str:
    return words[0].lower() + words[1:]
