"""`codemation audit`: who did what over the network, and to tokens."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.views.records import plain


@click.group(cls=Group)
def audit() -> None:
    """See who did what."""


@audit.command("list")
@click.option("--who", metavar="NAME", help="Only what this one did, such as token:deploy.")
@click.option("--action", metavar="NAME", help="Only what begins so: runs. or runs.start.")
@click.option("--limit", "-n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, who: str | None, action: str | None, limit: int, as_json: bool) -> None:
    """List who did what, the latest first.

    A deed without an outcome is being done, or was broken off.
    """
    with opened() as app:
        deeds = app.engine.persist(app.stores.audit.page, who=who, action=action, limit=limit)
    if as_json:
        screen.show_json(plain(deeds))
        return
    rows = [(moment(one.at) if one.at else "", one.who, one.action, one.target, one.outcome) for one in deeds]
    for line in columns(rows, ("at", "who", "did", "what", "outcome"), screen.width, firm=(0,)) if rows else []:
        screen.show(line)
    if not rows:
        screen.say("nobody did anything of that kind")
