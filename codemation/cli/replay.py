"""`codemation runs replay`: a part of a run again, as a new run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codemation.cli.driving import Manner, drive
from codemation.cli.options import others_from
from codemation.cli.screen import Screen
from codemation.cli.target import workflow_of_run
from codemation.host.naming import find_run
from codemation.host.replays import Wish
from codemation.host.replays import replay as begun
from codemation.host.settings import Settings

if TYPE_CHECKING:
    from codemation.host.app import App
    from codemation.host.handles import RunHandle

pins_option = click.option(
    "--pins",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Take from here what nodes give, and do not run them.",
)


_HELP = """\
Do a run again, or a part of it, as a new run with the same params and input.

\b
  codemation runs replay last --from clean      clean, and what follows it
  codemation runs replay last --to clean        clean alone
  codemation runs replay last --param rate=0.3  what sees rate, or has failed
  codemation runs replay last                   everything

What stands as it was is taken over from RUN, which stays as it is. NODE is the id of a node, its title, or the name
of its function or piece.
"""


@click.command(help=_HELP)
@click.argument("run")
@click.option("--from", "from_", multiple=True, metavar="NODE", help="Begin at this node. May be repeated.")
@click.option("--to", multiple=True, metavar="NODE", help="Run nothing that this node does not need. May be repeated.")
@click.option(
    "--param",
    "others",
    multiple=True,
    metavar="NAME=VALUE",
    help="Give a param another value; what sees it is done again. May be repeated.",
)
@pins_option
@click.option("--code", metavar="FILE", help="Where the workflow is, if it is not in the app: jobs.py or jobs.py:name.")
@click.option("--json", "as_json", is_flag=True, help="Write the new run and what came out of it as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show only what came out.")
@click.pass_context
def replay(ctx: click.Context, /, run: str, **given: Any) -> None:
    """Do a run again, or a part of it, as a new run with the same params and input."""
    settings = Settings.load()

    def begin(app: App) -> RunHandle:
        source = app.attach(find_run(app, run))
        workflow = workflow_of_run(source.definition.workflow, given["code"], settings)
        others = others_from(workflow.params, given["others"]) if given["others"] else None
        wish = Wish(from_=list(given["from_"]), to=list(given["to"]), pins=given["pins"], params=others)
        return begun(app, source, workflow, wish)

    screen = ctx.find_object(Screen) or Screen.here()
    ctx.exit(drive(settings, screen, Manner(quiet=given["quiet"], json=given["as_json"]), begin))
