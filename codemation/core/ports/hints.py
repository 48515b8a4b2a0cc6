"""Word of tickets on its way to workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from codemation.core.ids import TicketId
from codemation.core.sealed import sealed


@sealed
class Hint:
    """Word that a ticket is ready, for whoever serves its queue."""

    ticket: TicketId
    queue: str = "default"
    passed: int = 0
    """How many workers have passed it on, because they could not do it."""


class Scheduler(Protocol):
    """Lets workers know of tickets that are ready. What it loses costs time alone, since the tickets stay the truth."""

    def dispatch(self, hints: Sequence[Hint]) -> None:
        """Let workers know, after the tickets were recorded; never waits for anybody, and never fails."""
        ...

    def is_away(self) -> bool:
        """Whether nobody can be let known now, so that whoever wants work looks for it by itself."""
        ...

    def close(self) -> None:
        """Be done with it; what has not been sent after a moment is left."""
        ...
