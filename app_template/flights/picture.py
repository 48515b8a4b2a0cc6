"""The pictures of departures counted by hour, day, weather, route and age."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import sqrt
from typing import Any

import polars as pl

from flights.chart import (
    WIDE,
    Drawing,
    Scale,
    bar,
    ceiling,
    dot,
    line,
    rule,
    share_axis,
    shorten,
    spread,
    square,
    tag,
    text,
    triangle,
)
from flights.measure import WEEKDAYS

FEWEST = 50
"""Departures that a point in a picture needs."""
HEAT_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
MANY_CANCELLED = 0.2
Z = 1.959963984540054
"""How many standard errors hold 95 of 100."""

WEATHER_PANELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "wind": ("Wind, mph", ("<8", "to 12", "to 17", "to 22", "to 27", "28+")),
    "visibility": ("Visibility, miles", ("<1", "to 2", "to 4", "to 8", "9", "10")),
    "precipitation": ("Precipitation, inches an hour", ("none", "to .04", "to .09", "to .19", ".2+")),
}
AGE_LABELS = ("0–4", "5–9", "10–14", "15–19", "20–24", "25+")
_MARKERS = (dot, square, triangle)


def percent(part: float, whole: float) -> str:
    """Write a share with one decimal, or a dash when there is nothing to share."""
    return f"{part / whole:.1%}" if whole else "–"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The bounds that hold a share in 95 of 100 samples (Wilson's score interval)."""
    share, square_z = part / whole, Z * Z
    middle = (share + square_z / (2 * whole)) / (1 + square_z / whole)
    reach = Z / (1 + square_z / whole) * sqrt(share * (1 - share) / whole + square_z / (4 * whole * whole))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def hours(table: pl.DataFrame, width: int) -> Drawing:
    """Lines of the share of late departures over the clock hours, one for each airport."""
    shown = table.filter(pl.col("departed") >= FEWEST)
    clock = sorted(set(shown["hour"].to_list())) or [0]
    top = ceiling((late / departed for late, departed in shown.select("late", "departed").iter_rows()), 0.1)
    x = Scale(low=clock[0], high=clock[-1], start=42, end=width - 44)
    y = Scale(low=0, high=top, start=260, end=12)
    marks = [share_axis(y, 36, width - 38, step=0.1)]
    every = 2 if width == WIDE else 4
    marks += [text(x(hour), 278, f"{hour}:00", anchor="middle", kind="tick") for hour in clock[::every]]
    marks.append(text(width / 2, 298, "Scheduled hour of departure", anchor="middle", kind="axis-name"))
    airports = sorted(set(shown["origin"].to_list()))
    series = {each: shown.filter(pl.col("origin") == each).sort("hour") for each in airports}
    ends = spread([y(_share(rows.row(-1, named=True))) for rows in series.values()], 14)
    for number, (airport, rows) in enumerate(series.items()):
        points = [(x(row["hour"]), y(_share(row)), row) for row in rows.iter_rows(named=True)]
        marks.append(line([(px, py) for px, py, _ in points], kind=f"line s{number % 3}"))
        for px, py, row in points:
            says = f"{airport} {row['hour']}:00: {percent(row['late'], row['departed'])} of {row['departed']:,} late"
            marks.append(_MARKERS[number % 3](px, py, kind=f"mark s{number % 3}", says=says))
        marks.append(text(points[-1][0] + 8, ends[number] + 4, airport, kind=f"label strong t{number % 3}"))
    return Drawing(height=304, marks="".join(marks))


def calendar(days: pl.DataFrame, width: int) -> Drawing:
    """One cell for each day, darker the more departures were late; a ring where many were cancelled."""
    by_date: dict[date, dict[str, Any]] = {row["date"]: row for row in days.iter_rows(named=True)}
    weeks = sorted({day - timedelta(days=day.weekday()) for day in by_date})
    in_row = 53 if width == WIDE else 27
    pitch = (width - 34) / in_row
    marks, top = [], 18.0
    for start in range(0, len(weeks), in_row):
        row = weeks[start : start + in_row]
        middles = [(each, top + pitch * (each + 0.78)) for each in (0, 2, 4)]
        marks += [text(28, middle, WEEKDAYS[each], anchor="end", kind="tick") for each, middle in middles]
        seen = {day.month for week in weeks[:start] for day in _week(week) if day in by_date}
        for number, week in enumerate(row):
            left = 34 + number * pitch
            found = [(each, day) for each, day in enumerate(_week(week)) if day in by_date]
            if new := {day.month for _, day in found} - seen:
                place, anchor = (left, "start") if left < width - 24 else (float(width), "end")
                marks.append(text(place, top - 6, f"{date(2013, max(new), 1):%b}", anchor=anchor, kind="tick"))
                seen |= new
            marks += [_day(by_date[day], left, top + each * pitch, pitch - 1.6) for each, day in found]
        top += 7 * pitch + 26
    return Drawing(height=top - 14, marks="".join(marks))


def weather(table: pl.DataFrame, width: int) -> Drawing:
    """Bars of late and of cancelled departures over bands of wind, visibility and precipitation."""
    shown = table.filter((pl.col("measure") != "level") & (pl.col("departed") > 0))
    top = ceiling((late / departed for late, departed in shown.select("late", "departed").iter_rows()), 0.1)
    beside = width == WIDE
    marks, panel, height = [], (width - 36) / 3 if beside else width - 36, 224.0
    for number, (name, (title, labels)) in enumerate(WEATHER_PANELS.items()):
        left, down = (36 + number * panel, 0.0) if beside else (36.0, number * height)
        rows = shown.filter(pl.col("measure") == name)
        y = Scale(low=0, high=top, start=down + 176, end=down + 40)
        marks.append(text(left + 4, down + 14, title, kind="label strong"))
        right = left + panel - (12 if beside else 0)
        marks.append(share_axis(y, left, right, step=0.1) if number == 0 or not beside else _grid(y, left, right))
        slot = (right - left) / len(labels)
        marks += [
            _weather_bars(row, labels[row["band"]], y, left + row["band"] * slot, slot)
            for row in rows.iter_rows(named=True)
        ]
    return Drawing(height=height - 22 if beside else 3 * height - 22, marks="".join(marks))


def routes(table: pl.DataFrame, width: int) -> Drawing:
    """A dot for each route with the interval that holds its share of late departures."""
    rows = table.to_dicts()
    bounds = [wilson(row["late"], row["departed"]) for row in rows]
    beside = width == WIDE
    left, pitch = (250.0, 24.0) if beside else (6.0, 40.0)
    low = max(min((low for low, _ in bounds), default=0.0) // 0.1 * 0.1, 0.0)
    x = Scale(low=low, high=ceiling((high for _, high in bounds), 0.1), start=left, end=width - 52)
    bottom = 8 + pitch * len(rows)
    marks = [_share_below(x, bottom, width, "Late departures")]
    for number, (row, (lowest, highest)) in enumerate(zip(rows, bounds, strict=True)):
        y = 8 + pitch * number + (pitch / 2 if beside else 28)
        label = f"{row['origin']} → {row['dest_name']}"
        says = f"{label}: {percent(row['late'], row['departed'])} of {row['departed']:,} late"
        if beside:
            marks.append(text(left - 12, y + 4, shorten(label, left - 14), anchor="end"))
        else:
            marks.append(text(left, y - 10, shorten(label, width - 60)))
        marks.append(rule(x(lowest), y, x(highest), y, kind="whisker s0"))
        marks.append(dot(x(_share(row)), y, kind="mark s0", says=says, radius=5))
        marks.append(text(width - 2, y + 4, percent(row["late"], row["departed"]), anchor="end", kind="value"))
    return Drawing(height=bottom + 40, marks="".join(marks))


def ages(table: pl.DataFrame, width: int) -> Drawing:
    """For each age of aircraft what was late, and what would have been if only the carrier mattered."""
    rows = table.filter(pl.col("departed") > 0).to_dicts()
    top = ceiling((max(_share(row), row["expected"] / row["departed"]) for row in rows), 0.1)
    y = Scale(low=0, high=top, start=220, end=14)
    marks, slot = [share_axis(y, 36, width, step=0.1)], (width - 36) / len(AGE_LABELS)
    for row in rows:
        x, expected = 36 + slot * (row["band"] + 0.5), row["expected"] / row["departed"]
        label, share = AGE_LABELS[row["band"]], percent(row["late"], row["departed"])
        marks.append(rule(x, y(_share(row)), x, y(expected), kind="whisker s0"))
        says = f"{label} years: {expected:.1%} expected from the carriers that fly them"
        marks.append(dot(x, y(expected), kind="hollow s1", says=says, radius=6))
        says = f"{label} years: {share} of {row['departed']:,} late"
        marks.append(dot(x, y(_share(row)), kind="mark s0", says=says, radius=5))
        marks.append(text(x, y(min(_share(row), expected)) + 22, share, anchor="middle", kind="value"))
        marks.append(text(x, 238, label, anchor="middle", kind="tick"))
    marks.append(text(width / 2 + 18, 258, "Age of the aircraft, years", anchor="middle", kind="axis-name"))
    return Drawing(height=264, marks="".join(marks))


def causes(table: pl.DataFrame, width: int) -> Drawing:
    """A bar for each kind of knowledge: the share of the variance of lateness that it explains."""
    rows = table.to_dicts()
    beside = width == WIDE
    left, pitch = (266.0, 34.0) if beside else (2.0, 50.0)
    high = ceiling((row["share"] for row in rows), 0.02)
    x = Scale(low=0, high=high, start=left, end=width - 54)
    bottom = 6 + pitch * len(rows)
    marks = [_share_below(x, bottom, width, "Share of the variance explained", step=0.02 if high <= 0.12 else 0.05)]
    for number, row in enumerate(rows):
        top = 6 + pitch * number + (6 if beside else 22)
        label = (left - 12, top + 15, "end") if beside else (left, top - 6, "start")
        marks.append(text(label[0], label[1], row["group"], anchor=label[2]))
        says = f"{row['group']}: {row['share']:.1%}"
        marks.append(bar(left, top, x(max(row["share"], 0)) - left, 22, kind="bar s0", says=says))
        marks.append(text(width - 2, top + 15, f"{row['share']:.1%}", anchor="end", kind="value"))
    return Drawing(height=bottom + 40, marks="".join(marks))


def _share(row: dict[str, Any]) -> float:
    return float(row["late"] / row["departed"])


def _week(monday: date) -> Sequence[date]:
    return [monday + timedelta(days=each) for each in range(7)]


def _day(row: dict[str, Any], x: float, y: float, size: float) -> str:
    share = row["late"] / row["departed"] if row["departed"] else None
    heat = "none" if share is None else str(sum(share >= edge for edge in HEAT_EDGES))
    says = (
        f"{row['date']:%a} {row['date'].day} {row['date']:%b}: {percent(row['late'], row['departed'])} late, "
        f"{row['cancelled']:,} of {row['flights']:,} cancelled"
    )
    cell = bar(x, y, size, size, kind=f"heat h{heat}", says=says)
    if row["cancelled"] < MANY_CANCELLED * row["flights"]:
        return cell
    return cell + tag("circle", cx=x + size / 2, cy=y + size / 2, r=size * 0.3, class_="ring")


def _weather_bars(row: dict[str, Any], label: str, y: Scale, left: float, slot: float) -> str:
    late, cancelled = _share(row), row["cancelled"] / row["flights"]
    wide = slot * 0.46
    says = f"{label}: {percent(row['late'], row['departed'])} of {row['departed']:,} departures late"
    gone = f"{label}: {percent(row['cancelled'], row['flights'])} of {row['flights']:,} flights cancelled"
    return (
        bar(left + slot * 0.12, y(late), wide, y.start - y(late), kind="bar s0", says=says)
        + bar(left + slot * 0.62, y(cancelled), slot * 0.22, y.start - y(cancelled), kind="bar s1", says=gone)
        + text(left + slot * 0.12 + wide / 2, y(late) - 5, f"{late:.0%}", anchor="middle", kind="value small")
        + text(left + slot / 2, y.start + 16, label, anchor="middle", kind="tick")
    )


def _grid(y: Scale, left: float, right: float) -> str:
    return "".join(rule(left, y(tick), right, y(tick), kind="axis" if tick == 0 else "grid") for tick in y.ticks(0.1))


def _share_below(x: Scale, bottom: float, width: int, name: str, *, step: float = 0.1) -> str:
    marks = [rule(x(tick), 4, x(tick), bottom, kind="axis" if tick == 0 else "grid") for tick in x.ticks(step)]
    marks += [text(x(tick), bottom + 16, f"{tick:.0%}", anchor="middle", kind="tick") for tick in x.ticks(step)]
    middle = (x.start + x.end) / 2 if width == WIDE else width / 2
    return "".join(marks) + text(middle, bottom + 35, name, anchor="middle", kind="axis-name")
