"""`codemation prune`: delete the runs whose time is over."""

from __future__ import annotations

import click

from codemation.cli.opening import opened
from codemation.cli.screen import Screen, columns
from codemation.core.ports import Outdated
from codemation.views.records import plain


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_obj
def prune(screen: Screen, /, dry_run: bool, as_json: bool) -> None:
    """Delete the runs whose time is over.

    How long a run is kept was settled when it started: by its workflow, or by the settings keep_succeeded and
    keep_failed. A run that is not over is never deleted. An app that is at work prunes by itself once an hour.
    """
    with opened() as app:
        found = app.stores.pruning.outdated()
        gone = 0 if dry_run else app.upkeep.pruner.prune()
    if as_json:
        screen.show_json({"outdated": plain(found), "deleted": gone})
        return
    heads = ("workflow", "outcome", "runs", "the first ended")
    for line in columns(_rows(found), heads, screen.width, right=(2,)) if found else ():
        screen.show(line)
    if dry_run:
        total = sum(one.runs for one in found)
        screen.say(f"{total} runs would be deleted" if total else "there is nothing to delete")
    else:
        screen.say(f"{click.style('✓', fg='green')} {gone} runs deleted" if gone else "there was nothing to delete")


def _rows(found: tuple[Outdated, ...]) -> list[tuple[str, ...]]:
    return [(one.workflow, one.status, str(one.runs), f"{one.oldest:%Y-%m-%d %H:%M}") for one in found]
