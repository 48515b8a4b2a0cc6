"""Who arms a workflow, and whether it may be: everything that is wrong is told at once, before anything is armed."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from codemation.core.errors import CodemationError, HostError
from codemation.core.ids import WorkflowId
from codemation.core.nesting import below
from codemation.core.ports import ArmedTrigger, ArmedWorkflow
from codemation.core.ticks import first_after
from codemation.core.workflow import Workflow
from codemation.host.credentials import slots
from codemation.host.launching import encoded_input, encoded_params, takes_items
from codemation.host.triggers.arms import SCHEDULES, KnownTrigger, begun, known_triggers
from codemation.host.triggers.given import fired
from codemation.host.triggers.polling import state_of
from codemation.host.triggers.words import in_words

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.triggers")
GIVES_ITEMS = frozenset({"webhook", "poll", "watch"})
"""Triggers whose runs are given what has set them off, as an item."""
BY_DEV = "codemation dev"
"""Who has armed what is being written, for as long as that goes on; afterwards it is as if nobody ever had."""
BY_SETTINGS = "settings"
"""Who has armed what the setting `activate` names."""


class NotReady(HostError):
    """A workflow cannot be armed as it is."""


def activate(app: App, workflow: Workflow[Any, ...], by: str) -> tuple[KnownTrigger, ...]:
    """Arm the triggers of a workflow; what was armed before keeps its next time.

    Raises:
        NotReady: something is wrong; all of it is listed.
    """
    known = known_triggers(workflow)
    if wrong := preflight(app, workflow, known):
        lines = "\n  ".join(wrong)
        raise NotReady(
            f'"{workflow.id}" cannot be activated:\n  {lines}',
            way_out="put this right and activate it again; nothing was armed",
        )
    engine, now = app.engine, datetime.now(UTC)
    engine.persist(engine.stores.definitions.put, workflow.definition)
    arms = [begun(one, now) for one in known]
    engine.persist(engine.stores.armory.arm, workflow.id, workflow.digest, arms, by)
    return known


def deactivate(app: App, workflow: WorkflowId, by: str) -> bool:
    """Disarm a workflow, whether its code is at hand or not; `False` when it was not armed."""
    return app.engine.persist(app.engine.stores.armory.disarm, workflow, by)


def preflight(app: App, workflow: Workflow[Any, ...], known: Sequence[KnownTrigger]) -> list[str]:
    """Everything that would keep the triggers of a workflow from starting its runs."""
    wrong = [] if known else ["it has no triggers: give it some with .on(…), or start its runs by hand"]
    try:
        app.credentials.check(workflow.id, [slot for one in below(workflow) for slot in slots(one.code)])
    except CodemationError as error:
        wrong += [line.strip() for line in error.message.splitlines()[1:]] or [error.message]
    others = [one for one in app.engine.persist(app.stores.armory.triggers) if one.active]
    for one in known:
        wrong += [f"{one.trigger.spelling} ({one.plan.place}): {what}" for what in _objections(app, one, others)]
    return wrong


def _objections(app: App, known: KnownTrigger, others: Iterable[ArmedTrigger]) -> list[str]:
    workflow, said = known.workflow, []
    if known.arm.kind in GIVES_ITEMS and not takes_items(workflow):
        said.append(f'it gives an item to each run, and "{workflow.id}" begins with nodes that make their own')
    if known.arm.kind == "webhook":
        methods = set(known.plan.config["methods"])
        for other in others:
            path_taken = other.kind == "webhook" and other.subject == known.arm.subject
            if path_taken and other.workflow != workflow.id and methods & set(other.config["methods"]):
                said.append(f'its path is taken by "{other.workflow}"')
    if known.arm.kind in SCHEDULES:
        said += _trial(app, known)
    if known.arm.kind == "poll":
        try:
            state_of(known, None)
        except CodemationError as error:
            said.append(error.message)
    return said


def _trial(app: App, known: KnownTrigger) -> list[str]:
    """What is wrong with the run that the next tick would start."""
    tick = first_after(known.plan.config, datetime.now(UTC))
    if tick is None:
        return ["it never comes again"]
    try:
        items, params = fired(known.trigger, tick, tick)
        launch = known.workflow.launch(items, params or None)
        encoded_params(launch.params)
        encoded_input(known.workflow, launch.items, app.tables)
    except CodemationError as error:
        return [error.message]
    except Exception as error:  # noqa: BLE001  # the author's function, which is told of as it is
        return [f"its params cannot be made for {tick.isoformat()}: {in_words(error)}"]
    return []


def refresh(app: App, workflows: Mapping[str, Workflow[Any, ...]], where: str, *, developing: bool = False) -> None:
    """Let what is armed be what the code at hand says: new code arms anew, and what the settings name is armed.

    A workflow that is not there any more is reported, and stays armed. What an operator has disarmed stays so. What was
    armed while it was being written, by a process that was killed, is disarmed, unless it is `developing` again.
    """
    armory = app.stores.armory
    if not developing:
        for left in app.engine.persist(armory.workflows):
            if left.active and left.by == BY_DEV:
                deactivate(app, left.workflow, BY_DEV)
    rows = {row.workflow: row for row in app.engine.persist(armory.workflows)}
    for id_, workflow in workflows.items():
        row = rows.get(WorkflowId(id_))
        if row is not None and row.active:
            _renew(app, workflow, row)
        elif (row is None or row.by == BY_DEV) and workflow.triggers and _is_named(id_, app.settings.config.activate):
            _arm_or_tell(app, workflow, BY_SETTINGS)
    for id_, row in rows.items():
        if row.active and id_ not in workflows:
            said = f"{where} has no workflow of this name"
            app.engine.persist(armory.miss, id_, said)
            _log.warning('"%s" is active, but %s; its triggers stay armed', id_, said)


def _renew(app: App, workflow: Workflow[Any, ...], row: ArmedWorkflow) -> None:
    if row.digest != workflow.digest:
        _arm_or_tell(app, workflow, row.by)
    elif row.missing:
        app.engine.persist(app.stores.armory.miss, row.workflow, "")


def _arm_or_tell(app: App, workflow: Workflow[Any, ...], by: str) -> None:
    try:
        activate(app, workflow, by)
    except NotReady as error:
        _log.error("%s", error.message)
        app.engine.persist(app.stores.armory.miss, workflow.id, error.message)


def _is_named(workflow: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(workflow, pattern) for pattern in patterns)
