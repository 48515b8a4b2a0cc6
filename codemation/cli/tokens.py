"""`codemation tokens`: who may ask over the network."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.core.access import Role
from codemation.core.durations import seconds
from codemation.core.ports import Deed, Token
from codemation.host.access import find_token, make_token
from codemation.host.app import App
from codemation.host.identity import new_run_id, user
from codemation.host.settings import Settings
from codemation.views.records import plain

_HELP = """\
Say who may ask over the network, and for what.

\b
  codemation tokens create deploy --role operator
  codemation tokens list
  codemation tokens revoke deploy

Each role may do what those before it may, and more: a viewer sees everything, an operator starts, cancels and resumes
runs, decides, and sends events, an editor changes what starts runs by itself, an admin says who may do what.
"""


_ROLES = click.Choice([role.value for role in Role])


@click.group(cls=Group, help=_HELP)
def tokens() -> None:
    """Say who may ask over the network."""


@tokens.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default="viewer",
    show_default=True,
    help="What it may do.",
)
@click.option("--lasts", metavar="DURATION", help="After how long it counts no more: 90d.  [default: never]")
@click.pass_obj
def create(screen: Screen, /, name: str, role: str, lasts: str | None) -> None:
    """Make a token and write it to standard output.

    It is shown this once: only a digest of it is kept. Whoever has it sends it as Authorization: Bearer TOKEN.
    """
    kept = None if lasts is None else _duration(lasts)
    with App.open(Settings.load()) as app:
        _, text = make_token(app, name, Role(role), by=user(), lasts=kept)
        _note(app, "tokens.create", name, role)
    screen.show(text)
    screen.say(f"made {name}, a token for {role}s; keep it now, for it is not shown again")


@tokens.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that count no more.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, everything: bool, as_json: bool) -> None:
    """List the tokens that count, the latest first."""
    with opened() as app:
        found = [one for one in app.engine.persist(app.stores.tokens.all) if everything or _end(one) is None]
    if as_json:
        screen.show_json(plain(found))
        return
    rows = [
        (one.name, one.role.value, one.created_by, _at(one.created_at), _at(one.used_at), _until(one)) for one in found
    ]
    heads = ("name", "role", "made by", "at", "last used", "until")
    for line in columns(rows, heads, screen.width, firm=(0, 1)) if rows else []:
        screen.show(line)
    if not rows:
        screen.say("there is no token; make one: codemation tokens create NAME --role operator")


@tokens.command()
@click.argument("name")
@click.pass_obj
def revoke(screen: Screen, /, name: str) -> None:
    """Let the token NAME count no more, from the next request on."""
    with opened() as app:
        token = find_token(app, name)
        app.engine.persist(app.stores.tokens.revoke, token.id)
        _note(app, "tokens.revoke", token.name, token.role.value)
    screen.say(f"revoked {token.name}")


def _note(app: App, action: str, target: str, role: str) -> None:
    deed = Deed(id=str(new_run_id()), who=user(), action=action, target=target, detail={"role": role}, outcome="done")
    app.engine.persist(app.stores.audit.note, deed)


def _duration(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise click.UsageError(f"--lasts: {error}", click.get_current_context()) from None


def _end(token: Token) -> datetime | None:
    """When it ended to count."""
    if token.revoked_at is not None:
        return token.revoked_at
    expired = token.expires_at is not None and token.expires_at <= datetime.now(UTC)
    return token.expires_at if expired else None


def _until(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {moment(token.revoked_at)}"
    return _at(token.expires_at) or "for ever"


def _at(when: datetime | None) -> str:
    return "" if when is None else moment(when)
