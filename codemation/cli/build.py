"""`codemation build`: freeze the workflows of this app, with the code that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from codemation.cli.opening import settings_of_existing
from codemation.cli.screen import Screen, columns
from codemation.cli.troubles import Exit
from codemation.host.app import App
from codemation.host.builds.building import Build, last_manifest, write
from codemation.host.builds.building import build as built
from codemation.host.builds.deploying import current_manifest
from codemation.host.builds.manifest import Manifest, differences
from codemation.host.catalog import Problem
from codemation.host.settings import Settings

FOLDER = Path("build")


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where it is written, seen from the app.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail if something is wrong, or differs from the last build."
)
@click.option("--deployed", is_flag=True, help="With --check: compare with what is deployed in the database instead.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def build(ctx: click.Context, /, output: Path, check: bool, deployed: bool, as_json: bool) -> None:
    """Check all workflows of this app and freeze them, with the code that they are made of.

    The same files give the same build, byte for byte, wherever and whenever. codemation deploy lets it count.
    """
    screen: Screen = ctx.obj
    settings = Settings.load()
    made = built(settings)
    folder = settings.root / output
    before = _before(folder, deployed=deployed) if check else None
    changes = [] if before is None else list(differences(before, made.manifest))
    stale = check and (before is None or before.digest != made.manifest.digest)
    if not (check or made.problems):
        write(made, folder)
    if as_json:
        screen.show_json(_json(made, changes, folder))
    else:
        tell_problems(screen, made.problems)
        if not made.problems:
            _tell(screen, made.manifest, None if check else output)
        if check:
            _tell_check(screen, changes, before, made)
    ctx.exit(Exit.USAGE if made.problems else Exit.FAILED if stale else Exit.OK)


def tell_problems(screen: Screen, problems: Sequence[Problem]) -> None:
    """Say all that is wrong with an app."""
    for problem in problems:
        screen.say(f"{click.style('✗', fg='red', bold=True)} {problem.file}: {problem.message}")
        for line in problem.detail.splitlines():
            screen.say(f"  {line}")
    if problems:
        screen.say(f"nothing was built: {counted(len(problems), 'problem')}")


def counted(number: int, what: str) -> str:
    """So many of something, in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _before(folder: Path, *, deployed: bool) -> Manifest | None:
    if not deployed:
        return last_manifest(folder)
    with App.open(settings_of_existing()) as app:
        return current_manifest(app.stores)


def _tell(screen: Screen, manifest: Manifest, written: Path | None) -> None:
    rows = [
        (
            name,
            str(len(entry.definition["nodes"]) - 1),
            entry.digest[:12],
            str(len(manifest.bundles[entry.bundle])),
            entry.file,
        )
        for name, entry in manifest.workflows.items()
    ]
    for line in columns(
        rows, ("workflow", "nodes", "digest", "files", "written in"), screen.width, right=(1, 3), firm=(2,)
    ):
        screen.show(line)
    if written is not None:
        said = f"build {manifest.digest[:12]} is in {written}/"
        screen.say(f"{click.style('✓', fg='green', bold=True)} {said}; let it count with: codemation deploy")


def _tell_check(screen: Screen, changes: Sequence[str], before: Manifest | None, made: Build) -> None:
    if made.problems:
        return
    if before is None:
        screen.say(f"{click.style('✗', fg='red', bold=True)} there is nothing to compare with yet")
        screen.say(f"{click.style('→', fg='cyan')} codemation build, or codemation deploy and --check --deployed")
    elif before.digest == made.manifest.digest:
        screen.say(f"{click.style('✓', fg='green', bold=True)} build {before.digest[:12]} is up to date")
    else:
        screen.say(f"{click.style('✗', fg='red', bold=True)} build {before.digest[:12]} is out of date:")
        for line in changes:
            screen.say(f"  {line}")


def _json(made: Build, changes: Sequence[str], folder: Path) -> dict[str, object]:
    manifest = made.manifest
    return {
        "build": manifest.digest,
        "folder": str(folder),
        "workflows": [
            {"id": name, "digest": entry.digest, "file": entry.file, "bundle": entry.bundle}
            for name, entry in manifest.workflows.items()
        ],
        "problems": [{"file": str(one.file), "message": one.message, "detail": one.detail} for one in made.problems],
        "changes": list(changes),
    }
