"""What holds across runs: places, slots, rates, what follows failures, how long something is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from codemation.core.ids import RunId, WorkflowId
from codemation.core.ports.journal import RunRow
from codemation.core.states import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """Runs of one workflow and outcome whose time is over."""

    workflow: WorkflowId
    status: RunStatus
    runs: int
    oldest: datetime
    """When the first of them ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was left over and is gone."""

    batches: int = 0
    """Of runs that are not there."""
    keys: int = 0
    """Of runs that are not there, and whose time is over."""
    blobs: int = 0
    """That were given up before, and whose bytes are gone now."""
    rates: int = 0
    """By which nobody has booked a call for a day."""


class Pruning(Protocol):
    """The end of what was kept. Whoever prunes waits for nobody, and several may at once."""

    def outdated(self) -> tuple[Outdated, ...]:
        """What `prune` would delete, were it called until nothing is left, by workflow and outcome."""
        ...

    def prune(self, limit: int = 200) -> int:
        """Delete finished runs whose time is over, the longest over first; says how many, 0 when there is none left.

        At most `limit` at once, and fewer if they are long. A run goes as a whole: journal, logs, batches. A batch that
        another run has borrowed is that run's from now on. A child goes after its parent; an unfinished run never.
        """
        ...

    def sweep(self, limit: int = 200) -> Swept:
        """Delete what belongs to nobody: batches of runs that did not start within a day, keys, unused blobs."""
        ...


class Turnstiles(Protocol):
    """Places for runs, and who is queued for them.

    A run takes its place, and gives it back, in the statements of the journal that begin and end it; who is queued is
    let in there as well, the highest priority first, then who has come first.
    """

    def at(self, name: str, *, queued: bool = True) -> tuple[RunRow, ...]:
        """The unfinished runs of a turnstile: those that have a place, then those that are queued, the next one first.

        The queue may be long, and is left out if it is not wanted. A run that waits for the world keeps its place.
        """
        ...

    def mend(self, name: str | None = None) -> int:
        """Count the places anew and let in who is queued for a free one, here or wherever there is one; says how many.

        For what a process leaves that was killed between an end and what follows from it.
        """
        ...


class Pools(Protocol):
    """Slots for what only so many may do at a time. Who has one is seen from the tickets that are held."""

    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        """Say how many slots pools have; those that are not named stay as they are.

        As a `default` it says so of those alone of which nobody has said it.
        """
        ...

    def all(self) -> Mapping[str, tuple[int, int]]:
        """How many slots of each pool are taken, and how many there are."""
        ...


class Rates(Protocol):
    """When calls may begin that only so many may in a time, whoever makes them."""

    def book(self, name: str, calls: int, spacing: float) -> float:
        """Book the next `calls` moments, `spacing` seconds apart; seconds until the first of them.

        No moment is given twice, and none lies in the past. What is booked and not used is lost.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A workflow that is to be started because a run has failed."""

    run: RunId
    revision: int
    """Of the run, at which it failed: a run that is resumed may fail again."""
    workflow: WorkflowId


class FollowUps(Protocol):
    """What is to be started because something has failed. Noted by the journal, with the end of the run."""

    def due(self, workflows: Sequence[WorkflowId], limit: int = 100) -> tuple[FollowUp, ...]:
        """What of these workflows is to be started, the oldest first."""
        ...

    def done(self, follow_up: FollowUp) -> None:
        """Forget what was started; again is harmless."""
        ...
