"""`codemation runs waits`: what runs wait for, for whom, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.core.durations import readable
from codemation.host.asking import RunWait, open_waits
from codemation.host.awaiting import what_of
from codemation.host.naming import find_run, short
from codemation.host.overview import json_of
from codemation.views.lettering import one_line

limit_option = click.option(
    "--limit",
    "-n",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="At most so many, the most pressing first.",
)


@click.command()
@click.argument("run", required=False)
@limit_option
@as_json
@click.pass_obj
def waits(screen: Screen, run: str | None, limit: int, as_json: bool) -> None:
    """Show what runs wait for, for whom, and until when.

    Without RUN what all runs wait for, the most pressing first.
    """
    with opened() as app:
        found = open_waits(app, None, limit) if run is None else app.attach(find_run(app, run)).waits[:limit]
    show_waits(screen, found, as_json=as_json, of_one=run is not None, nothing="nothing is waited for")
    if not as_json:
        for line in answer_lines(found):
            screen.say(line)


def show_waits(  # noqa: PLR0913 - each by its name
    screen: Screen, waits: Sequence[RunWait], *, as_json: bool, of_one: bool, nothing: str, items: Sequence[str] = ()
) -> None:
    """Show waits as a list or as JSON; `nothing` is said where there are none, `items` what each is about."""
    if as_json:
        texts: list[dict[str, str]] = [{"item_text": text} for text in items] or [{}] * len(waits)
        screen.show_json([{**wait_json(wait), **text} for wait, text in zip(waits, texts, strict=True)])
        return
    for line in wait_lines(waits, screen.width, of_one=of_one, items=items):
        screen.show(line)
    if not waits:
        screen.say(nothing)


def wait_lines(waits: Sequence[RunWait], width: int, *, of_one: bool = False, items: Sequence[str] = ()) -> list[str]:
    """A list of waits; columns that would say nothing are left out, and the run if it is the same anyway."""
    if not waits:
        return []
    rows = [_of_one(wait) if of_one else _of_many(wait) for wait in waits]
    rows = [{**row, "about": text} for row, text in zip(rows, items, strict=True)] if items else rows
    heads = [head for head in rows[0] if any(row[head] for row in rows)]
    firm = [at for at, head in enumerate(heads) if head in ("run", "item", "left", "until")]
    return columns([[row[head] for head in heads] for row in rows], heads, width, firm=firm)


def answer_lines(waits: Sequence[RunWait]) -> list[str]:
    """What to type to answer."""
    kinds, run = {wait.kind for wait in waits}, short(waits[0].run) if len({wait.run for wait in waits}) == 1 else "RUN"
    ways = []
    if "approval" in kinds:
        ways.append(f"decide: codemation approvals approve {run} NODE --item N (or reject)")
    if "event" in kinds:
        ways.append("tell what happened: codemation events send NAME KEY JSON")
    return [click.style(way, dim=True) for way in ways]


def _of_many(wait: RunWait) -> dict[str, str]:
    left = "" if wait.due_at is None else _left((wait.due_at - datetime.now(UTC)).total_seconds())
    return {"run": short(wait.run), "workflow": wait.workflow, **_asked(wait), "left": left}


def _of_one(wait: RunWait) -> dict[str, str]:
    return {**_asked(wait), "until": "" if wait.due_at is None else moment(wait.due_at)}


def _asked(wait: RunWait) -> dict[str, str]:
    return {
        "node": wait.node,
        "item": "" if wait.item is None else str(wait.item),
        "waits for": one_line(what_of(wait)),
        "of": one_line(", ".join(wait.to)),
    }


def _left(seconds: float) -> str:
    """How long there is still, roughly."""
    days, rest = divmod(max(0.0, seconds), 86_400)
    return f"{days:.0f}d {rest // 3600:.0f}h" if days >= 2 else readable(max(0.0, seconds))


def wait_json(wait: RunWait) -> dict[str, Any]:
    """A wait for programs."""
    return {"id": wait.id, "node": wait.node, "item": wait.item, **json_of(wait)}
