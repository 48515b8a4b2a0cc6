"""`codemation runs why`, `diff` and `trace`: what a run says when it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from codemation.cli.opening import opened
from codemation.cli.screen import COLOURS, Screen, columns, visible
from codemation.cli.troubles import Refused
from codemation.core.differing import Diff
from codemation.core.explaining import Why
from codemation.core.ids import AGAIN, ERROR, RunId
from codemation.core.lineage import Place, Trace
from codemation.core.mistakes import meant
from codemation.core.pins import pin_key, split_key
from codemation.host.naming import FULL_ID, find_run, known_node, short
from codemation.host.overview import json_of
from codemation.views.lettering import clipped, one_line

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle
    from codemation.host.results import ResultHandle

as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
_WHATS = {"ran": "succeeded", "failed": "failed", "due": "due", "waits": "waiting"}


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@as_json
@click.pass_obj
def why(screen: Screen, run: str, node: str | None, as_json: bool) -> None:
    """Say for each node of a run, or for one, why it ran, will run, or does not.

    What a node gave may be of an earlier run: it was pinned, cached, or taken over by a replay.
    """
    with opened() as app:
        handle = app.attach(find_run(app, run))
        answers = handle.why()
        if node is not None:
            answer = answers[known_node(handle, node)]
            if as_json:
                screen.show_json(json_of(answer))
            else:
                screen.show(f"{click.style(answer.node, bold=True)} {_what(answer)}: {_told(answer)}")
            return
    if as_json:
        screen.show_json([json_of(one) for one in answers.values()])
        return
    rows = [(one.node, _what(one), one_line(_with_short_ids(one.because))) for one in answers.values()]
    for line in columns(rows, ("node", "what", "because"), screen.width, firm=(1,)):
        screen.show(line)


def _what(answer: Why) -> str:
    return click.style(answer.what, fg=COLOURS.get(_WHATS.get(answer.what, "")))


def _told(answer: Why) -> str:
    """The reason in full, whatever lines it has."""
    return "\n  ".join(map(visible, _with_short_ids(answer.because).splitlines()))


def _with_short_ids(text: str) -> str:
    """The text with runs as they may be typed."""
    return re.sub(FULL_ID, lambda found: short(RunId(found[0])), text)


@click.command()
@click.argument("run")
@click.argument("other")
@as_json
@click.pass_obj
def diff(screen: Screen, run: str, other: str, as_json: bool) -> None:
    """Show what differs between two runs: params, code, columns, rows and timing.

    Rows are matched by a column that names them, such as id. What is the same is not shown.
    """
    with opened() as app:
        first, second = (app.attach(find_run(app, wanted)) for wanted in (run, other))
        found = first.diff(second)
    if as_json:
        screen.show_json({"nothing": found.nothing, **json_of(found)})
        return
    for line in _diff_lines(found, screen.width):
        screen.show(line)


def _diff_lines(found: Diff, width: int) -> Iterator[str]:
    before, after = found.statuses
    yield f"{short(RunId(found.before))} ({before}) → {short(RunId(found.after))} ({after})"
    for line in found.lines()[1:]:
        title = not line.startswith(" ")
        yield click.style(line, bold=True) if title else _coloured(clipped(visible(line), width))


def _coloured(line: str) -> str:
    """A line of a difference, in the colour of what was added or taken away."""
    colours = {"+": "green", "-": "red"}
    return click.style(line, fg=colours.get(line.lstrip()[:1]))


@click.command()
@click.argument("run")
@click.argument("node")
@click.argument("key")
@as_json
@click.pass_obj
def trace(screen: Screen, run: str, node: str, key: str, as_json: bool) -> None:
    """Show what an item that NODE gave came from, and what became of it.

    KEY is the position of the item, from 0, or its key, such as price:3. Of a node with several ports say which:
    check@valid.
    """
    with opened() as app:
        handle = app.attach(find_run(app, run))
        found = _port_of(handle, node, key, run).trace(key)
        if as_json:
            screen.show_json(_trace_json(found))
            return
        for line in str(found).splitlines():
            screen.show(clipped(visible(line), screen.width))


def _port_of(handle: RunHandle, wanted: str, key: str, run: str) -> ResultHandle:
    """The port of a node that is meant: the one that is named, or the only one that leads on.

    Raises:
        Refused: there are several, or there is no such port.
    """
    name, port = split_key(wanted)
    node = known_node(handle, name)
    ports = handle.definition.plan.nodes[node].ports
    leading = [one for one in ports if one not in (ERROR, AGAIN)]
    if port is None and len(leading) == 1:
        port = leading[0]
    if port is None:
        ways = " or ".join(f"codemation runs trace {run} {pin_key(node, one)} {key}" for one in leading[:3])
        raise Refused(f'"{node}" gives to {len(leading)} ports, and none was named', way_out=ways)
    if port not in ports:
        raise Refused(f'"{node}" has no port {port!r}', way_out=meant(port, ports, f"it has {', '.join(ports)}"))
    if not handle[node][port].count:
        raise Refused(f'"{pin_key(node, port)}" gave nothing', way_out=f"codemation runs why {run} {node}")
    return handle[node][port]


def _trace_json(found: Trace) -> dict[str, Any]:
    return {
        "item": _place(found, found.item),
        "came_from": _edges(found, found.origins, "from"),
        "became": _edges(found, found.results, "to"),
        "ends": {place.key: list(words) for place, words in found.ends.items()},
    }


def _edges(found: Trace, edges: Mapping[Place, tuple[Place, ...]], word: str) -> list[dict[str, Any]]:
    """Each place on the way, nearest first, with those that it leads to."""
    return [{**_place(found, place), word: [one.key for one in leads]} for place, leads in edges.items()]


def _place(found: Trace, place: Place) -> dict[str, Any]:
    return {
        "key": place.key,
        "node": place.node,
        "port": place.port,
        "position": place.position,
        "of": place.count,
        "held": found.values(place),
    }
