"""`codemation trigger`: fire a trigger by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from codemation.cli.driving import Manner, drive
from codemation.cli.screen import Screen
from codemation.cli.target import found_workflow
from codemation.cli.times import time_from
from codemation.cli.troubles import Refused
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.naming import find_run
from codemation.host.settings import Settings
from codemation.host.triggers.arms import KnownTrigger, by_number, known_triggers
from codemation.host.triggers.by_hand import FEEDS, fire_after, fire_item, fire_tick


@click.command()
@click.argument("workflow")
@click.option("--trigger", "number", type=int, metavar="N", help="Which of its triggers, from 1, if it has several.")
@click.option("--at", metavar="TIME", help="Of a schedule: the tick, as 2026-03-01T06:00; now, if none is given.")
@click.option("--item", metavar="JSON", help="Of a webhook, a poll or files: the item.")
@click.option("--run", metavar="RUN", help="Of one that follows other runs: the run.")
@click.option("--json", "as_json", is_flag=True, help="Write the run and what came out of it as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show only what came out.")
@click.pass_context
def trigger(ctx: click.Context, /, workflow: str, number: int | None, **given: Any) -> None:
    """Fire a trigger of WORKFLOW by hand, whether it is armed or not.

    The run is the one that the trigger would have started: with the same params and under the same key, so that a tick
    which has its run is not run again.
    """
    settings = Settings.load()
    known = by_number(known_triggers(found_workflow(workflow, settings)), number)
    item = _item(given["item"])
    at = datetime.now(UTC).replace(microsecond=0) if given["at"] is None else time_from(given["at"], known)

    def begin(app: App) -> RunHandle:
        return _fired(app, known, at, item, given)

    screen = ctx.find_object(Screen) or Screen.here()
    ctx.exit(drive(settings, screen, Manner(quiet=given["quiet"], json=given["as_json"]), begin))


def _fired(app: App, known: KnownTrigger, at: datetime, item: Any, given: dict[str, Any]) -> RunHandle:
    app.work()
    if given["run"] is not None:
        return fire_after(app, known, find_run(app, given["run"]))
    if given["item"] is not None:
        return fire_item(app, known, item)
    if known.arm.kind in FEEDS:
        raise Refused(f"{known.trigger.spelling} follows another run", way_out="say which: --run RUN")
    return fire_tick(app, known, at)


def _item(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(f"the item is not JSON: {error}", way_out="""for example --item '{"id": 7}'""") from None
