"""`codemation config`: the settings that are in force."""

from __future__ import annotations

import click

from codemation.cli.screen import Screen, columns
from codemation.host.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_obj
def config(screen: Screen, /, as_json: bool) -> None:
    """Show the settings that are in force, and where each comes from; passwords do not show."""
    settings = Settings.load()
    if as_json:
        values = {name: {"value": value, "from": origin} for name, value, origin in settings.shown()}
        screen.show_json({"root": str(settings.root), "settings": values})
        return
    screen.say(click.style(f"app in {settings.root}", dim=True))
    rows = [(name, value or click.style("not set", dim=True), origin) for name, value, origin in settings.shown()]
    for line in columns(rows, ("setting", "value", "from"), screen.width):
        screen.show(line)
