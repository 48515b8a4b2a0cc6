"""`codemation doctor`: whether everything is as it should be."""

from __future__ import annotations

from collections.abc import Iterator

import click

from codemation.cli.screen import Screen
from codemation.cli.troubles import Exit
from codemation.core.errors import CodemationError
from codemation.host.checkup import Check, Verdict, checkup
from codemation.host.settings import Settings
from codemation.views.lettering import padded
from codemation.views.records import record

_MARKS = {Verdict.GOOD: ("✓", "green"), Verdict.DOUBTFUL: ("!", "yellow"), Verdict.BAD: ("✗", "red")}
_ROOM = len("state folder")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool) -> None:
    """Check that everything is as it should be: settings, workflows, disk, database and runs.

    The exit code is 1 if something is broken (x); what is doubtful (!) leaves it at 0.
    """
    screen: Screen = ctx.obj
    found = []
    for check in _checks():
        found.append(check)
        if not as_json:
            _show(check, screen)
    if as_json:
        screen.show_json([record(check) for check in found])
    broken = any(check.verdict is Verdict.BAD for check in found)
    ctx.exit(Exit.FAILED if broken else Exit.OK)


def _checks() -> Iterator[Check]:
    try:
        yield from checkup(Settings.load())
    except CodemationError as error:
        yield Check(name="settings", verdict=Verdict.BAD, says=error.message, way_out=error.way_out)


def _show(check: Check, screen: Screen) -> None:
    glyph, colour = _MARKS[check.verdict]
    mark, name = click.style(glyph, fg=colour, bold=True), padded(check.name, _ROOM)
    screen.show(f"{mark} {name}  {check.says}")
    if check.way_out:
        screen.show(f"  {' ' * _ROOM}  {click.style('→', fg='cyan')} {check.way_out}")
