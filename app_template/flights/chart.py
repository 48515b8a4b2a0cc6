"""The few strokes that the pictures are made of: scales, axes, marks, and figures in a wide and a narrow drawing.

Pictures are SVG written by hand rather than by a plotting library: real text, colours that follow the reader's light or
dark theme, a name on every mark, no state shared between threads, and the same bytes every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil

WIDE, NARROW = 720, 340
"""Widths of the two drawings in pixels at which their text has its true size."""
LETTER = 7.2
"""Pixels that a letter of a label takes on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Maps values from low to high onto pixels from start to end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel at which a value lies."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def ticks(self, step: float) -> list[float]:
        """The multiples of the step between low and high."""
        return [number * step for number in range(ceil(self.low / step - 1e-9), int(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What a picture draws at one width: its height and the marks in it."""

    height: float
    marks: str


def figure(draw: Callable[[int], Drawing], *, name: str, words: str, caption: str) -> str:
    """Make a figure of both drawings, of which a page shows the one that fits; `words` tells what cannot be seen."""
    parts = []
    for kind, width in (("wide", WIDE), ("narrow", NARROW)):
        drawing = draw(width)
        label = f"{name}-{kind}"
        heading = tag("title", escape(words), id=label)
        box = f"0 0 {width} {number(drawing.height)}"
        parts.append(
            tag("svg", heading + drawing.marks, class_=kind, viewBox=box, role="img", aria_labelledby=label) + "\n"
        )
    return tag("figure", "\n" + "".join(parts) + tag("figcaption", caption) + "\n")


def tag(name: str, content: str = "", **attributes: str | float) -> str:
    """Write an element; attribute names may carry underscores for hyphens, and a last one where Python has the word."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def number(value: str | float) -> str:
    """Write a number with at most two decimals and no needless zero; text stays as it is."""
    if isinstance(value, str):
        return value
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "label") -> str:
    """Write words at a place; `anchor` says which end of them stands there."""
    return tag("text", escape(words), x=x, y=y, text_anchor=anchor, class_=kind)


def rule(x1: float, y1: float, x2: float, y2: float, *, kind: str = "grid") -> str:
    """Draw a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def bar(  # noqa: PLR0913 — a rectangle has four numbers
    x: float, y: float, width: float, height: float, *, kind: str, says: str
) -> str:
    """Draw a rectangle that says what it stands for."""
    return tag("rect", hint(says), x=x, y=y, width=max(width, 0), height=max(height, 0), class_=kind)


def dot(x: float, y: float, *, kind: str, says: str, radius: float = 3.5) -> str:
    """Draw a dot that says what it stands for."""
    return tag("circle", hint(says), cx=x, cy=y, r=radius, class_=kind)


def square(x: float, y: float, *, kind: str, says: str) -> str:
    """Draw a small square that says what it stands for."""
    return tag("rect", hint(says), x=x - 3, y=y - 3, width=6, height=6, class_=kind)


def triangle(x: float, y: float, *, kind: str, says: str) -> str:
    """Draw a small triangle that says what it stands for."""
    corners = ((x, y - 4.2), (x + 4, y + 3), (x - 4, y + 3))
    return tag("polygon", hint(says), points=_points(corners), class_=kind)


def line(points: Iterable[tuple[float, float]], *, kind: str) -> str:
    """Draw a line through points."""
    return tag("polyline", points=_points(points), class_=kind)


def band(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], *, kind: str) -> str:
    """Fill between two lines."""
    return tag("polygon", points=_points([*upper, *reversed(lower)]), class_=kind)


def hint(words: str) -> str:
    """Name a mark: browsers show this when the pointer rests on it."""
    return tag("title", escape(words))


def share_axis(scale: Scale, left: float, right: float, *, step: float) -> str:
    """Draw horizontal grid lines with percentages at the left."""
    marks = []
    for tick in scale.ticks(step):
        y = scale(tick)
        marks.append(rule(left, y, right, y, kind="axis" if tick == 0 else "grid"))
        marks.append(text(left - 6, y + 4, f"{tick * 100:.0f}%", anchor="end", kind="tick"))
    return "".join(marks)


def ceiling(shares: Iterable[float], step: float) -> float:
    """The first multiple of the step that no share exceeds."""
    highest = max(shares, default=0.0)
    return max(ceil(highest / step - 1e-9), 1) * step


def shorten(words: str, pixels: float) -> str:
    """Cut words to what fits, with an ellipsis for what does not."""
    room = int(pixels / LETTER)
    return words if len(words) <= room else words[: max(room - 1, 1)].rstrip() + "…"


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move labels apart until no two stand closer than the gap, keeping their order."""
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    return moved


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)
