"""Where something was written, as its author would look it up: a line of a file, or a line of a notebook's cell."""

from __future__ import annotations

import linecache
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

_PACKAGE = f"{Path(__file__).parent.parent}/"
_INPUT = re.compile(r"<ipython-input-(\d+)-")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line that an author wrote."""

    file: str
    line: int
    cell: int | None = None
    """Number of the notebook's cell, as in `In[4]`."""

    def __str__(self) -> str:
        if self.cell is not None:
            return f"cell In[{self.cell}], line {self.line}"
        return f"{_readable(self.file)}:{self.line}"

    @property
    def source(self) -> str:
        """The line itself; empty when it cannot be read any more."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def rank(self) -> tuple[str, int, int]:
        """Sorts places as a reader meets them: cells by number, lines by file."""
        return ("", self.cell, self.line) if self.cell is not None else (self.file, 0, self.line)


def here() -> Place:
    """The line of the nearest caller outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every file on the way
    while frame.f_back is not None and _ours(frame):
        frame = frame.f_back
    return place_of(frame.f_code.co_filename, frame.f_lineno)


def raised_at(error: BaseException, otherwise: Place) -> Place:
    """The author's line that raised an error: where the outermost frame outside of this package stood."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if not _ours(trace.tb_frame):
            return place_of(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return otherwise


def place_of(file: str, line: int) -> Place:
    """The place of a line, in the words of a notebook when the file is one of its cells."""
    return Place(file=file, line=line, cell=_cell(file))


def _ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def _cell(file: str) -> int | None:
    """The number of a cell; only IPython knows it, and it is asked only when it is there anyway."""
    if found := _INPUT.search(file):
        return int(found[1])
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    naming = getattr(getattr(shell, "compile", None), "format_code_name", None)
    named = naming(file) if naming is not None else None
    number = _NUMBER.search(named[1]) if named else None
    return int(number[0]) if number else None


def _readable(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
