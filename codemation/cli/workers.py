"""`codemation workers`: who works on runs."""

from __future__ import annotations

from typing import Any

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.core.durations import readable
from codemation.core.ports import WorkerRow
from codemation.host.runtime.liveness import is_gone, place
from codemation.views.records import record

HEADS = ("worker", "host", "process", "version", "queues", "definitions", "load", "since", "last heard of")


@click.group(cls=Group)
def workers() -> None:
    """Look at the processes that work on runs."""


@workers.command("list")
@as_json
@click.pass_obj
def list_(screen: Screen, as_json: bool) -> None:
    """List who works on runs, the oldest first.

    A process without queues works on what it has started itself. Load is activations now, of so many at a time.
    """
    with opened() as app:
        rows = sorted(app.stores.workers.living(), key=lambda row: (str(row.started_at), row.name))
        silence, here = app.settings.config.silence, app.settings.config.place or place()
    if as_json:
        screen.show_json([_view(row, here, silence) for row in rows])
        return
    if not rows:
        screen.say("nobody is at work; start a worker: codemation serve worker")
        return
    for line in columns([_row(row, here, silence) for row in rows], HEADS, screen.width, firm=(2, 6)):
        screen.show(line)


def _view(row: WorkerRow, here: str, silence: float) -> dict[str, Any]:
    return {**record(row), "id": str(row.id), "stands": _stands(row, here, silence)}


def _stands(row: WorkerRow, here: str, silence: float) -> str:
    if is_gone(row, here):
        return "gone"
    return "silent" if row.silent > silence else "alive"


def _row(row: WorkerRow, here: str, silence: float) -> tuple[str, ...]:
    stands = _stands(row, here, silence)
    heard = f"{readable(max(1, round(row.silent)))} ago" if stands != "gone" else "its process is gone"
    return (
        row.name,
        row.host,
        str(row.pid),
        row.version,
        ", ".join(row.queues) or "its own runs",
        str(len(row.digests)) if row.queues else "",
        f"{row.load} of {row.slots}" if row.queues else "",
        moment(row.started_at) if row.started_at else "",
        heard if stands == "alive" else click.style(heard, fg="yellow"),
    )
