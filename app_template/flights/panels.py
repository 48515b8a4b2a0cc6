"""The picture of the carriers side by side: a small panel each, all on the same scale."""

from __future__ import annotations

from collections.abc import Sequence

from flights.chart import WIDE, Drawing, Scale, band, ceiling, dot, line, rule, shorten, text
from flights.comparison import Comparison, Level
from flights.measure import LEVELS
from flights.wording import short

HEIGHT = 162.0
FEWEST = 10
"""Departures that a point of a carrier without intervals needs."""


def carriers(comparisons: Sequence[Comparison], width: int) -> Drawing:
    """A panel for each carrier: late departures from fair to severe weather, the interval, and all carriers behind."""
    columns = 4 if width == WIDE else 2
    gap, left = 14.0, 34.0
    room = (width - left - gap * (columns - 1)) / columns
    shown = [level for each in comparisons for level in each.levels if level.departed >= FEWEST]
    top = min(ceiling((level.share.high if level.share else share(level) for level in shown), 0.2), 1.0)
    everyone = _everyone(comparisons)
    marks = []
    for number, comparison in enumerate(comparisons):
        row, column = divmod(number, columns)
        start, down = left + column * (room + gap), row * HEIGHT
        y = Scale(low=0, high=top, start=down + 126, end=down + 28)
        x = Scale(low=0, high=len(LEVELS) - 1, start=start + 8, end=start + room - 8)
        marks.append(_frame(comparison, x, y, ticks=column == 0))
        marks.append(line([(x(level), y(late)) for level, late in everyone], kind="line everyone"))
        marks.append(_levels(comparison, x, y))
    rows = -(-len(comparisons) // columns)
    return Drawing(height=rows * HEIGHT, marks="".join(marks))


def share(level: Level) -> float:
    """The share of late departures, zero when there were none at all."""
    return level.late / level.departed if level.departed else 0.0


def _everyone(comparisons: Sequence[Comparison]) -> list[tuple[int, float]]:
    """The share of late departures of all carriers together, where any departed."""
    points = []
    for number in range(len(LEVELS)):
        levels = [level for each in comparisons for level in each.levels if level.level == number]
        if departed := sum(level.departed for level in levels):
            points.append((number, sum(level.late for level in levels) / departed))
    return points


def _frame(comparison: Comparison, x: Scale, y: Scale, *, ticks: bool) -> str:
    left, right = x.start - 8, x.end + 8
    marks = [text(left, y.end - 12, shorten(short(comparison.carrier.name), right - left), kind="label strong")]
    for tick in y.ticks(0.2):
        marks.append(rule(left, y(tick), right, y(tick), kind="axis" if tick == 0 else "grid"))
        if ticks:
            marks.append(text(left - 5, y(tick) + 4, f"{tick:.0%}", anchor="end", kind="tick"))
    marks.append(text(left, y.start + 15, LEVELS[0], kind="tick"))
    marks.append(text(right, y.start + 15, LEVELS[-1], anchor="end", kind="tick"))
    return "".join(marks)


def _levels(comparison: Comparison, x: Scale, y: Scale) -> str:
    marks = []
    sure = [(level.level, level.share) for level in comparison.levels if level.share and level.departed >= FEWEST]
    if sure:
        upper = [(x(number), y(min(each.high, y.high))) for number, each in sure]
        lower = [(x(number), y(each.low)) for number, each in sure]
        marks.append(band(upper, lower, kind="band s0"))
        marks.append(line([(x(number), y(each.value)) for number, each in sure], kind="line s0"))
    for level in comparison.levels:
        if level.departed < FEWEST:
            continue
        says = f"{short(comparison.carrier.name)}, {LEVELS[level.level]}: {share(level):.1%} of {level.departed:,} late"
        kind = "mark s0" if level.share else "hollow s0"
        marks.append(dot(x(level.level), y(share(level)), kind=kind, says=says, radius=3))
    return "".join(marks)
