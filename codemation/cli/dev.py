"""`codemation dev`: everything in one place while workflows are written."""

from __future__ import annotations

from typing import Any

import click

from codemation.cli.screen import Screen
from codemation.cli.troubles import Refused
from codemation.host.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="NAME", help="Address to listen at.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The next free one, if taken."
)
@click.option("--production", is_flag=True, help="Rehearse production: a web process, two workers, a Redis.")
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1, 32), help="With --production: how many."
)
@click.option("--no-triggers", is_flag=True, help="Arm no triggers; what was activated starts runs all the same.")
@click.pass_obj
def dev(screen: Screen, /, host: str, port: int, production: bool, **given: Any) -> None:
    """Work on the workflows of this app: they run here, behind HTTP, and are reloaded when a file is saved.

    What is broken is shown, and changes nothing: the last good version goes on. Runs under way are finished with the
    code that they began with. Triggers are armed as they are written, for as long as this goes on. Ctrl-C ends
    everything.

    With --production the same app runs as a fleet would run it: with processes of their own for the web and for
    workers, over a Redis that comes and goes with them. What has died is started again.
    """
    settings = Settings.load()
    try:
        from codemation.cli import developing, rehearsing  # noqa: PLC0415 - needs the extra `dev`
    except ModuleNotFoundError as error:
        raise Refused(
            f"codemation dev needs {error.name}, which is not installed", way_out="pip install 'codemation[dev]'"
        ) from None
    if production:
        rehearsing.rehearse(settings, screen, rehearsing.Shape(host=host, port=port, workers=given["workers"]))
    else:
        developing.develop(settings, screen, host, port, triggers=not given["no_triggers"])
