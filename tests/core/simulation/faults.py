"""The way to the database as one process has it: calls are overtaken, lost on the way there or back, or the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Any

from codemation.core.errors import StoreUnavailable
from codemation.core.ports import Stores


class Killed(BaseException):
    """The process is gone, with all that it knew."""


class Fault(StrEnum):
    """What may befall one call."""

    ASK_LOST = "the question is lost"
    ANSWER_LOST = "the answer is lost"
    KILLED_BEFORE = "killed before it was sent"
    KILLED_AFTER = "killed before the answer came"


Asked = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Brings a call to the database: its name, the port's method and what it is given."""


class Line:
    """Stands in for any port, and hands each call to whoever decides about its fate."""

    def __init__(self, port: object, name: str, asked: Asked) -> None:
        self._port = port
        self._name = name
        self._asked = asked

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._port, verb)
        return lambda *args, **kwargs: self._asked(f"{self._name}.{verb}", method, args, kwargs)


def reached(stores: Stores, asked: Asked) -> Stores:
    """The stores as a process reaches them."""
    lines: dict[str, Any] = {one.name: Line(getattr(stores, one.name), one.name, asked) for one in fields(stores)}
    return Stores(**lines)


def befallen(fault: Fault | None, call: Callable[[], Any]) -> Any:
    """Make a call, and let the fault befall it."""
    match fault:
        case Fault.ASK_LOST:
            raise StoreUnavailable("the question was lost")
        case Fault.KILLED_BEFORE:
            raise Killed
        case Fault.ANSWER_LOST:
            call()
            raise StoreUnavailable("the answer was lost")
        case Fault.KILLED_AFTER:
            call()
            raise Killed
        case None:
            return call()
