"""Events from outside: `paid = cm.event("payment.received", Payment)`, one object for who waits and who sends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic

from pydantic import ValidationError
from typing_extensions import TypeVar

from codemation.core.durations import seconds
from codemation.core.errors import InputError
from codemation.core.inputs import adapter
from codemation.core.launch import launcher

E = TypeVar("E", default=Any)
LONGEST_KEY = 1000
"""Bytes of a key, and of the name of an event, that waits can be found by."""
KEPT = "30d"
"""How long an event is kept for whoever waits for it later."""


class NamedEvent(Generic[E]):
    """Something that happens outside and is told by name and key; made by `cm.event`."""

    __slots__ = ("keep", "model", "name")

    def __init__(self, name: str, model: type[E], keep: float) -> None:
        self.name = name
        self.model = model
        """What is sent with it."""
        self.keep = keep
        """Seconds for which it is kept."""

    def send(self, key: str, payload: E | dict[str, Any], *, dedup: str | None = None) -> bool:
        """Wake every wait that is open for this event and key, and keep it for those that begin to wait later.

        `False` when an event with the same `dedup` is kept already: whoever is not sure to have sent it sends it again.

        Raises:
            InputError: the payload does not fit the event's model, or the key is too long.
        """
        return launcher().send(self, key, payload, dedup)

    def written(self, payload: object) -> str:
        """The payload as it is sent, in JSON.

        Raises:
            InputError: it does not fit the event's model.
        """
        validator = adapter(self.model)
        try:
            fitting = validator.validate_python(payload)
            text = validator.dump_json(fitting).decode()
            validator.validate_json(text)  # what is sent must be read again by whoever waits
        except (ValidationError, ValueError) as error:
            raise InputError(f'what is sent with the event "{self.name}" does not fit: {problem_of(error)}') from None
        return text

    def __repr__(self) -> str:
        return f"<event {self.name}: {getattr(self.model, '__name__', self.model)}>"


def event(name: str, model: type[E], *, keep: str | timedelta = KEPT) -> NamedEvent[E]:
    """Name an event; an early one is kept for so long for whoever waits for it later.

    Raises:
        InputError: the name is empty or holds a colon, or `keep` is no duration.
    """
    if not isinstance(name, str) or not name or ":" in name or len(name.encode(errors="replace")) > LONGEST_KEY:
        way_out = 'give it a short name without colons: "payment.received"'
        raise InputError(f"{name!r} cannot name an event", way_out=way_out)
    try:
        kept = seconds(keep)
    except ValueError as error:
        raise InputError(f'keep= of the event "{name}": {error}') from None
    return NamedEvent(name, model, kept)


def problem_of(error: ValueError) -> str:
    """What does not fit, and where."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
