"""`codemation db`: look after the database."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.opening import settings_of_existing
from codemation.cli.screen import Screen, pairs
from codemation.cli.troubles import Exit
from codemation.host.database import DatabaseState, database_state, database_url
from codemation.host.database import migrate as bring_up_to_date
from codemation.host.settings import Settings, without_password
from codemation.views.records import record


@click.group(cls=Group)
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_obj
def migrate(screen: Screen, /) -> None:
    """Bring the schema of the database up to date."""
    with database_url(Settings.load()) as url:
        before = database_state(url)
        if before.current:
            screen.say(f"nothing to do: {before.describes} has schema {before.schema}")
            return
        state = bring_up_to_date(url)
    screen.say(f"{click.style('✓', fg='green')} {state.describes}: schema {before.schema or 'none'} → {state.schema}")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def status(ctx: click.Context, /, as_json: bool) -> None:
    """Show where the database is, and its schema.

    The exit code is 1 if the schema is not the one that this release works on.
    """
    screen: Screen = ctx.obj
    with database_url(settings_of_existing()) as url:
        state = database_state(url)
    if as_json:
        screen.show_json({**record(state), "current": state.current})
    else:
        screen.show("\n".join(pairs(_facts(state), indent="")))
    ctx.exit(Exit.OK if state.current else Exit.FAILED)


def _facts(state: DatabaseState) -> dict[str, str]:
    is_right = (
        "as this release wants it" if state.current else f"this release wants {state.wanted}: codemation db migrate"
    )
    return {
        "database": state.describes,
        "server": f"PostgreSQL {state.server}",
        "schema": f"{state.schema or 'none'}, {is_right}",
        "latency": f"{state.milliseconds:.1f} ms",
    }


@db.command()
@click.option("--reveal", is_flag=True, help="Show the password too.")
@click.pass_obj
def url(screen: Screen, /, reveal: bool) -> None:
    """Show the URL of the database.

    The embedded one runs only while somebody uses it.
    """
    with database_url(settings_of_existing()) as found:
        screen.show(found if reveal else without_password(found))
