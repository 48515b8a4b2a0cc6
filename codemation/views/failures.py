"""What went wrong, as a person wants to read it: their own lines first, the engine's not at all."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from codemation.core.errors import CodemationError
from codemation.core.items import Failure
from codemation.views.lettering import one_line
from codemation.views.records import Json, record

_ENGINE = str(Path(__file__).resolve().parent.parent)
_STDLIB = str(Path(sysconfig.get_path("stdlib")).resolve())
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_ENGINE_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]codemation[/\\]")
_LIBRARY = re.compile(r"[/\\]lib[/\\]python3\.\d+[/\\]|^<frozen ")
_HEADER = "Traceback (most recent call last):"
_PLACE = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_MARKER = re.compile(r"^\s*[~^]+\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback."""

    file: str
    line: int
    function: str
    source: str = ""
    library: bool = False
    """It stands in an installed package or in Python itself, not in the user's own code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """A failure of a node, of one item in it or of the whole batch."""

    node: str
    type: str
    message: str
    item_index: int | None = None
    item_key: str = ""
    frames: tuple[Frame, ...] = ()
    attempts: int = 1
    way_out: str = ""
    """What to do next."""

    @property
    def headline(self) -> str:
        """The failure in one line."""
        first = one_line(self.message.partition("\n")[0])
        return f"{self.type}: {first}" if first else self.type

    def to_json(self) -> Json:
        """Plain JSON data with every field and the headline."""
        return {"headline": self.headline, **record(self)}

    @classmethod
    def of(
        cls, node: str, error: BaseException, *, item_index: int | None = None, item_key: str = "", attempts: int = 1
    ) -> FailureView:
        """The view of an exception that a node has raised."""
        return cls(
            node=node,
            type=type(error).__qualname__,
            message=error.message if isinstance(error, CodemationError) else _message(error),
            item_index=item_index,
            item_key=item_key,
            frames=frames_of(error),
            attempts=attempts,
            way_out=error.way_out if isinstance(error, CodemationError) else "",
        )

    @classmethod
    def of_item(cls, failure: Failure[object], *, item_index: int | None = None, item_key: str = "") -> FailureView:
        """The view of a recorded failure."""
        return cls(
            node=failure.node,
            type=failure.type,
            message=failure.error,
            item_index=item_index,
            item_key=item_key,
            frames=frames_of(failure.traceback),
            attempts=failure.attempts,
        )


def frames_of(error: BaseException | str) -> tuple[Frame, ...]:
    """The lines that led to an exception, or those of a traceback's text, in the order of the calls.

    The user's own lines come first, then those of libraries; the engine's own are left out. Of exceptions that followed
    one another only the last one counts.
    """
    frames = _of_text(error) if isinstance(error, str) else _of_exception(error)
    shown = [frame for frame in frames if not _is_engine(frame.file)]
    return tuple(sorted(shown, key=lambda frame: frame.library))


def _of_exception(error: BaseException) -> Iterable[Frame]:
    for line in traceback.extract_tb(error.__traceback__):
        yield _frame(line.filename, line.lineno or 0, line.name, line.line or "")


def _of_text(text: str) -> Iterable[Frame]:
    lines = text.rpartition(_HEADER)[2].splitlines()
    for line, following in pairwise([*lines, ""]):
        place = _PLACE.match(line)
        if place is None:
            continue
        has_source = following.startswith("    ") and not _PLACE.match(following) and not _MARKER.match(following)
        source = following.strip() if has_source else ""
        yield _frame(place["file"], int(place["line"]), place["function"] or "", source)


def _frame(file: str, line: int, function: str, source: str) -> Frame:
    return Frame(file=file, line=line, function=function, source=source.strip(), library=_is_library(file))


def _is_engine(file: str) -> bool:
    return _is_inside(file, _ENGINE) or _ENGINE_INSTALLED.search(file) is not None


def _is_library(file: str) -> bool:
    return bool(_INSTALLED.search(file) or _LIBRARY.search(file)) or _is_inside(file, _STDLIB)


def _is_inside(file: str, folder: str) -> bool:
    return file.startswith((folder + "/", folder + "\\"))


def _message(error: BaseException) -> str:
    """What the exception says; one that cannot even say it is told by that."""
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - an exception of the user's own class may do anything here
        return f"(its text cannot be shown: {type(second).__qualname__})"
