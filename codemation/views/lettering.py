"""How much room text takes, in pixels of a sans-serif font and in cells of a terminal, and how it is cut to fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache

ELLIPSIS = "…"
FONT_SIZE = 13.0
"""Pixels of the font that `pixels` estimates unless told otherwise."""

_NARROW = frozenset("iljtfrI.,:;'|!()[]{}`\"-/\\ ·")
_WIDE = frozenset("mwMW@%…—→←")
_WIDTHLESS = frozenset(("Mn", "Me", "Cf"))
_JOINERS = frozenset("\u200c\u200d")


def pixels(text: str, size: float = FONT_SIZE) -> float:
    """The estimated width of one line of text in pixels; rather too wide than too narrow."""
    return sum(map(_em, text)) * size


def cells(text: str) -> int:
    """The columns that text takes in a terminal."""
    return sum(map(_columns, text))


def fitted(text: str, room: float, size: float = FONT_SIZE) -> str:
    """The text, or as much of its beginning as fits into `room` pixels and an ellipsis."""
    return _cut(text, room, lambda part: pixels(part, size), ELLIPSIS)


def clipped(text: str, room: int, mark: str = ELLIPSIS) -> str:
    """The text, or as much of its beginning as fits into `room` columns of a terminal and an ellipsis."""
    return _cut(text, room, cells, mark)


def padded(text: str, room: int, *, right: bool = False) -> str:
    """The text filled up with blanks to `room` columns; `right` sets it against the right side."""
    blanks = " " * (room - cells(text))
    return blanks + text if right else text + blanks


def one_line(text: str) -> str:
    """The text without line breaks, escape sequences or anything else that moves a cursor."""
    return "".join(_visible(character) for character in " ".join(text.split()))


def compact(count: int) -> str:
    """A count in at most five characters: `812`, `12.3k`, `337k`, `1.2M`."""
    scaled = float(count)
    for unit in ("", "k", "M", "G", "T"):
        if scaled < 999.5 or unit == "T":
            break
        scaled /= 1000
    if not unit:
        return str(count)
    return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"


def _cut(text: str, room: float, width: Callable[[str], float], mark: str) -> str:
    if width(text) <= room:
        return text
    left = room - width(mark)
    kept = 0
    for character in text:
        left -= width(character)
        if left < 0:
            break
        kept += 1
    if not kept and width(mark) > room:
        return ""
    return text[:kept].rstrip() + mark


@lru_cache(maxsize=4096)
def _em(character: str) -> float:
    if unicodedata.category(character) in _WIDTHLESS:
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.1
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.95
    return 0.7 if character.isupper() else 0.58


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.category(character) in _WIDTHLESS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(character: str) -> str:
    """What moves a cursor, turns the direction of writing or is no character becomes the replacement character."""
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in _JOINERS
    hidden = hidden or character in "\ufffe\uffff"
    return "\ufffd" if hidden else character
