"""What a run came to, for people: what came out, or what went wrong and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from codemation.cli.screen import Screen, pairs, table, visible
from codemation.core.durations import readable
from codemation.core.ids import MAIN, NodeId
from codemation.core.states import RunStatus
from codemation.host.overview import failed_item, failure, head, run_view, short, sources_of
from codemation.views.failures import FailureView, Frame
from codemation.views.lettering import clipped, one_line
from codemation.views.tables import preview

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

ROWS = 5
"""Rows of an output that are shown."""
FRAMES = 3
"""Of the user's own lines, how many of the last ones are shown."""


def show_outputs(handle: RunHandle, screen: Screen) -> None:
    """Show the beginning of everything that came out of a run."""
    for name in handle.definition.outputs:
        for line in output_lines(handle, name, screen.width):
            screen.show(line)


def output_lines(handle: RunHandle, name: str, width: int) -> list[str]:
    """The beginning of one output, under its name."""
    sources = sources_of(handle, name)
    results = [result for result in sources if result.count]
    values = [value for result in results for value in head(result, ROWS)][:ROWS]
    count = sum(result.count for result in sources)
    what = "row" if any(result.batch.kind == "table" for result in results) else "item"
    said = "output" if name == MAIN else f"output {name}"
    title = f"{click.style(said, bold=True)}  {count:,} {what}{'' if count == 1 else 's'}"
    lines = [f"  {line}" for line in table(preview(values, rows=ROWS), width - 2)]
    left = count - len(values)
    return [title, *lines, *([click.style(f"  … {left:,} more", dim=True)] if left else [])]


def say_end(handle: RunHandle, seconds: float, screen: Screen) -> None:
    """Say that a run has succeeded, how long it took, and how to look at it."""
    mark, name = click.style("✓", fg="green", bold=True), handle.definition.workflow
    screen.say(f"{mark} {name} succeeded in {readable(seconds)}   run {handle.id}")
    screen.say(click.style(f"  codemation runs show {short(handle.id)}", dim=True))


def say_cancelled(handle: RunHandle, screen: Screen) -> None:
    """Say that a run was cancelled, why, and how to go on all the same."""
    reason = f": {handle.reason}" if handle.reason else ""
    screen.say(f"{click.style('■', fg='magenta', bold=True)} run {handle.id} was cancelled{reason}")
    screen.say("\n".join(pairs({"go on all the same": f"codemation runs resume {short(handle.id)}"})))


def say_failure(handle: RunHandle, screen: Screen) -> None:
    """Say what went wrong: the user's own line first, then the item, then what to type next."""
    view = failure(handle)
    run = short(handle.id)
    mark, name = click.style("✗", fg="red", bold=True), handle.definition.workflow
    if view is None:
        screen.say(f"{mark} {name} failed: {handle.reason or 'nothing was recorded of why'}   run {handle.id}")
    else:
        attempts = f" after {view.attempts} attempts" if view.attempts > 1 else ""
        screen.say(f'{mark} {name} failed at "{view.node}"{attempts}   run {handle.id}')
        for line in failure_lines(view, handle, screen.width):
            screen.say(f"  {line}".rstrip())
    others = [node for node in handle.snapshot.failed() if view is None or node != view.node]
    if others:
        screen.say(f"  also failed: {', '.join(others)}")
    node = f" {view.node}" if view is not None else ""
    nexts = {
        "see it": f"codemation runs show {run}",
        "its log": f"codemation runs logs {run}{node}",
        "after the fix": f"codemation runs resume {run}",
    }
    screen.say("\n".join(pairs(nexts)))


def failure_lines(view: FailureView, handle: RunHandle, width: int) -> list[str]:
    """A failure in full."""
    own = [frame for frame in view.frames if not frame.library]
    shown = own[-FRAMES:] or list(view.frames[-1:])
    lines = [""]
    for frame in reversed(shown):
        lines += [click.style(_place(frame), fg="cyan"), f"    {one_line(frame.source)}"]
    first, *rest = [visible(line) for line in view.message.splitlines()] or [""]
    lines.append(click.style(f"{view.type}: {first}" if first else view.type, fg="red"))
    lines += [f"  {line}" for line in rest[:10]]
    lines += _item_lines(view, handle, width)
    return [*lines, ""]


def _item_lines(view: FailureView, handle: RunHandle, width: int) -> list[str]:
    """Which item failed, and what it looks like."""
    if view.item_index is None:
        return []
    item = failed_item(handle, NodeId(view.node), view.item_index)
    if item is None:
        return ["", f"item {view.item_index}"]
    shown = preview([item], columns=6, width=30)
    cells = zip(shown.columns, shown.rows[0], strict=True)
    facts = ", ".join(f"{name}={value}" for name, value in cells) + (", …" if shown.left_out_columns else "")
    return ["", clipped(f"item {view.item_index} ({item.key}): {facts}", width - 2)]


def _place(frame: Frame) -> str:
    path = Path(frame.file)
    file = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{file}:{frame.line}" + (f", in {frame.function}" if frame.function else "")


def show_json(handle: RunHandle, screen: Screen) -> None:
    """Show a run for programs, with everything that came out."""
    fresh = handle.app.attach(handle.id)
    screen.show_json(run_view(fresh, outputs=fresh.status is RunStatus.SUCCEEDED).to_json())
