"""Triggers that are fired by hand and ticks that are made up for; what is owed, and what became of past ticks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from codemation.core.access import Role
from codemation.core.errors import CodemationError, InputError
from codemation.core.ids import RunId
from codemation.core.ports import Owed, PastTick
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.triggers.arms import KnownTrigger, by_number, known_triggers
from codemation.host.triggers.backfill import gap, owe
from codemation.host.triggers.by_hand import FEEDS, fire_after, fire_item, fire_tick
from codemation.host.triggers.firing import Begin, signed
from codemation.host.triggers.words import in_words
from codemation.web.actors import Asked, By
from codemation.web.models import Given, Model, Moment, Page
from codemation.web.routes import Api
from codemation.web.runs import RunStarted, started
from codemation.web.texts import Data, Instant, Name, Uuid
from codemation.web.workflows import WorkflowPath

router = Api(tags=["triggers"])
MOST = 1000
"""Ticks that one request makes up for."""


class FireTrigger(Given):
    """What sets a trigger off; nothing for the tick of a schedule that is now."""

    trigger: int | None = Field(default=None, ge=1, le=10_000)
    """Which of the triggers of the workflow, from 1, if it has several."""
    at: Instant | None = None
    """Of a schedule: the tick."""
    item: Data = Field(default=None, examples=[{"id": 7}])
    """Of a webhook, a poll or files: the item."""
    run: Uuid | None = None
    """Of one that follows other runs: the run."""


class Backfill(Given):
    """Which ticks are made up for."""

    since: Instant
    """The first tick is at this time or after it."""
    until: Instant
    """The last tick is before this time."""
    trigger: int | None = Field(default=None, ge=1, le=10_000)
    """Which of its schedules, if it has several."""
    dry_run: bool = False
    """Only say which ticks have no run."""


class Backfilled(Model):
    """Ticks that had no run."""

    trigger: str
    ticks: list[Moment]
    """Those without a run, oldest first."""
    had_runs: int
    """How many ticks of that time have their run."""
    owed: int
    """For how many a run is owed now that was not before."""


@router.offer(
    "POST",
    "/workflows/{workflow}/fire",
    Role.OPERATOR,
    fails=[404, 409, 410],
    operation_id="fire_trigger",
    summary="Fire a trigger by hand",
    status_code=201,
)
def fire_trigger(service: Asked, by: By, workflow: WorkflowPath, given: FireTrigger | None = None) -> RunStarted:
    """Start the run that a trigger would have started, whether it is armed or not.

    It has the same params and the same key, so that a tick which has its run is not run again.
    """
    service.check_open()
    wish, found = given or FireTrigger(), service.workflow(workflow)
    known = by_number(known_triggers(found), wish.trigger)
    with service.noted(by, "triggers.fire", found.id, trigger=known.id, at=_written(wish.at), run=wish.run) as note:
        run = _fired(service.app, known, wish, signed(service.app.submit, by.said))
        note.target = run.id
    return started(service, run.id, found.id, new=True)


def _fired(app: App, known: KnownTrigger, wish: FireTrigger, begin: Begin) -> RunHandle:
    if known.arm.kind in FEEDS and wish.run is None:
        raise InputError(f"{known.trigger.spelling} follows another run", way_out="say which: run")
    try:
        if wish.run is not None:
            return fire_after(app, known, RunId(wish.run), begin)
        if "item" in wish.model_fields_set:
            return fire_item(app, known, wish.item, begin)
        return fire_tick(app, known, wish.at or datetime.now(UTC).replace(microsecond=0), begin)
    except CodemationError:
        raise
    except Exception as error:  # code of the author, which makes params and items
        raise InputError(f"what starts the run cannot be made: {in_words(error)}") from error


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@router.offer(
    "POST",
    "/workflows/{workflow}/backfill",
    Role.OPERATOR,
    fails=[404, 409],
    operation_id="backfill",
    summary="Make up for ticks",
    status_code=202,
)
def backfill(service: Asked, by: By, workflow: WorkflowPath, given: Backfill) -> Backfilled:
    """Owe a run for each tick of a time that has none; they are started soon, by whoever has the code.

    A tick that has its run is left alone, so the same request again does the rest. No overlap policy counts, but the
    `concurrency` of the workflow does. At most 1,000 ticks at a time.
    """
    service.check_open()
    found = service.workflow(workflow)
    known = by_number(known_triggers(found), given.trigger, wanted="cron every")
    gap_ = gap(service.app, known, given.since, given.until)
    if len(gap_.missing) > MOST:
        said = f"{len(gap_.missing):,} ticks of that time have no run, which are more than {MOST:,}"
        raise InputError(said, way_out="make up for a shorter time first")
    owed, times = 0, {"from": _written(given.since), "to": _written(given.until)}
    if not given.dry_run:
        with service.noted(by, "triggers.backfill", found.id, trigger=known.id, ticks=len(gap_.missing), **times):
            owed = owe(service.app, gap_)
    return Backfilled(trigger=known.id, ticks=list(gap_.missing), had_runs=gap_.there, owed=owed)


class OwedRun(Model):
    """A run that is to be started."""

    id: str
    trigger: str
    workflow: str
    kind: str
    key: str
    """What set it off: a tick, an item, a run."""
    at: Moment
    """The tick, or when it was owed."""
    due_at: Moment
    """When it is tried next; of one that is being started, until when nobody else tries."""
    tries: int
    """How often it could not be started."""
    error: str
    """What went wrong last."""
    taken: bool
    """Whether somebody is starting it."""

    @classmethod
    def of(cls, row: Owed) -> OwedRun:
        """What is owed, as it is listed."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class OwedPage(Page[OwedRun]):
    """Some of the runs that are owed, the latest first."""


class OwedQuery(Given):
    """Which runs that are owed are listed."""

    workflow: Name | None = None
    """Only of this workflow."""
    trigger: Name | None = None
    """Only of this trigger, by its id."""
    before: Uuid | None = None
    """Only what was owed before this one."""
    limit: int = Field(default=50, ge=1, le=200)
    """At most so many."""


@router.offer("GET", "/firings", Role.VIEWER, operation_id="list_firings", summary="List runs that are owed")
def list_firings(service: Asked, query: Annotated[OwedQuery, Query()]) -> OwedPage:
    """List the runs that triggers owe and that have not been started yet, the latest first."""
    rows = service.app.stores.firings.page(**query.model_dump())
    return OwedPage(items=[OwedRun.of(row) for row in rows], next=rows[-1].id if len(rows) == query.limit else None)


class TickState(Model):
    """A past time of a schedule."""

    at: Moment
    run: str | None
    """The run that was started for it."""
    owed: bool
    """Whether a run is to be started for it; without a run it was left out."""

    @classmethod
    def of(cls, row: PastTick) -> TickState:
        """A tick as it is listed."""
        return cls(at=row.at, run=row.run, owed=row.owed)


class TickPage(Page[TickState]):
    """Some of the ticks of a schedule, the latest first."""


class TickQuery(Given):
    """Which ticks are listed."""

    trigger: Name
    """The id of the schedule."""
    before: Instant | None = None
    """Only ticks before this one."""
    limit: int = Field(default=50, ge=1, le=200)
    """At most so many."""


@router.offer("GET", "/ticks", Role.VIEWER, operation_id="list_ticks", summary="List the ticks of a schedule")
def list_ticks(service: Asked, query: Annotated[TickQuery, Query()]) -> TickPage:
    """List the ticks of a schedule that were dealt with, and their runs, the latest first."""
    rows = service.app.stores.schedules.past(query.trigger, query.before, query.limit)
    last = _written(rows[-1].at) if len(rows) == query.limit else None
    return TickPage(items=[TickState.of(row) for row in rows], next=last)
