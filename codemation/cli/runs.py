"""`codemation runs`: look at runs, resume, replay and cancel them."""

from __future__ import annotations

from typing import Any

import click

from codemation.cli.commands import Group
from codemation.cli.driving import Manner, drive
from codemation.cli.export import export
from codemation.cli.history import list_lines, show_lines
from codemation.cli.logs import logs
from codemation.cli.opening import opened
from codemation.cli.questions import as_json, diff, trace, why
from codemation.cli.replay import replay
from codemation.cli.screen import Screen
from codemation.cli.target import code_of_run
from codemation.cli.waits import waits
from codemation.cli.watching import watch as watched
from codemation.core.ids import RunId
from codemation.core.ports import Within
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.builds.loading import provide_builds
from codemation.host.handles import RunHandle
from codemation.host.identity import user
from codemation.host.naming import find_run, short
from codemation.host.overview import list_runs, run_view
from codemation.host.settings import Settings

MOST_HIDDEN = 10_000
"""Runs that are counted, of those that a list leaves out."""


@click.group(cls=Group)
def runs() -> None:
    """Look at runs, resume and cancel them.

    RUN is the id of a run, its beginning or its end as long as that is unmistakable, or last.
    """


@runs.command("list")
@click.option("--workflow", "-w", metavar="ID", help="Only runs of this workflow.")
@click.option(
    "--status",
    "-s",
    "statuses",
    type=click.Choice([status.value for status in RunStatus]),
    multiple=True,
    help="Only runs that stand so. May be repeated.",
)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="At most so many, the youngest first.",
)
@click.option("--before", metavar="RUN", help="Only runs that are older than this one.")
@click.option("--children", is_flag=True, help="Also runs that work for others.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, workflow: str | None, statuses: tuple[str, ...], limit: int, **given: Any) -> None:
    """List runs, youngest first."""
    with opened() as app:
        before = find_run(app, given["before"]) if given["before"] else None
        chosen, within = [RunStatus(status) for status in statuses], Within(children=given["children"])
        stores = app.stores.runs
        found = stores.page(workflow=workflow, statuses=chosen, within=within, before=before, limit=limit)
        span = before, found[-1].id if len(found) == limit else None
        hide = not given["children"]
        hidden = stores.hidden(workflow=workflow, statuses=chosen, between=span, most=MOST_HIDDEN) if hide else 0
        rows = list_runs(app, found)
    if given["as_json"]:
        screen.show_json([row.to_json() for row in rows])
        return
    for line in list_lines(rows, screen.width):
        screen.show(line)
    if hidden:
        so_many = f"{hidden:,} or more" if hidden == MOST_HIDDEN else f"{hidden:,}"
        runs_that = "run that works for another is" if hidden == 1 else "runs that work for others are"
        screen.say(click.style(f"{so_many} {runs_that} left out; with them: --children", dim=True))
    if not rows and not hidden:
        screen.say("no run fits; run one: codemation run WORKFLOW")
    elif len(rows) == limit:
        screen.say(click.style(f"older ones: codemation runs list --before {short(rows[-1].id)}", dim=True))


@runs.command()
@click.argument("run")
@click.option("--watch", "-w", is_flag=True, help="First show how it goes on, until it is over.")
@as_json
@click.pass_obj
def show(screen: Screen, run: str, *, watch: bool, as_json: bool) -> None:
    """Show a run: its nodes, what was asked for, what came out or went wrong.

    With --watch Ctrl-C ends the watching, and never the run.
    """
    with opened() as app:
        handle = app.attach(find_run(app, run))
        if watch:
            watched(handle, screen, quiet=as_json)
        if as_json:
            screen.show_json(run_view(handle, outputs=handle.status is RunStatus.SUCCEEDED).to_json())
            return
        for line in show_lines(handle, screen.width):
            screen.show(line)


for command in (logs, waits, why, trace, diff, export):
    runs.add_command(command)


@runs.command()
@click.argument("run")
@click.option("--with-changes", is_flag=True, help="Go on with the code as it is now, although it has changed.")
@click.option("--code", metavar="FILE", help="Where the workflow is, if it is not in the app: jobs.py or jobs.py:name.")
@click.option("--json", "as_json", is_flag=True, help="Write the run and what came out of it as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show only what came out.")
@click.pass_context
def resume(ctx: click.Context, /, run: str, with_changes: bool, code: str | None, **given: bool) -> None:
    """Go on with a run that failed, was cancelled or interrupted.

    What has succeeded is not repeated, down to the single items of a node that works on one at a time.
    """
    settings = Settings.load()

    def begin(app: App) -> RunHandle:
        wanted = find_run(app, run)
        provide_builds(app)
        workflow = code_of_run(app.attach(wanted), code, settings, with_changes=with_changes)
        return app.resume(wanted, workflow, with_changes=with_changes, who=user())

    screen = ctx.find_object(Screen) or Screen.here()
    ctx.exit(drive(settings, screen, Manner(quiet=given["quiet"], json=given["as_json"]), begin))


runs.add_command(replay)


@runs.command()
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept with the run.")
@click.pass_obj
def cancel(screen: Screen, run: str, reason: str) -> None:
    """Cancel a run.

    No node of it starts any more, and those at work are told to stop. What has finished is kept.
    """
    with opened() as app:
        wanted: RunId = find_run(app, run)
        if (status := app.attach(wanted).status) in FINISHED:
            screen.say(f"run {wanted} is over already: {status}")
            return
        app.cancel(wanted, who=user(), reason=reason)
        view = run_view(app.attach(wanted))
    said = "is cancelled" if view.row.status == RunStatus.CANCELLED else "will be cancelled when its nodes have stopped"
    screen.say(f"run {wanted} {said}")
