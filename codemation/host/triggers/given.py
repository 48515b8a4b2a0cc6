"""What a trigger would start a run with: the items and the params, from what sets it off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from codemation.core.errors import InputError
from codemation.core.mistakes import listed
from codemation.core.run import Run
from codemation.core.triggers import Trigger
from codemation.core.workflow import Workflow

Fired = tuple[Any, Mapping[str, object]]
"""Items and params."""


def meant(workflow: Workflow[Any, ...], trigger: Trigger | None) -> Trigger:
    """The trigger of a workflow that is meant: the one that was given, or the only one.

    Raises:
        InputError: the workflow has no such trigger, or several.
    """
    known = workflow.triggers
    if trigger is None and len(known) == 1:
        return known[0]
    if trigger is not None and trigger in known:
        return trigger
    there = listed([one.spelling for one in known], "none")
    if not known:
        raise InputError(f'"{workflow.id}" has no trigger', way_out=".on(…) gives it one; harness.run needs none")
    if trigger is None:
        raise InputError(
            f'"{workflow.id}" has {len(known)} triggers: {there}',
            way_out="say which: harness.fire(workflow, workflow.triggers[0])",
        )
    raise InputError(f'"{workflow.id}" is not started by {trigger.spelling}', way_out=f"its triggers: {there}")


def fired(trigger: Trigger, given: Any, now: datetime) -> Fired:
    """What a run is started with, from what sets its trigger off.

    Raises:
        InputError: a trigger of this kind would not be set off by that.
    """
    match trigger.kind:
        case "cron" | "every":
            tick = _tick(trigger, now if given is None else given)
            return None, _params(trigger, tick)
        case "dataset" | "finished":
            return None, _params(trigger, _ended(trigger, given))
        case "watch":
            return [_file(trigger, given)], {}
        case _:
            if given is None:
                raise InputError(f"{trigger.spelling} starts a run with an item, and none was given")
            return [given], {}


def _params(trigger: Trigger, given: Any) -> Mapping[str, object]:
    params = trigger.params(given) if callable(trigger.params) else trigger.params
    if params is not None and not isinstance(params, Mapping):
        raise InputError(f"the params of {trigger.spelling} are {params!r}, and no values by name")
    return params or {}


def _tick(trigger: Trigger, given: Any) -> datetime:
    """The time as the author's function is given it."""
    if not isinstance(given, datetime):
        raise InputError(f"{trigger.spelling} is set off by a time, and {given!r} is none")
    zone = ZoneInfo(trigger.config["timezone"]) if "timezone" in trigger.config else UTC
    return given.replace(tzinfo=zone) if given.tzinfo is None else given.astimezone(zone)


def _ended(trigger: Trigger, given: Any) -> Run:
    """The run after which another is started, if it is one."""
    if given is None or not hasattr(given, "definition"):
        raise InputError(f"{trigger.spelling} is set off by a run, and {given!r} is none")
    run, config = given, trigger.config
    if trigger.kind == "dataset":
        writers = [node.id for node in run.definition.nodes if node.writes == config["name"]]
        if not any(run[node].status == "succeeded" for node in writers):
            raise InputError(f'no node of run {run.id} has written "{config["name"]}"')
        return given  # type: ignore[no-any-return]  # a handle, which has been looked at
    if run.definition.workflow != config["workflow"] or config["outcome"] not in ("any", str(run.status)):
        said = (
            f'{trigger.spelling} is not set off by run {run.id} of "{run.definition.workflow}", which is {run.status}'
        )
        raise InputError(said)
    return given  # type: ignore[no-any-return]  # as above


def _file(trigger: Trigger, given: Any) -> Any:
    """A version of a file as the item that a run is given."""
    if not isinstance(given, str | Path):
        if given is None:
            raise InputError(f"{trigger.spelling} is set off by a file: give its path, or the item")
        return given
    path = Path(given)
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return {"path": path, "size": found.st_size, "modified": datetime.fromtimestamp(found.st_mtime, UTC)}
