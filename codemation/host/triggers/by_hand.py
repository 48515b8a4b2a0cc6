"""Triggers that are fired by hand: what they would owe is owed and started here and now, by the same path and key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from codemation.core.errors import InputError
from codemation.core.ids import RunId
from codemation.core.ports import Emitted, Firing
from codemation.host.identity import new_run_id
from codemation.host.triggers.arms import SCHEDULES, KnownTrigger
from codemation.host.triggers.firing import Begin, signed
from codemation.host.triggers.ticking import new_tick
from codemation.host.triggers.words import in_words

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle

FEEDS = ("finished", "dataset")


def fire_tick(app: App, known: KnownTrigger, at: datetime, begin: Begin | None = None) -> RunHandle:
    """Start the run of one tick of a schedule, as `begin` does; a tick that has a run has no other.

    Raises:
        InputError: it is no schedule, the tick has its run, or what its params function gives does not fit.
    """
    if known.arm.kind not in SCHEDULES:
        raise InputError(f"{known.trigger.spelling} has no ticks", way_out="give the item: --item JSON")
    enter(app, known)
    tick = new_tick(at.astimezone(UTC))
    if not app.engine.persist(app.stores.schedules.owe, known.id, tick, serial=False):
        raise InputError(f"the tick {tick.key} of {known.id} {_said(app, known, tick.at)}")
    return _started(app, known, tick.id, begin)


def fire_item(app: App, known: KnownTrigger, item: Any, begin: Begin | None = None) -> RunHandle:
    """Start the run of one item, as if the trigger had come by it just now.

    Raises:
        InputError: the trigger starts no runs by items, or the item does not fit.
    """
    if known.arm.kind in (*SCHEDULES, *FEEDS):
        way_out = "give the time: --at TIME" if known.arm.kind in SCHEDULES else "give the run: --run RUN"
        raise InputError(f"{known.trigger.spelling} is not set off by an item", way_out=way_out)
    return _owe(app, known, json.dumps(item), begin)


def fire_after(app: App, known: KnownTrigger, run: RunId, begin: Begin | None = None) -> RunHandle:
    """Start the run that follows another one, as if that had just ended, or had just written.

    Raises:
        InputError: the trigger does not listen to that run.
    """
    if known.arm.kind not in FEEDS:
        raise InputError(f"{known.trigger.spelling} follows no run", way_out="see: codemation triggers list")
    revision = app.attach(run).snapshot.revision
    return _owe(app, known, json.dumps({"run": run, "revision": revision}), begin)


def enter(app: App, known: KnownTrigger) -> None:
    """Let a trigger owe runs, whether it is armed or not."""
    app.engine.persist(app.stores.armory.enter, known.workflow.id, [known.arm])


def _owe(app: App, known: KnownTrigger, item: str, begin: Begin | None) -> RunHandle:
    enter(app, known)
    emitted = Emitted(id=new_run_id(), key=f"hand:{new_run_id()}", item=item)
    app.engine.persist(app.stores.firings.owe, known.id, emitted)
    return _started(app, known, emitted.id, begin)


def _started(app: App, known: KnownTrigger, firing: str, begin: Begin | None) -> RunHandle:
    """Start what was just owed; nothing is owed any more when it cannot be."""
    claimed = app.engine.persist(app.stores.firings.claim, app.engine.worker, [known.id], 1, only=firing)
    if not claimed:
        raise InputError(f"what {known.id} owes was claimed by another process, which starts it")
    (owed,) = claimed
    try:
        return app.upkeep.triggers.firer.start(owed, known, begin or signed(app.launch, app.who))
    except Exception as error:
        _take_back(app, owed, error)
        raise


def _take_back(app: App, owed: Firing, error: Exception) -> None:
    app.engine.persist(app.stores.firings.dropped, owed, f"fired by hand: {in_words(error)}")


def _said(app: App, known: KnownTrigger, at: datetime) -> str:
    ticks = app.engine.persist(app.stores.schedules.ticks, known.id, at, at + timedelta(microseconds=1))
    run = ticks.get(at)
    return f"has run {run} already" if run is not None else "is owed its run already, and waits to be started"
