"""`codemation events`: tell runs what has happened outside."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from codemation.cli.commands import Group
from codemation.cli.history import moment
from codemation.cli.opening import opened, settings_of_existing
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen, columns
from codemation.cli.target import found_workflow
from codemation.cli.troubles import Refused
from codemation.core.events import NamedEvent
from codemation.core.mistakes import listed, meant
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.asking import send as sent
from codemation.host.catalog import discover
from codemation.host.overview import json_of
from codemation.host.settings import Settings
from codemation.views.lettering import one_line

_HEADS = ("event", "key", "sent", "kept until", "payload")


_HELP = """\
Tell runs what has happened outside.

\b
  codemation events send payment.received A17 '{"amount": 12.5}'
  codemation events list

An event wakes every wait that is open for its name and key, and is kept for those that begin later.
"""


@click.group(cls=Group, help=_HELP)
def events() -> None:
    """Tell runs what has happened outside."""


@events.command()
@click.argument("name")
@click.argument("key")
@click.argument("payload", required=False, metavar="[JSON]")
@click.option("--dedup", metavar="ID", help="Send it once: the same ID again sends nothing.")
@click.option("--code", metavar="FILE", help="Where a workflow that waits for it is, if not in the app: jobs.py.")
@click.pass_obj
def send(screen: Screen, /, name: str, key: str, payload: str | None, **given: str | None) -> None:
    """Send the event NAME with KEY to whoever waits for it.

    JSON is what is sent with it; - reads it from standard input. It has to fit what the workflows of this app expect.
    """
    settings = settings_of_existing()
    event = _event(name, given["code"], settings)
    with App.open(settings) as app:
        new = sent(app, event, key, _payload(payload), given["dedup"])
    said = "sent" if new else "not sent again: an event with this --dedup is kept already"
    screen.say(f"{name} {key}: {said}")


@events.command("list")
@click.argument("name", required=False)
@click.option("--limit", "-n", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
@as_json
@click.pass_obj
def list_(screen: Screen, /, name: str | None, limit: int, as_json: bool) -> None:
    """List the events that are kept, the latest first.

    NAME lists those of one name.
    """
    with opened() as app:
        found = app.engine.persist(app.stores.events.kept, name=name, limit=limit)
    if as_json:
        screen.show_json([{**json_of(one), "body": json.loads(one.body)} for one in found])
        return
    rows = [
        (
            one.name,
            one.key,
            moment(one.at) if one.at else "",
            moment(one.expires_at) if one.expires_at else "",
            one_line(one.body),
        )
        for one in found
    ]
    for line in (
        columns(rows, ("event", "key", "sent", "kept until", "payload"), screen.width, firm=(2, 3)) if rows else []
    ):
        screen.show(line)
    if not found:
        screen.say("no event is kept")


def _event(name: str, code: str | None, settings: Settings) -> NamedEvent[Any]:
    """The event of this name that a workflow waits for.

    Raises:
        Refused: none does.
    """
    if code is not None:
        workflows = [found_workflow(code, settings)]
    else:
        catalog = discover(settings.root, settings.config.workflows)
        workflows = [found.workflow for found in catalog.workflows.values()]
    known = {event.name: event for workflow in workflows for event in _events(workflow)}
    if name not in known:
        way_out = meant(name, known, f"they wait for {listed(list(known), 'none')}; name a file with --code FILE")
        raise Refused(f"no workflow here waits for an event {name!r}", way_out=way_out)
    return known[name]


def _events(workflow: Workflow[Any, ...]) -> list[NamedEvent[Any]]:
    return [code.model for code in workflow.code.values() if isinstance(code.model, NamedEvent)]


def _payload(text: str | None) -> Any:
    """What is sent, from JSON.

    Raises:
        Refused: it is none.
    """
    if text is None:
        return {}
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise Refused(f"what is sent is not JSON: {error}", way_out="""for example '{"amount": 12.5}'""") from None
