"""What a workflow is given when the world has answered: the item, and what was decided or sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

T_co = TypeVar("T_co", covariant=True, default=Any)
D_co = TypeVar("D_co", covariant=True, default=Any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Generic[T_co, D_co]):
    """An item about which somebody has decided, or about which nobody has in time."""

    item: T_co
    decision: D_co
    """What was filled in. Where nobody filled in anything: the form's own defaults, else `None`."""
    approved: bool = True
    by: str = ""
    """Who has decided; empty where the time did."""
    at: datetime
    """When, by the clock of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[T_co, D_co]):
    """An item and the event that it waited for."""

    item: T_co
    event: D_co
    """What was sent."""
    at: datetime
    """When it was sent, by the clock of the database."""


class Answerable(Protocol):
    """A run as whoever answers it sees it."""

    @property
    def waits(self) -> Sequence[Any]:
        """What the run waits for: times, decisions and events, the most pressing first."""
        ...

    def approve(self, wait: Any = None, /, *, who: str | None = None, **fields: Any) -> None:
        """Approve what is asked: a wait, a node of which one is open, or the only one; `fields` fill in its form."""
        ...

    def reject(self, wait: Any = None, /, *, who: str | None = None, **fields: Any) -> None:
        """Reject what is asked."""
        ...

    def decision_token(self, wait: Any = None, /, *, who: str) -> str:
        """What entitles `who` to decide what is asked, once: `cm.connect().decide(token, approved=True)`."""
        ...
