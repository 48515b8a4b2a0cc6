"""Triggers of workflows as they are armed, each under an id that stays as long as it is the same trigger.

The same is what would be set off at the same moments by the same things: a cron expression in its zone, a duration, a
pattern of files, a path, a function, a name. Such a trigger keeps its next time and its state when other things of it,
or other code of the workflow, change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from codemation.core.errors import InputError
from codemation.core.ports import Arm
from codemation.core.ticks import first_after
from codemation.core.triggerplan import TriggerPlan
from codemation.core.triggers import Trigger
from codemation.core.workflow import Workflow

SCHEDULES = ("cron", "every")
SOURCES = ("poll", "watch")
_SAME = {
    "cron": ("expression", "timezone"),
    "every": ("every",),
    "watch": ("glob",),
    "webhook": ("path", "methods"),
    "dataset": ("name",),
    "finished": ("workflow", "outcome"),
    "poll": (),
}
_SUBJECTS = {"webhook": "path", "dataset": "name", "finished": "workflow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTrigger:
    """A trigger whose code is at hand."""

    arm: Arm
    workflow: Workflow[Any, ...]
    trigger: Trigger
    plan: TriggerPlan

    @property
    def id(self) -> str:
        """Under which it is armed."""
        return self.arm.id


def known_triggers(workflow: Workflow[Any, ...]) -> tuple[KnownTrigger, ...]:
    """The triggers of a workflow, in the order in which they were written."""
    plans = workflow.definition.triggers
    found, ids = list[KnownTrigger](), dict[str, int]()
    for number, (trigger, plan) in enumerate(zip(workflow.triggers, plans, strict=True), 1):
        id_ = _id(workflow, trigger, plan)
        ids[id_] = ids.get(id_, 0) + 1  # the same schedule twice, with other params
        arm = Arm(
            id=id_ if ids[id_] == 1 else f"{id_}-{ids[id_]}",
            kind=plan.kind,
            number=number,
            config=plan.config,
            said=plan.said,
            subject=str(plan.config[_SUBJECTS[plan.kind]]) if plan.kind in _SUBJECTS else "",
            outcome=str(plan.config.get("outcome", "")),
            overlap=str(plan.config.get("overlap", "")),
        )
        found.append(KnownTrigger(arm=arm, workflow=workflow, trigger=trigger, plan=plan))
    return tuple(found)


def begun(known: KnownTrigger, now: datetime) -> Arm:
    """The trigger with the time from which it counts, if it is armed for the first time."""
    if known.arm.kind in SCHEDULES:
        return replace(known.arm, next_at=first_after(known.plan.config, now))
    return replace(known.arm, next_at=now) if known.arm.kind in SOURCES else known.arm


def by_number(known: Iterable[KnownTrigger], number: int | None, *, wanted: str = "") -> KnownTrigger:
    """The trigger with a number, or the only one; `wanted` says what is needed of it, by its kinds.

    Raises:
        InputError: there is none, or several.
    """
    there = list(known)
    fits = [one for one in there if not wanted or one.arm.kind in wanted.split()]
    shown = "; ".join(f"{one.arm.number} {one.arm.said}" for one in there) or "none"
    if number is not None:
        fits = [one for one in fits if one.arm.number == number]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise InputError(f"there are {len(fits)} triggers: {shown}", way_out="say which one: --trigger N")
    what = "no such trigger" if number is not None else f"no trigger that is {' or '.join(wanted.split())}"
    raise InputError(f"the workflow has {what if wanted or number else 'no trigger'}", way_out=f"there are: {shown}")


def _id(workflow: Workflow[Any, ...], trigger: Trigger, plan: TriggerPlan) -> str:
    same: Mapping[str, Any] = {name: plan.config.get(name) for name in _SAME[plan.kind]}
    name = trigger.spelling if plan.kind == "poll" else ""
    digest = hashlib.sha256(json.dumps([name, same], sort_keys=True).encode()).hexdigest()
    return f"{workflow.id}/{plan.kind}-{digest[:6]}"
