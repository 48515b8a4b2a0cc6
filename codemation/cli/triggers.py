"""`codemation triggers`: what starts runs by itself, and how it fares."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.core.ports import ArmedTrigger
from codemation.host.overview import json_of
from codemation.host.triggers.overview import armed, next_in_words
from codemation.host.triggers.overview import triggers as known
from codemation.views.lettering import one_line


@click.group(cls=Group)
def triggers() -> None:
    """See what starts runs by itself."""


@triggers.command("list")
@click.argument("workflow", required=False)
@click.option("--all", "all_", is_flag=True, help="Also those that are not armed any more.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, workflow: str | None, all_: bool, as_json: bool) -> None:
    """List the triggers that are armed, when each comes next, and what it did last.

    WORKFLOW lists those of one. Triggers are armed by codemation workflows activate.
    """
    with opened() as app:
        found = [one for one in known(app, workflow) if one.active or all_]
        missing = [row for row in armed(app) if row.missing and workflow in (None, row.workflow)]
    if as_json:
        screen.show_json([json_of(one) for one in found])
        return
    rows = [(one.workflow, str(one.number), one.said, _next(one), _last(one), _state(one)) for one in found]
    heads = ("workflow", "no.", "starts a run", "next", "last", "")
    for line in columns(rows, heads, screen.width, right=(1,), firm=(0, 1, 3, 4)) if rows else ():
        screen.show(line)
    for one in found:
        if one.error:
            when = "" if one.error_at is None else f" ({moment(one.error_at)})"
            mark = click.style("!", fg="yellow", bold=True)
            screen.say(f"{mark} {one.workflow}, trigger {one.number}{when}: {one_line(one.error)}")
    for row in missing:
        screen.say(f"{click.style('!', fg='yellow', bold=True)} {row.workflow}: {row.missing}")
    if not found:
        screen.say("no trigger is armed; arm those of a workflow: codemation workflows activate WORKFLOW")


def _next(one: ArmedTrigger) -> str:
    return next_in_words(one) if one.next_at is None or next_in_words(one) else moment(one.next_at)


def _last(one: ArmedTrigger) -> str:
    return "never" if one.last_at is None else moment(one.last_at)


def _state(one: ArmedTrigger) -> str:
    owed = f"{one.owed} to be started" if one.owed else ""
    return ", ".join(filter(None, (owed, "failing" if one.error else "")))
