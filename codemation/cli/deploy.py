"""`codemation deploy` and `codemation deployments`: which build of this app counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from codemation.cli.build import FOLDER, counted
from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.host.app import App
from codemation.host.builds import building, deploying
from codemation.host.builds.manifest import Manifest, differences
from codemation.host.identity import user
from codemation.host.settings import Settings
from codemation.views.lettering import one_line


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=FOLDER)
@click.option("--message", "-m", default="", metavar="TEXT", help="Why; it is kept with the deployment.")
@click.option("--build", "-b", "earlier", metavar="DIGEST", help="An earlier build instead, to go back to.")
@click.option("--force", is_flag=True, help="Also if it was built with another Python or other libraries.")
@click.pass_obj
def deploy(screen: Screen, /, folder: Path, message: str, **given: Any) -> None:
    """Let a build count from now on: what codemation build has written to FOLDER, build/ by default.

    New runs are started with it. Runs under way are finished with the code that they began with, by any worker.
    """
    settings = Settings.load()
    with App.open(settings) as app:
        before, latest = deploying.current_manifest(app.stores), app.stores.deployments.list(1)
        if given["earlier"]:
            deployed = deploying.roll_back(app.stores, given["earlier"], who=user(), message=message)
        else:
            made = building.read(settings.root / folder)
            deployed = deploying.deploy(app.stores, made, who=user(), message=message, force=given["force"])
        manifest = Manifest.read(app.stores.deployments.manifest(deployed.build))
    if latest and latest[0].id == deployed.id:
        screen.say(f"build {deployed.build[:12]} counts already, since {moment(deployed.at)}")
        return
    for line in differences(before, manifest) if before else [f"+ {name}" for name in manifest.workflows]:
        screen.show(line)
    what = f"build {deployed.build[:12]} with {counted(len(manifest.workflows), 'workflow')}"
    screen.say(f"{click.style('✓', fg='green', bold=True)} {what} counts from now on")


@click.group(cls=Group)
def deployments() -> None:
    """See which builds have been deployed."""


@deployments.command("list")
@click.option("--limit", "-n", type=click.IntRange(1, 50), default=20, show_default=True, help="At most so many.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, limit: int, as_json: bool) -> None:
    """List deployments, the latest first; that one counts."""
    with opened() as app:
        found = app.stores.deployments.list(limit)
    if as_json:
        screen.show_json(
            [
                {
                    "id": one.id,
                    "build": one.build,
                    "at": one.at.isoformat(),
                    "who": one.who,
                    "message": one.message,
                    "counts": one is found[0],
                }
                for one in found
            ]
        )
        return
    rows = [
        (
            click.style("✓", fg="green") if one is found[0] else "",
            one.build[:12],
            moment(one.at),
            one.who,
            one_line(one.message),
        )
        for one in found
    ]
    for line in columns(rows, ("", "build", "since", "who", "message"), screen.width, firm=(0, 1, 2)) if rows else []:
        screen.show(line)
    if not rows:
        screen.say("nothing has been deployed; build and deploy: codemation build && codemation deploy")


def _mark(counts: bool) -> str:
    return click.style("✓", fg="green") if counts else ""
