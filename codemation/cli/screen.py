"""Where the command line writes: results to standard output, everything about them to standard error.

The streams are taken once, at the start: while nodes run others stand in for them, which keep what is printed beside
the node that printed it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from codemation.views.lettering import cells, clipped, one_line, padded
from codemation.views.marks import NodeStatus

if TYPE_CHECKING:  # brings pydantic, which help and version have no use for
    from codemation.views.tables import TablePreview

GAP = "  "
NARROWEST = 4
"""Columns below which a text says nothing any more."""
PIPED_WIDTH = 120
"""Columns of a line that no terminal shows."""
_ASCII = str.maketrans({
    **{status.glyph: status.ascii_glyph for status in NodeStatus},
    "→": "->", "←": "<-", "…": "...", "×": "x", "’": "'", "‖": "=",
})  # fmt: skip
COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
    "running": "cyan",
    "waiting": "yellow",
    "due": "yellow",
}


@dataclass(slots=True)
class Stream:
    """One of the two standard streams, and what can be shown there."""

    file: TextIO
    colour: bool
    ascii_only: bool
    gone: bool = False
    """Whoever read it has gone."""

    def write(self, text: str) -> None:
        """Write one text and a line break.

        Raises:
            BrokenPipeError: whoever read it has gone.
        """
        shown = text if self.colour else click.unstyle(text)
        if self.ascii_only:
            shown = shown.translate(_ASCII)
        encoding = self.file.encoding or "utf-8"
        self.file.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self.file.flush()


@dataclass(slots=True)
class Screen:
    """The two standard streams as they were when the command began."""

    out: Stream
    err: Stream
    width: int = PIPED_WIDTH
    debug: bool = False
    """Whether errors show where in codemation they come from."""

    @classmethod
    def here(cls, *, colour: bool = True) -> Screen:
        """The screen of this process; `colour` is a wish that `NO_COLOR` and files overrule."""
        wanted = colour and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        out, err = (Stream(file, wanted and file.isatty(), _is_ascii(file)) for file in (sys.stdout, sys.stderr))
        shown = sys.stdout.isatty() or sys.stderr.isatty() or bool(os.environ.get("COLUMNS"))
        return cls(out, err, width=max(40, shutil.get_terminal_size().columns) if shown else PIPED_WIDTH)

    def show(self, text: str) -> None:
        """Write a result."""
        self.out.write(text)

    def show_json(self, value: object) -> None:
        """Write a result for programs."""
        self.show(json.dumps(value, indent=2, ensure_ascii=self.out.ascii_only, default=str))

    def say(self, text: str) -> None:
        """Write something about the work; when nobody reads it any more, the work goes on in silence."""
        if self.err.gone:
            return
        try:
            self.err.write(text)
        except BrokenPipeError:
            self.err.gone = True


def _is_ascii(file: TextIO) -> bool:
    try:
        "✓→…·".encode(file.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def visible(text: str) -> str:
    """One line of somebody else's text, with its blanks, and without anything that moves a cursor."""
    return "".join(one_line(character) or " " for character in text)


def status_text(status: str) -> str:
    """A status with its glyph, in its colour."""
    word = "running" if status in ("queued", "cancelling") else status
    return click.style(f"{NodeStatus(word).glyph} {status}", fg=COLOURS.get(word))


def columns(
    rows: Sequence[Sequence[str]],
    heads: Sequence[str],
    width: int,
    *,
    right: Sequence[int] = (),
    firm: Sequence[int] = (),
) -> list[str]:
    """Rows under their heads; what is too wide for the line is cut, the widest column first.

    Texts may be styled. `right` are the columns that stand against the right side, `firm` those that are not cut.
    """
    table = [[click.style(head, dim=True) for head in heads], *[list(row) for row in rows]]
    rooms = [max(cells(click.unstyle(row[at])) for row in table) for at in range(len(heads))]
    soft = [at for at in range(len(rooms)) if at not in firm]
    while sum(rooms) + len(GAP) * (len(rooms) - 1) > width and any(rooms[at] > NARROWEST for at in soft):
        rooms[max(soft, key=rooms.__getitem__)] -= 1
    lines = [
        [_fitted(text, room, right=at in right) for at, (text, room) in enumerate(zip(row, rooms, strict=True))]
        for row in table
    ]
    return [GAP.join(line).rstrip() for line in lines]


def _fitted(text: str, room: int, *, right: bool) -> str:
    """A cell that is exactly so wide; one that has to be cut loses its colour."""
    bare = click.unstyle(text)
    if cells(bare) > room:
        return padded(clipped(bare, room), room, right=right)
    blanks = " " * (room - cells(bare))
    return blanks + text if right else text + blanks


def table(preview: TablePreview, width: int) -> list[str]:
    """The beginning of a table, with what was left out."""
    right = [at for at, numeric in enumerate(preview.right) if numeric]
    lines = columns(preview.rows, preview.columns, width, right=right) if preview.columns else []
    left_out = [f"{preview.left_out_columns} more columns"] if preview.left_out_columns else []
    return [*lines, *[click.style(f"… {what}", dim=True) for what in left_out]]


def pairs(facts: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """Names and what they stand for, one under the other."""
    room = max(map(cells, facts), default=0)
    return [
        f"{indent}{click.style(padded(name, room), dim=True)}{GAP}{value}".rstrip() for name, value in facts.items()
    ]
