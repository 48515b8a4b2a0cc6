"""`codemation duties`: what one process of all does, and which."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.core.durations import readable
from codemation.core.ports import DutyRow
from codemation.host.overview import json_of
from codemation.host.triggers.overview import duties as held

_ABOUT = {
    "recover": "free what the dead were at work on",
    "fire": "wake what waits for a time",
    "schedule": "owe runs for ticks",
    "poll": "ask sources",
    "prune": "delete what is over, once an hour",
    "compact": "delete what is not needed, once an hour",
}


@click.group(cls=Group)
def duties() -> None:
    """See what one process does for all."""


@duties.command("list")
@as_json
@click.pass_obj
def list_(screen: Screen, /, as_json: bool) -> None:
    """List the duties, which process has each of them, and when it was last done.

    Any process that works on runs takes a duty that nobody has. One that stops leaves its duties to the others at
    once; one that is killed or frozen loses them after a few seconds (the setting duty_silence).
    """
    with opened() as app:
        found = held(app)
    if as_json:
        screen.show_json([json_of(row) for row in found])
        return
    rows = [(row.name, _holder(row), _last(row), _lag(row), _ABOUT.get(row.name, "")) for row in found]
    for line in columns(rows, ("duty", "held by", "last done", "late by", ""), screen.width, firm=(0, 2, 3)):
        screen.show(line)


def _holder(row: DutyRow) -> str:
    if row.holder is None:
        return "nobody"
    name = row.worker.name if row.worker is not None else str(row.holder)
    return f"{name} (gone)" if row.gone else name


def _last(row: DutyRow) -> str:
    return "never" if row.last_at is None else moment(row.last_at)


def _lag(row: DutyRow) -> str:
    return "" if row.lag is None else readable(row.lag)
