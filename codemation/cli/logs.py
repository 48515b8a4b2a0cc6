"""`codemation runs logs`: what nodes have printed and logged, and what they print now."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from codemation.cli.history import log_lines
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, status_text
from codemation.core.ids import NodeId
from codemation.core.ports import LogLine
from codemation.core.states import FINISHED
from codemation.host.alone import LEFT_ALONE, left_alone
from codemation.host.naming import find_run, known_node, short
from codemation.views.records import plain

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle

PAUSE = 0.5
"""Seconds between two looks at what is new."""
AT_ONCE = 5_000
"""Lines that are read at a time."""
LOOKS = 10
"""Of so many looks one asks whether anybody works on the run."""


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is said from now on, until the run is over.")
@click.option(
    "--tail",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="At most the last N lines; those that follow do not count.",
)
@as_json
@click.pass_obj
def logs(screen: Screen, /, run: str, node: str | None, tail: int, **given: bool) -> None:
    """Show what the nodes of a run, or one of them, have printed and logged.

    With --follow Ctrl-C ends the following, and never the run. With --follow --json each line is a JSON object.
    """
    with opened() as app:
        handle = app.attach(find_run(app, run))
        chosen = known_node(handle, node) if node else None
        lines = app.stores.logs.read(handle.id, chosen, tail)
        if given["follow"]:
            show = _shower(screen, handle, as_json=given["as_json"], with_node=node is None)
            _follow(handle, chosen, lines, show, screen)
            return
    if given["as_json"]:
        screen.show_json(plain(lines))
        return
    for line in log_lines(lines, with_node=node is None):
        screen.show(line)
    if not lines:
        screen.say("nothing was printed or logged")


def _shower(screen: Screen, handle: RunHandle, *, as_json: bool, with_node: bool) -> Callable[[LogLine], None]:
    """Shows one line, in columns that stay where they are whatever comes."""
    room = max(map(len, handle.definition.plan.nodes))

    def show(line: LogLine) -> None:
        if as_json:
            screen.show(json.dumps(plain(line), ensure_ascii=screen.out.ascii_only))
            return
        for text in log_lines([line], with_node=with_node, room=room):
            screen.show(text)

    return show


def _follow(
    handle: RunHandle, node: NodeId | None, lines: Sequence[LogLine], show: Callable[[LogLine], None], screen: Screen
) -> None:
    """Show lines, and what comes after them, until the run is over or nobody works on it."""
    try:
        for line in itertools.chain(lines, _following(handle, node, lines[-1].number if lines else 0)):
            show(line)
    except KeyboardInterrupt:
        screen.say(f"no longer following run {handle.id}, which goes on")
        return
    if (status := handle.status) in FINISHED:
        screen.say(f"{status_text(status.value)}   run {handle.id}")
    else:
        screen.say(f"{LEFT_ALONE}: codemation runs resume {short(handle.id)}")


def _following(handle: RunHandle, node: NodeId | None, cursor: int) -> Iterator[LogLine]:
    """Every line after the one with this number, as it comes."""
    read = handle.app.stores.logs.read
    with handle.app.bus.subscribe(handle.id) as news:
        for look in itertools.count():
            ended = handle.status in FINISHED  # looked at first: what is said before the end is read after this
            while lines := read(handle.id, node, AT_ONCE, after=cursor):
                yield from lines
                cursor = lines[-1].number
            if ended or (look % LOOKS == 0 and left_alone(handle.app, [handle.id])):
                return
            news.next(PAUSE)  # lines that are said within an activation come without news
