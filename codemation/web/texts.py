"""Text as it may come from outside: without what PostgreSQL cannot keep, and no longer than anybody needs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

EARLIEST, LATEST = 1970, 2199
"""Years of times that may be asked for."""
DEEPEST = 64
"""Levels of lists and objects in one another that a body may have."""


def storable(text: str) -> str:
    """The text, if a database can keep it.

    Raises:
        ValueError: it holds U+0000, or half of a surrogate pair.
    """
    if "\0" in text:
        raise ValueError("the character U+0000 cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair cannot be stored") from None
    return text


def shallow(value: Any) -> Any:
    """The value, if it is not nested deeper than anybody needs, and all text in it can be kept.

    Raises:
        ValueError: it is not so.
    """
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        below: list[Any] = []
        for one in level:
            if isinstance(one, str):
                storable(one)
            elif isinstance(one, dict):
                below += [*one, *one.values()]
            elif isinstance(one, list):
                below += one
        level = below
    return value


Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(storable)]
"""A short text."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)]
"""A text that names something."""
Data = Annotated[Any, AfterValidator(shallow)]
"""JSON of any kind."""
Fields = Annotated[dict[str, Any], AfterValidator(shallow)]
"""A JSON object."""


def of_our_days(moment: datetime) -> datetime:
    """The time, if calendars and time zones can reckon with it.

    Raises:
        ValueError: it is too far away.
    """
    if not EARLIEST <= moment.year <= LATEST:
        raise ValueError(f"it must lie in the years {EARLIEST} to {LATEST}")
    return moment


Instant = Annotated[AwareDatetime, AfterValidator(of_our_days), Field(examples=["2026-01-31T06:00:00Z"])]
"""A time with its zone."""
Uuid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    Field(examples=["0198a1f0-5a3c-7d21-9f00-3b1f6e2a4c55"]),
]
"""The id of something, written out."""
