"""`codemation backfill`: runs for the ticks of a time that have none."""

from __future__ import annotations

from collections import Counter

import click

from codemation.cli.interruption import Interruption
from codemation.cli.screen import Screen, status_text
from codemation.cli.target import found_workflow
from codemation.cli.times import time_from
from codemation.cli.troubles import Exit
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.identity import user_at_host
from codemation.host.naming import short
from codemation.host.settings import Settings
from codemation.host.triggers.arms import by_number, known_triggers
from codemation.host.triggers.backfill import Filled, Gap, gap
from codemation.host.triggers.backfill import backfill as filled

SHOWN = 20
"""Ticks that are listed by a dry run."""


@click.command()
@click.argument("workflow")
@click.option("--from", "since", required=True, metavar="TIME", help="The first tick is at this time or after it.")
@click.option("--to", "until", required=True, metavar="TIME", help="The last tick is before this time.")
@click.option("--trigger", "number", type=int, metavar="N", help="Which of its schedules, if it has several.")
@click.option("--concurrency", type=click.IntRange(1, 1000), default=1, show_default=True, help="Runs at a time.")
@click.option("--dry-run", is_flag=True, help="Show the ticks, and start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def backfill(ctx: click.Context, /, workflow: str, since: str, until: str, **given: int | bool | None) -> None:
    """Start a run for each tick of WORKFLOW's schedule in a time that has none.

    A tick that has its run is left alone, so the same command goes on where it was interrupted. Times without a zone
    are meant in that of the schedule.
    """
    settings, screen = Settings.load(), ctx.find_object(Screen) or Screen.here()
    number = given["number"]
    triggers = known_triggers(found_workflow(workflow, settings))
    known = by_number(triggers, None if number is None else int(number), wanted="cron every")
    interruption = Interruption()
    with interruption.heard():
        try:
            with App.open(settings) as app:
                app.who = f"cli {user_at_host()}"
                found = gap(app, known, time_from(since, known), time_from(until, known))
                if given["dry_run"]:
                    _plan(found, screen, as_json=bool(given["as_json"]))
                    return
                done = _fill(app, found, int(given["concurrency"] or 1), screen)
        except KeyboardInterrupt:
            screen.say(f"{click.style('‖', fg='yellow', bold=True)} interrupted; the same command does the rest")
            ctx.exit(interruption.exit)
    _sum_up(found, done, screen, as_json=bool(given["as_json"]))
    ctx.exit(Exit.OK if all(one.status is RunStatus.SUCCEEDED for one in done) else Exit.FAILED)


def _plan(found: Gap, screen: Screen, *, as_json: bool) -> None:
    if as_json:
        screen.show_json({"ticks": [at.isoformat() for at in found.missing], "have_runs": found.there})
        return
    for at in found.missing[:SHOWN]:
        screen.show(at.isoformat())
    if len(found.missing) > SHOWN:
        screen.show(click.style(f"… {len(found.missing) - SHOWN:,} more", dim=True))
    screen.say(f"{len(found.missing):,} ticks would be run; {found.there:,} have their run")


def _fill(app: App, found: Gap, concurrency: int, screen: Screen) -> list[Filled]:
    def tell(one: Filled) -> None:
        run = "its run is to be started" if one.run is None else f"run {short(one.run)}"
        screen.say(click.style(f"{one.at.isoformat()}  {run}", dim=True))

    done = []
    for one in filled(app, found, concurrency, tell):
        done.append(one)
        said = one.error or (status_text(one.status) if one.status else "pruned")
        screen.say(f"{one.at.isoformat()}  {said}")
    return done


def _sum_up(found: Gap, done: list[Filled], screen: Screen, *, as_json: bool) -> None:
    if as_json:
        rows = [{"at": one.at.isoformat(), "run": one.run, "status": one.status, "error": one.error} for one in done]
        screen.show_json({"ticks": rows, "had_runs": found.there})
        return
    counts = Counter("without a run" if one.error else str(one.status) for one in done)
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing was missing"
    screen.say(f"{said}; {found.there:,} had their run before")
