"""How far a run is, while it runs: a line for each node that ends, or a display that a terminal redraws."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

import click

from codemation.cli.onlooking import Onlooker, Sight, sight_of
from codemation.cli.screen import COLOURS, Screen
from codemation.core.durations import readable
from codemation.core.ids import MAIN, NodeId, RunId
from codemation.core.nodeplan import NodeKind
from codemation.core.signals import Event
from codemation.core.states import FINISHED
from codemation.host.naming import short
from codemation.views.lettering import cells, clipped, one_line, padded
from codemation.views.marks import NodeStatus
from codemation.views.runs import NodeRow

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle
    from codemation.host.parts import Listener
    from codemation.host.runtime.meter import Reading
    from codemation.host.runtime.scheduler import Watched

RATE_AFTER = 0.5
"""Seconds of work after which a rate says something."""
ITEMS = 22
"""Columns at least for the items of nodes."""
REDRAWS = 8
"""Redraws of the live display in a second."""
AHEAD = 3
"""Nodes to come that are shown when there is no room for all."""
NAMES = 40
"""Columns at most for the names of nodes."""
_TOLD = ("node_succeeded", "node_failed", "node_retrying")
_DONE = frozenset({NodeStatus.SUCCEEDED, NodeStatus.SKIPPED})
_ENDED = frozenset({NodeStatus.SUCCEEDED, NodeStatus.FAILED})


class Display:
    """Where it is told how far a run is."""

    def __init__(self, show: Callable[[Sight], None] | None) -> None:
        """`show` is what shows a run that others work on; nothing does where nobody wants to know."""
        self._show = show
        self._onlooker: Onlooker | None = None

    def follow(self, handle: RunHandle) -> None:
        """Tell also how far this run is, if others work on it."""
        if self._show is not None and handle.watched is None and handle.status not in FINISHED:
            self._onlooker = Onlooker(handle.app.attach(handle.id), self._show)
            self._onlooker.begin()

    def end(self) -> None:
        """Tell how it stands in the end."""
        if self._onlooker is not None:
            self._onlooker.end()


@contextmanager
def progress(app: App, screen: Screen, *, quiet: bool, waits: bool = False) -> Iterator[Display]:
    """Tell how far the run is that is started meanwhile; to be entered before it is.

    With `waits` it is also told that a node of a run that others work on waits for the world.
    """
    if quiet:
        yield Display(None)
        return
    redrawn = screen.err.file.isatty() and os.environ.get("TERM") != "dumb"
    with _live(app, screen) if redrawn else _told(app, screen, waits=waits) as display:
        try:
            yield display
        finally:
            display.end()


@contextmanager
def _told(app: App, screen: Screen, *, waits: bool) -> Iterator[Display]:
    """Write a line for each node that ends; of runs within the run, which may be many, only if it does not end well."""

    def hear(run: RunId, _revision: int, events: tuple[Event, ...]) -> None:
        ended = [event for event in events if event.kind in _TOLD]
        watched = _watched(app, run) if ended else None
        if watched is None:
            return
        within = bool(watched.run.snapshot.parent)
        rows = {row.id: row for row in sight_of(watched).rows}
        for event in ended:
            row = rows[NodeId(event.node)]
            if within and event.kind == "node_succeeded":
                continue
            if within:
                row = replace(row, id=NodeId(f"{watched.run.definition.workflow}: {row.id}"))
            screen.say(line_of(row, Rooms(names=_names([*rows.values(), row]), width=screen.width)))

    with _listening(app, hear):
        yield Display(Teller(screen, waits=waits).tell)


class Teller:
    """Writes a line for each node of a run that has ended since the last look, or failed for now."""

    def __init__(self, screen: Screen, *, waits: bool) -> None:
        self._screen = screen
        self._waits = waits
        self._told: dict[NodeId, tuple[object, ...]] = {}

    def tell(self, sight: Sight) -> None:
        """Tell what is new."""
        rooms = Rooms(names=_names(sight.rows), width=self._screen.width)
        for row in sight.rows:
            mark = (row.status, sight.activations.get(row.id), row.attempts)
            waits = row.status is NodeStatus.WAITING and (self._waits or row.id in sight.failing)
            if (waits or row.status in _ENDED) and self._told.get(row.id) != mark:
                self._told[row.id] = mark
                self._screen.say(line_of(row, rooms))


@contextmanager
def _live(app: App, screen: Screen) -> Iterator[Display]:
    """Redraw a table of the nodes; what nodes print goes above it."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
    from rich.live import Live  # noqa: PLC0415 - only a terminal pays for it
    from rich.text import Text  # noqa: PLC0415 - only a terminal pays for it

    began = time.monotonic()
    seen: list[Callable[[], Sight]] = []  # the last picture is drawn when the run is let go of already

    def look(*_: object) -> None:
        seen[:] = [partial(sight_of, watched) for watched in app.scheduler.watched()[:1]] or seen

    def show(sight: Sight) -> None:
        seen[:] = [lambda: sight]

    def drawn() -> Text:
        look()
        size = shutil.get_terminal_size()
        lines = picture(seen[0](), time.monotonic() - began, size.columns, size.lines) if seen else []
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop", end="")

    console = Console(file=screen.err.file, no_color=not screen.err.colour, highlight=False, soft_wrap=True)
    above = screen.out.file.isatty()
    with (
        _listening(app, look),
        Live(get_renderable=drawn, console=console, refresh_per_second=REDRAWS, redirect_stdout=above),
    ):
        yield Display(show)


@contextmanager
def _listening(app: App, hear: Listener) -> Iterator[None]:
    app.listeners.append(hear)
    try:
        yield
    finally:
        app.listeners.remove(hear)


def _watched(app: App, run: RunId) -> Watched | None:
    """The run with this id as this process works on it."""
    return next((one for one in app.scheduler.watched() if one.run.id == run), None)


def picture(sight: Sight, seconds: float, width: int, height: int) -> list[str]:
    """The lines of the live display: the run, and as many of its nodes as there is room for."""
    rows, readings = sight.rows, sight.readings
    done = sum(row.status in _DONE for row in rows)
    name = click.style(sight.workflow, bold=True)
    title = f"{name}  run {short(sight.run)}  {done}/{len(rows)} nodes  {readable(seconds)}"
    shown, folded = fold(rows, height - 4)
    items = max((cells(_items(row, readings.get(row.id))) for row in shown), default=0)
    rooms = Rooms(names=_names(shown), items=max(ITEMS, items), width=width)
    lines = [line_of(row, rooms, readings.get(row.id)) for row in shown]
    note = [click.style("  pausing; Ctrl-C again stops at once", fg="yellow")] if sight.pausing else []
    return [title, *lines, *(click.style(f"  … {line}", dim=True) for line in folded), *note]


def fold(rows: Sequence[NodeRow], room: int) -> tuple[list[NodeRow], list[str]]:
    """The rows that fit, those that matter most now, and what is said of the others."""
    if len(rows) <= room:
        return list(rows), []
    coming = [at for at, row in enumerate(rows) if row.status is NodeStatus.PENDING][:AHEAD]
    by_weight = sorted(range(len(rows)), key=lambda at: _weight(rows[at].status, at, coming))
    kept = set(by_weight[: max(1, room - 1)])
    hidden = [row.status for at, row in enumerate(rows) if at not in kept]
    counts = {status: hidden.count(status) for status in dict.fromkeys(hidden)}
    said = ", ".join(f"{count} {status.value}" for status, count in counts.items())
    return [row for at, row in enumerate(rows) if at in kept], [f"{said} not shown"]


def _weight(status: NodeStatus, at: int, coming: Sequence[int]) -> tuple[int, int]:
    """What is at work comes before what comes next, that before what has finished, the latest first."""
    match status:
        case NodeStatus.RUNNING | NodeStatus.FAILED:
            return 0, at
        case NodeStatus.WAITING | NodeStatus.DUE:
            return 1, at
        case NodeStatus.PENDING:
            return (2 if at in coming else 4), at
        case NodeStatus.SUCCEEDED | NodeStatus.SKIPPED | NodeStatus.CANCELLED:
            return 3, -at
        case _:
            assert_never(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """How wide the columns are that several lines share."""

    names: int
    items: int = ITEMS
    width: int = 80
    """Of the whole line."""


def line_of(row: NodeRow, rooms: Rooms, reading: Reading | None = None) -> str:
    """One node in one line: its mark, its name, its items, its time and its rate."""
    mark = click.style(row.status.glyph, fg=COLOURS.get(row.status.value))
    name = padded(clipped(row.id, rooms.names), rooms.names)
    seconds = row.seconds if reading is None else time.monotonic() - reading.started
    took = "" if seconds is None else readable(seconds)
    if row.status in (NodeStatus.FAILED, NodeStatus.WAITING):
        error = clipped(one_line(row.error), max(20, rooms.width - rooms.names - 16))
        said = f"{error}  {took}"
    else:
        items = padded(_items(row, reading), rooms.items)
        said = f"{items}  {padded(took, 8, right=True)}  {_rate(row, seconds, reading)}"
    pale = row.status in (NodeStatus.PENDING, NodeStatus.SKIPPED)
    return f"{mark} {click.style(name, dim=pale)}  {click.style(said.rstrip(), dim=pale)}".rstrip()


def _items(row: NodeRow, reading: Reading | None) -> str:
    """How many items came and went, or how many of them are done."""
    if row.shards is not None:
        return f"{row.shards[0]:,} of {row.shards[1]:,} shards"
    if reading is not None:
        of = f" of {reading.total:,}" if reading.total is not None else ""
        return f"{reading.done:,}{of}" if of or reading.done else _given(row.items_in)
    if row.done is not None and row.status is NodeStatus.RUNNING:
        return f"{row.done:,} of {next(iter(row.items_in.values()), row.done):,}"
    if row.status is not NodeStatus.SUCCEEDED:
        return row.status.value
    came, went = _given(row.items_in), _ports(row)
    if row.kind is NodeKind.LOOP:  # what came to a round is what the one before has given
        return f"→ {went}"
    return f"{came} → {went}" if came and went else f"→ {went}" if went else came


def _given(counts: Mapping[str, int]) -> str:
    """What came to each input; of many, what came to the first."""
    shown = [f"{count:,}" for count in counts.values()]
    return " + ".join(shown) if len(shown) <= 2 else f"{shown[0]} + {len(shown) - 1} inputs"


def _ports(row: NodeRow) -> str:
    """What each port gave; of ports beside the main one only those that gave something."""
    given = {port: count for port, count in row.items_out.items() if count or port == MAIN}
    return ", ".join(f"{count:,}" if port == MAIN else f"{count:,} {port}" for port, count in given.items()) or "0"


def _rate(row: NodeRow, seconds: float | None, reading: Reading | None) -> str:
    """Items a second, once that means something; the other inputs are only looked at."""
    items = reading.done if reading is not None else next(iter(row.items_in.values()), 0)
    if seconds is None or seconds < RATE_AFTER or items <= 1:
        return ""
    rate = items / seconds
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _names(rows: Iterable[NodeRow]) -> int:
    return min(NAMES, max((cells(row.id) for row in rows), default=0))
