"""What all answers of the API have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

T = TypeVar("T")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_instant, when_used="json"),
    Field(examples=["2026-01-31T06:00:00.000Z"], description="ISO 8601, in UTC."),
]


class Model(BaseModel):
    """An object of the API; docstrings are its documentation."""

    model_config = ConfigDict(use_attribute_docstrings=True, hide_input_in_errors=True)


class Given(Model):
    """An object that comes with a request: nothing in it that nobody has heard of."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


class Page(Model, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = None
    """What to give as `before` for the next part; `null` at the end."""
