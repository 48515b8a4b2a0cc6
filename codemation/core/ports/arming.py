"""Triggers that are armed, and the schedules among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from codemation.core.ids import RunId, WorkflowId


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A trigger to be armed."""

    id: str
    kind: str
    number: int
    """Its place among the triggers of its workflow, from 1."""
    config: Mapping[str, Any]
    """As in its plan; JSON."""
    said: str = ""
    subject: str = ""
    """What it listens to: the id of a workflow, the name of a dataset, a path."""
    outcome: str = ""
    """Of the runs that it listens to: `succeeded`, `failed` or `any`."""
    overlap: str = ""
    """Of a schedule: what happens while its last run is not over. Its runs are started one after the other then."""
    next_at: datetime | None = None
    """When its first tick is, or its source is first asked, unless it was armed before and knows better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedTrigger:
    """A trigger that is or was armed, and how it fares."""

    id: str
    workflow: WorkflowId
    kind: str
    number: int
    config: Mapping[str, Any]
    said: str
    subject: str
    outcome: str
    overlap: str
    active: bool
    next_at: datetime | None
    last_at: datetime | None
    """When it last started a run."""
    last_run: RunId | None
    error: str
    """What went wrong last; empty when nothing did, or all has gone well since."""
    error_at: datetime | None
    passed_at: datetime | None
    """When its source was last read to the end."""
    owed: int = 0
    """Runs that are to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedWorkflow:
    """A workflow whose triggers somebody has armed, or disarmed since."""

    workflow: WorkflowId
    digest: str
    active: bool
    by: str
    at: datetime
    missing: str = ""
    """Who has looked for it in vain, and where."""


class Armory(Protocol):
    """Which triggers are armed. One that is disarmed keeps what it knows, and is found again by its id."""

    def arm(self, workflow: WorkflowId, digest: str, arms: Sequence[Arm], by: str) -> None:
        """Arm these triggers of a workflow and no others.

        One that was armed before keeps its next time; one that was not begins anew with `next_at`, and keeps its state.
        """
        ...

    def enter(self, workflow: WorkflowId, arms: Sequence[Arm]) -> None:
        """Have these triggers known, so that they can owe runs, and arm none that is not."""
        ...

    def disarm(self, workflow: WorkflowId, by: str) -> bool:
        """Disarm a workflow; runs that are owed already are started still. `False` when it was not armed."""
        ...

    def workflows(self) -> tuple[ArmedWorkflow, ...]:
        """All that were ever armed, by id."""
        ...

    def triggers(self, workflow: WorkflowId | None = None) -> tuple[ArmedTrigger, ...]:
        """The triggers of a workflow, or all, by workflow and number; those that are not armed come last."""
        ...

    def listening(self, kind: str, subject: str) -> frozenset[str]:
        """The ids of the triggers of a kind that are armed and listen to a subject."""
        ...

    def miss(self, workflow: WorkflowId, said: str) -> None:
        """Note who has looked for a workflow in vain; an empty text that it was found."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSchedule:
    """A schedule with a tick whose time has come."""

    trigger: str
    kind: str
    config: Mapping[str, Any]
    next_at: datetime
    """Its first tick that is not dealt with."""
    now: datetime
    """By the clock of the store."""
    owed: int
    """Runs that are to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A time of a schedule, for which a run is to be owed."""

    id: str
    """A UUID, of what is owed."""
    at: datetime

    @property
    def key(self) -> str:
        """What names it among all that its trigger starts."""
        return self.at.astimezone(UTC).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTick:
    """A time of a schedule that was dealt with; without a run, and with none that is owed, it was left out."""

    at: datetime
    run: RunId | None
    owed: bool
    """Whether a run is to be started for it."""


class Schedules(Protocol):
    """Ticks of schedules. A tick and the run that is owed for it are one: both are noted, or neither."""

    def due(self, limit: int = 100) -> tuple[DueSchedule, ...]:
        """The armed schedules whose next tick has come, the longest due first."""
        ...

    def advance(self, schedule: DueSchedule, ticks: Sequence[Tick], next_at: datetime | None) -> int | None:
        """Owe a run for each of these ticks that was not dealt with before, and wait for `next_at`.

        Says how many are owed; `None`, and nothing is done, when somebody else has moved the schedule on.
        """
        ...

    def owe(self, trigger: str, tick: Tick, *, serial: bool) -> bool:
        """Owe a run for one tick, unless it has one or is owed one; `serial` as the others of the schedule."""
        ...

    def ticks(self, trigger: str, since: datetime, until: datetime) -> Mapping[datetime, RunId | None]:
        """The ticks of a time that were dealt with, and their runs: from `since` on, and before `until`."""
        ...

    def past(self, trigger: str, before: datetime | None = None, limit: int = 50) -> tuple[PastTick, ...]:
        """The ticks of a trigger that were dealt with, the latest first, from just before the tick `before`."""
        ...

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget ticks of runs that are not there, so many seconds after their time; says how many."""
        ...
