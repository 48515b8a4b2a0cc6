"""Backfill: one run for each tick of a time that has none, so many at once, begun anew where it was broken off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from codemation.core.errors import InputError, StoreUnavailable, UnknownRun
from codemation.core.ids import RunId
from codemation.core.states import RunStatus
from codemation.core.ticks import between
from codemation.host.triggers.arms import SCHEDULES, KnownTrigger
from codemation.host.triggers.by_hand import enter
from codemation.host.triggers.firing import signed
from codemation.host.triggers.ticking import new_tick
from codemation.host.triggers.words import in_words

if TYPE_CHECKING:
    from codemation.host.app import App

MOST = 100_000
"""Ticks of one backfill."""
LOOK = 0.2
"""Seconds between looks at the runs that are under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What became of one tick."""

    at: datetime
    run: RunId | None = None
    status: RunStatus | None = None
    error: str = ""
    """Why it has no run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The ticks of a time."""

    known: KnownTrigger
    missing: tuple[datetime, ...]
    """Those without a run, oldest first."""
    there: int
    """Those that have one."""


def gap(app: App, known: KnownTrigger, since: datetime, until: datetime) -> Gap:
    """Which ticks from `since` on and before `until` have no run.

    Raises:
        InputError: it is no schedule, the time has no ticks, or too many.
    """
    if known.arm.kind not in SCHEDULES:
        raise InputError(f"{known.trigger.spelling} has no ticks to be filled in")
    if since >= until:
        raise InputError(f"from {since.isoformat()} to {until.isoformat()} there is no time")
    ticks = list(islice(between(known.plan.config, since.astimezone(UTC), until.astimezone(UTC)), MOST + 1))
    if len(ticks) > MOST:
        raise InputError(f"there are more than {MOST:,} ticks in that time", way_out="fill in a shorter time first")
    runs = app.engine.persist(app.stores.schedules.ticks, known.id, since, until)
    missing = tuple(at for at in ticks if runs.get(at) is None)
    return Gap(known=known, missing=missing, there=len(ticks) - len(missing))


def owe(app: App, gap: Gap) -> int:
    """Owe a run for each tick that has none, to be started by whoever has the code; says how many are new.

    It goes by no overlap policy, and is done when this returns: nobody has to stay for it.
    """
    enter(app, gap.known)
    owed = app.stores.schedules.owe
    count = sum(app.engine.persist(owed, gap.known.id, new_tick(at), serial=False) for at in gap.missing)
    app.upkeep.wake()
    return count


def backfill(app: App, gap: Gap, concurrency: int, tell: Callable[[Filled], None]) -> Iterator[Filled]:
    """Start a run for each tick that has none, `concurrency` at a time, and give each as it ends.

    It goes by no overlap policy. `tell` hears of each run that has begun. Whoever stops asking starts nothing more.
    """
    known = gap.known
    app.work()
    enter(app, known)
    app.engine.persist(app.stores.firings.free)  # what a backfill that was killed had begun is started by the upkeep
    app.upkeep.triggers.know({known.workflow.id: known.workflow})
    app.upkeep.begin(0)
    waiting, running, pause = list(reversed(gap.missing)), list[Filled](), threading.Event()
    while waiting or running:
        while waiting and len(running) < concurrency:
            running.append(_begin(app, known, waiting.pop()))
            if running[-1].run is not None:
                tell(running[-1])
        ended = [done for one in running if (done := _ended(app, one)) is not None]
        running = [one for one in running if one.at not in {done.at for done in ended}]
        yield from ended
        if not ended:
            pause.wait(LOOK)
        # What another process was about to start is there by now, or not owed any more.
        running = [one if one.run is not None else _begin(app, known, one.at) for one in running]


def _begin(app: App, known: KnownTrigger, at: datetime) -> Filled:
    """Owe a run for a tick and start it; one that is owed already is started by whoever has claimed it."""
    tick, stores = new_tick(at), app.stores
    if not app.engine.persist(stores.schedules.owe, known.id, tick, serial=False):
        return Filled(at=at, run=_run_of(app, known, at))
    for firing in app.engine.persist(stores.firings.claim, app.engine.worker, [known.id], 1, only=tick.id):
        try:
            return Filled(at=at, run=app.upkeep.triggers.firer.start(firing, known, signed(app.submit, app.who)).id)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # code of the author: told of, and the others go on
            said = in_words(error)
            app.engine.persist(stores.firings.dropped, firing, said)
            return Filled(at=at, error=said)
    return Filled(at=at, run=_run_of(app, known, at))


def _run_of(app: App, known: KnownTrigger, at: datetime) -> RunId | None:
    ticks = app.engine.persist(app.stores.schedules.ticks, known.id, at, at + timedelta(microseconds=1))
    return ticks.get(at)


def _ended(app: App, one: Filled) -> Filled | None:
    """The tick with the end of its run, or without one; `None` while it goes on, or is to be started."""
    if one.error or one.run is None:
        return one if one.error else None
    try:
        opened = app.engine.open(one.run)
    except UnknownRun:  # it was pruned meanwhile
        return one
    return replace(one, status=opened.snapshot.status) if opened.finished else None
