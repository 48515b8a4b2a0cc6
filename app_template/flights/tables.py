"""The tables of the report: the same numbers as the pictures, to be read and copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import polars as pl

from flights.artifact import Artifact
from flights.chart import tag
from flights.comparison import ROUGH, Comparison, Interval
from flights.measure import LEVELS
from flights.picture import AGE_LABELS, percent, wilson
from flights.records import NOTES, REASONS, TREATMENTS, Note, Reject
from flights.wording import points, short

Row = Sequence[str]
NO_BREAK = "\N{NO-BREAK SPACE}"
LEVEL_MEANING = (
    "wind under 13 mph, visibility 9 miles or more, dry",
    "wind from 13 mph, visibility under 9 miles, or drizzle",
    "wind from 18 mph, visibility under 5 miles, or rain",
    "wind from 25 mph, visibility under 2 miles, or heavy rain",
)
BANDS = {
    "wind": ("Wind", ("under 8 mph", "8 to 12", "13 to 17", "18 to 22", "23 to 27", "28 mph and more")),
    "visibility": ("Visibility", ("under 1 mile", "1 to 2", "3 to 4", "5 to 8", "9", "10 miles and more")),
    "precipitation": ("Precipitation", ("none", "up to 0.04 inch", "0.05 to 0.09", "0.1 to 0.19", "0.2 inch and more")),
}


def html_table(name: str, heads: Row, groups: Iterable[tuple[str, Sequence[Row]]]) -> str:
    """Write a table; each group of rows may have a heading, and the first cell of a row is the head of that row."""
    head = tag("tr", "".join(tag("th", escape(each), scope="col") for each in heads))
    bodies = []
    for title, rows in groups:
        top = tag("th", escape(title), colspan=str(len(heads)), scope="rowgroup") if title else ""
        lines = [tag("tr", top)] if top else []
        lines += [
            tag("tr", tag("th", escape(row[0]), scope="row") + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]))
            for row in rows
        ]
        bodies.append(tag("tbody", "\n".join(lines)) + "\n")
    table = tag("table", tag("thead", head) + "\n" + "".join(bodies), aria_label=name)
    # The name stands outside what scrolls, or a phone would cut it off with the last columns.
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=name)
    return tag("p", escape(name), class_="name") + "\n" + scroll + "\n"


def hours(table: pl.DataFrame) -> str:
    """Late departures by clock hour and airport."""
    airports = sorted(set(table["origin"].to_list()))
    found = {(row["hour"], row["origin"]): row for row in table.iter_rows(named=True)}
    everyone = table.group_by("hour").agg(pl.col("flights", "late", "departed", "minutes").sum()).sort("hour")
    rows = []
    for all_three in everyone.iter_rows(named=True):
        each = [found.get((all_three["hour"], airport)) for airport in airports]
        cells = [percent(row["late"], row["departed"]) if row else "–" for row in each]
        rows.append([f"{all_three['hour']}:00", f"{all_three['flights']:,}", late(all_three), *cells, mean(all_three)])
    heads = ("Hour", "Flights", "Late", *(f"{airport} late" for airport in airports), "Mean delay, min")
    return html_table("Late departures by scheduled hour", heads, [("", rows)])


def days(table: pl.DataFrame, top: int = 10) -> str:
    """The days with the largest share of late departures, with their weather."""
    flown = table.filter(pl.col("departed") > 0)
    worst = flown.sort(pl.col("late") / pl.col("departed"), "date", descending=[True, False]).head(top)
    rows = [
        (
            f"{row['date']:%a} {row['date'].day} {row['date']:%b}".replace(" ", NO_BREAK),
            *(f"{row['flights']:,}", late(row), percent(row["cancelled"], row["flights"]), mean(row)),
            *(_one(row["wind_speed"], 0), _one(row["precip"], 2), _one(row["visib"], 1)),
        )
        for row in worst.iter_rows(named=True)
    ]
    heads = ("Day", "Flights", "Late", "Cancelled", "Mean delay, min", "Wind, mph", "Rain, in", "Visibility, mi")
    return html_table(f"The {len(rows)} days with the most departures late, and their weather", heads, [("", rows)])


def weather(table: pl.DataFrame) -> str:
    """Late and cancelled departures by weather."""
    rows: dict[str, list[Row]] = {}
    for row in table.iter_rows(named=True):
        if row["measure"] == "level":
            label = f"{LEVELS[row['band']]}: {LEVEL_MEANING[row['band']]}"
        else:
            label = BANDS[row["measure"]][1][row["band"]]
        cells = (f"{row['flights']:,}", late(row), percent(row["cancelled"], row["flights"]), mean(row))
        rows.setdefault(row["measure"], []).append((label, *cells))
    groups = [("Level, by the worst of the three", rows.get("level", []))]
    groups += [(title, rows.get(measure, [])) for measure, (title, _) in BANDS.items()]
    heads = ("Weather in the scheduled hour", "Flights", "Late", "Cancelled", "Mean delay, min")
    return html_table("Late departures and cancellations by weather", heads, groups)


def carriers(comparisons: Sequence[Comparison]) -> str:
    """How each carrier stands the weather."""
    rows = []
    for each in comparisons:
        rough = [level for level in each.levels if level.level >= ROUGH]
        fair = each.levels[0]
        slow = (each.slowest_fair, each.slowest_rough)
        rows.append(
            (
                short(each.carrier.name),
                f"{each.carrier.flights:,}",
                percent(fair.late, fair.departed),
                percent(sum(level.late for level in rough), sum(level.departed for level in rough)),
                _difference(each.added),
                _difference(each.adjusted),
                f"{slow[0].value:.0f} → {slow[1].value:.0f}" if slow[0] and slow[1] else "–",
            )
        )
    heads = (
        *("Carrier", "Flights", "Late in fair weather", "Late in rough", "Difference, points"),
        *("At equal hour, airport, month", "Slowest tenth, min"),
    )
    return html_table("Late departures in fair and in rough weather, by carrier", heads, [("", rows)])


def routes(table: pl.DataFrame) -> str:
    """The routes that are late most often."""
    rows = []
    for row in table.iter_rows(named=True):
        low, high = wilson(row["late"], row["departed"])
        name = f"{row['origin']}–{row['dest']} {row['dest_name']}"
        cells = (f"{row['departed']:,}", late(row), f"{low * 100:.1f} to {high:.1%}", mean(row))
        rows.append((name, *cells, percent(row["cancelled"], row["flights"])))
    heads = ("Route", "Departures", "Late", "95% interval", "Mean delay, min", "Cancelled")
    return html_table("The routes that are late most often", heads, [("", rows)])


def ages(table: pl.DataFrame) -> str:
    """Late departures by the age of the aircraft, and what their carriers make usual."""
    rows = []
    for row in table.filter(pl.col("departed") > 0).iter_rows(named=True):
        expected = row["expected"] / row["departed"]
        gap = points(row["late"] / row["departed"] - expected)
        age = f"{AGE_LABELS[row['band']]}{NO_BREAK}years"
        rows.append((age, f"{row['departed']:,}", late(row), f"{expected:.1%}", gap, mean(row)))
    heads = ("Age", "Departures", "Late", "Usual for their carriers", "Difference, points", "Mean delay, min")
    return html_table("Late departures by age of the aircraft", heads, [("", rows)])


def causes(table: pl.DataFrame) -> str:
    """What each kind of knowledge explains."""
    total = float(table["share"].sum())
    rows = [(group, f"{share:.2%}", percent(share, total)) for group, share in table.iter_rows()]
    rows.append(("All together", f"{total:.2%}", percent(total, total)))
    heads = ("What is known beforehand", "Of the variance", "Of what is explained")
    return html_table("Share of the variance of lateness explained", heads, [("", rows)])


def refused(rejects: Sequence[Reject]) -> str:
    """What was left out, by reason, with one example each."""
    counts = Counter((reject.table, reject.reason) for reject in rejects)
    first = {(each.table, each.reason): each for each in sorted(rejects, key=lambda each: each.key, reverse=True)}
    examples = {found: f"{reject.key}: {reject.detail}" for found, reject in first.items()}
    rows = [(REASONS[each[1]], each[0], f"{counts[each]:,}", examples[each]) for each in sorted(counts)]
    return html_table("Records left out, by reason", ("Reason", "Table", "Records", "For example"), [("", rows)])


def kept(notes: Sequence[Note]) -> str:
    """What looks odd and was kept, by kind."""
    counts = Counter((note.table, note.kind) for note in notes)
    rows = [(NOTES[kind], table, f"{counts[table, kind]:,}", TREATMENTS[kind]) for table, kind in sorted(counts)]
    return html_table("Records kept with a note", ("What is odd", "Table", "Records", "Treatment"), [("", rows)])


def files(artifacts: Sequence[Artifact]) -> str:
    """The files that go with the report."""
    rows = [(each.name, f"{each.rows:,}", f"{each.size / 1e6:.2f} MB", each.sha256) for each in artifacts]
    return html_table("Files beside this page", ("File", "Records", "Size", "SHA-256"), [("", rows)])


def late(row: dict[str, Any]) -> str:
    """The share of departures that left late."""
    return percent(row["late"], row["departed"])


def mean(row: dict[str, Any]) -> str:
    """The mean departure delay in minutes, early departures counting below zero."""
    return f"{row['minutes'] / row['departed']:.1f}".replace("-", "−") if row["departed"] else "–"


def _one(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    low, high = (points(bound).removeprefix("+") for bound in (interval.low, interval.high))
    return f"{points(interval.value)} ({low} to {high})"
