"""What a run came to, for people: what came out, or what went wrong and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codemation.cli.screen import Screen, pairs, visible
from codemation.cli.screen import table as table_lines
from codemation.core.durations import readable
from codemation.core.ids import MAIN, NodeId
from codemation.core.pins import pin_key
from codemation.core.standing import UNWANTED
from codemation.core.states import RunStatus
from codemation.host.naming import short
from codemation.host.overview import failed_item, failure, head, run_view, sources_of
from codemation.views.failures import FailureView, Frame
from codemation.views.lettering import clipped, one_line
from codemation.views.tables import preview

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle
    from codemation.host.results import ResultHandle

ROWS = 5
"""Rows of an output that are shown."""
FRAMES = 3
"""Of the user's own lines, how many of the last ones are shown."""


def show_outputs(handle: RunHandle, screen: Screen) -> None:
    """Show the beginning of everything that came out of a run; of a part of one, what its last nodes gave."""
    for line in outputs_lines(handle, screen.width):
        screen.show(line)


def outputs_lines(handle: RunHandle, width: int) -> list[str]:
    """The beginning of everything that came out of a run."""
    known, plan = handle.snapshot, handle.definition.plan
    out = {node for node, record in known.nodes.items() if record.how == UNWANTED}
    lines = [
        line
        for name, sources in handle.definition.outputs.items()
        if not out.issuperset(source.node for source in sources)
        for line in output_lines(handle, name, width)
    ]
    behind = {node: plan.followers.get(node, ()) for node in plan.nodes if node not in out}
    for node in [node for node, after in behind.items() if after and out.issuperset(after)]:
        for port in plan.nodes[node].ports:
            lines += result_lines(pin_key(node, port), [handle[node][port]], width)
    return lines


def output_lines(handle: RunHandle, name: str, width: int) -> list[str]:
    """The beginning of one output, under its name."""
    return result_lines("output" if name == MAIN else f"output {name}", sources_of(handle, name), width)


def result_lines(title: str, sources: list[ResultHandle], width: int) -> list[str]:
    """The beginning of what some ports held together."""
    results = [result for result in sources if result.count]
    values = [value for result in results for value in head(result, ROWS)][:ROWS]
    table = any(result.batch.kind == "table" for result in results)
    return value_lines(title, values, sum(result.count for result in sources), width, table=table)


def value_lines(title: str, values: Sequence[Any], count: int, width: int, *, table: bool = False) -> list[str]:
    """The first values of so many, under a title."""
    what = ("row" if table else "item") + ("" if count == 1 else "s")
    lines = [f"  {line}" for line in table_lines(preview(values, rows=ROWS), width - 2)]
    left = count - len(values)
    more = [click.style(f"  … {left:,} more", dim=True)] if left else []
    return [f"{click.style(title, bold=True)}  {count:,} {what}", *lines, *more]


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
