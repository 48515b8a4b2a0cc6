"""Runs as lines of text: a list of them, one in full, what its nodes have said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from codemation.cli.outcome import failure_lines, outputs_lines
from codemation.cli.screen import columns, pairs, status_text, visible
from codemation.core.durations import readable
from codemation.core.ids import MAIN, START, node_of
from codemation.core.origins import Origin
from codemation.core.ports import LogLine
from codemation.core.states import RunStatus
from codemation.host.alone import LEFT_ALONE
from codemation.host.naming import short
from codemation.host.overview import run_view
from codemation.views.lettering import clipped, one_line
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.runs import RunRow, RunView
from codemation.views.text import plan_text

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

BY = 24
"""Columns at most that say who has started a run."""
SHOWN = 10
"""Children that are shown."""
_LEVELS = {"warning": "yellow", "error": "red", "critical": "red", "stderr": "yellow"}


def list_lines(rows: Sequence[RunRow], width: int) -> list[str]:
    """A list of runs."""
    if not rows:
        return []
    cells = [
        (
            short(row.id),
            _standing(row),
            row.workflow if row.parent is None else f"{row.workflow} for {short(row.parent)}",
            moment(row.created_at),
            "" if row.seconds is None else readable(row.seconds),
            f"{row.nodes_done}/{row.nodes_total}",
            "" if row.parent is not None else clipped(one_line(row.started_by), BY),
            one_line(row.error or row.reason),
        )
        for row in rows
    ]
    heads = ("run", "status", "workflow", "started", "took", "nodes", "by", "")
    return columns(cells, heads, width, right=(4, 5), firm=(0, 1, 4, 5))


def show_lines(handle: RunHandle, width: int) -> Iterator[str]:
    """A run in full."""
    view = run_view(handle)
    row = view.row
    yield f"{click.style(row.workflow, bold=True)}  {_standing(row)}  run {row.id}"
    yield from pairs(_facts(view, width))
    yield ""
    yield from _nodes(handle, view, width)
    yield from _children(view, width)
    if view.error is not None:
        yield from failure_lines(view.error, handle, width)
    if row.status == RunStatus.SUCCEEDED:
        yield ""
        yield from outputs_lines(handle, width)
    if hint := _next(row):
        yield from (["", hint] if view.error is None else [hint])


def _children(view: RunView, width: int) -> Iterator[str]:
    """The runs that do some of the work."""
    if view.children:
        rows = [replace(row, parent=None, started_by="") for row in view.children[:SHOWN]]
        yield ""
        yield click.style("children", bold=True)
        yield from (f"  {line}" for line in list_lines(rows, width - 2)[1:])
        if len(view.children) > SHOWN:
            yield click.style(f"  … {len(view.children) - SHOWN:,} more", dim=True)


def _standing(row: RunRow) -> str:
    """Where a run stands; what nobody works on is not called running."""
    return click.style("‖ paused", fg="yellow") if row.reason == LEFT_ALONE else status_text(row.status)


def _facts(view: RunView, width: int) -> dict[str, str]:
    row = view.row
    facts = {
        "started": moment(row.started_at or row.created_at),
        "took": "" if row.seconds is None else readable(row.seconds),
        "started by": _who(view),
        "parent": "" if row.parent is None else f"run {row.parent}",
        "key": clipped(one_line(row.key), width - 12) if view.origin is None else "",
        "reason": clipped(one_line(row.reason), width - 12) if view.error is None else "",
        "params": clipped(", ".join(f"{name}={_short(value)}" for name, value in view.params.items()), width - 12),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _who(view: RunView) -> str:
    """Who has started a run; of a trigger also what has set it off."""
    origin, by = Origin.from_json(view.origin), view.row.started_by
    if origin is None:
        return one_line(by) if view.row.parent is None else ""
    by_itself = by in ("", f"trigger {origin.trigger}")
    return one_line(f"trigger {origin.said}" if by_itself else f"trigger {origin.said}, by {by}")


def _short(value: object) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _nodes(handle: RunHandle, view: RunView, width: int) -> list[str]:
    """The plan with the state of the run, without the lines about the workflow itself."""
    began = NodeMark(status=NodeStatus.SUCCEEDED, counts={MAIN: handle.snapshot.output(START, MAIN).count})
    _, _, body = plan_text(handle.definition, {START: began, **view.marks}, width=width).partition("\n\n")
    return body.partition("\n\n")[0].splitlines()


def _next(row: RunRow) -> str:
    """What to type next."""
    if row.status in (RunStatus.FAILED, RunStatus.CANCELLED) or row.reason == LEFT_ALONE:
        return f"go on with it: codemation runs resume {short(row.id)}"
    if row.status == RunStatus.WAITING:
        return f"what it waits for: codemation runs waits {short(row.id)}"
    return ""


def log_lines(lines: Sequence[LogLine], *, with_node: bool, room: int = 0) -> Iterator[str]:
    """What nodes have printed and logged, with the time and, among several, the node in as much room as they need."""
    room = room or max((len(node_of(line.activation)) for line in lines), default=0)
    for line in lines:
        when = click.style(line.at.astimezone().strftime("%H:%M:%S"), dim=True)
        node = f"  {click.style(node_of(line.activation).ljust(room), fg='cyan')}" if with_node else ""
        level = "" if line.level == "print" else f"{line.level}: "
        yield f"{when}{node}  {click.style(level + visible(line.text), fg=_LEVELS.get(line.level))}"


def moment(at: datetime) -> str:
    """A time on the reader's own clock; without the date when that is today."""
    here = at.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M:%S") if here.date() == today else here.strftime("%Y-%m-%d %H:%M")
