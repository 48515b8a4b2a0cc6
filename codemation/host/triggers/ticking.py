"""The ticks of schedules: each that has come is owed a run, or passed over, as its schedule wants it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from codemation.core.engine import Engine
from codemation.core.ports import DueSchedule, Tick
from codemation.core.ticks import deal
from codemation.host.identity import new_run_id

_log = logging.getLogger("codemation.triggers")
ENOUGH = 1000
"""Runs that a schedule may owe before it waits for them to start: a long outage is made up for piece by piece."""


def tick(engine: Engine, grace: float) -> tuple[int, bool]:
    """Deal with the ticks that have come; how many runs are owed for them, and whether there is more to deal with.

    It needs nobody's code, and may be done by several at once: whoever is late changes nothing.
    """
    total, more = 0, False
    for schedule in engine.persist(engine.stores.schedules.due):
        if schedule.owed >= ENOUGH:
            continue
        dealt = deal(schedule.config, schedule.next_at, schedule.now, timedelta(seconds=grace))
        ticks = [new_tick(at) for at in dealt.ticks]
        owed = engine.persist(engine.stores.schedules.advance, schedule, ticks, dealt.next_at)
        total += owed or 0
        more |= dealt.next_at is not None and dealt.next_at <= schedule.now
        _tell(schedule, dealt.ticks)
    return total, more


def new_tick(at: datetime) -> Tick:
    """A tick with an id for what is owed."""
    return Tick(id=new_run_id(), at=at)


def _tell(schedule: DueSchedule, ticks: tuple[datetime, ...]) -> None:
    late = (schedule.now - schedule.next_at).total_seconds()
    if late > 60 and not ticks:
        _log.warning("trigger %s has missed %s and what came after", schedule.trigger, schedule.next_at)
