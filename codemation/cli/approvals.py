"""`codemation approvals`: what people are asked, and their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from codemation.cli.commands import Group
from codemation.cli.opening import opened, settings_of_existing
from codemation.cli.questions import as_json
from codemation.cli.screen import Screen
from codemation.cli.target import workflow_of_run
from codemation.cli.troubles import Refused
from codemation.cli.waits import limit_option, show_waits
from codemation.core.errors import RunError, UnknownWait
from codemation.core.ids import RunId, node_of
from codemation.core.mistakes import listed
from codemation.core.nodeplan import NodeKind
from codemation.core.states import FINISHED
from codemation.core.waits import address
from codemation.host.alone import left_alone
from codemation.host.app import App
from codemation.host.asking import RunWait, answers_of, decide, open_waits
from codemation.host.glimpses import glimpses
from codemation.host.identity import user
from codemation.host.links import link_token, read_link
from codemation.host.naming import find_run, known_node, short

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle


_HELP = """\
See what people are asked, and decide.

\b
  codemation approvals list
  codemation approvals approve last --item 0 --field note=fine
  codemation approvals reject last --all

RUN is the id of a run, its beginning or its end, or last. NODE is needed only if several nodes of the run ask, and
--item, the position of the item, only if there are several.
"""


@click.group(cls=Group, help=_HELP)
def approvals() -> None:
    """See what people are asked, and decide."""


@approvals.command("list")
@click.argument("run", required=False)
@limit_option
@as_json
@click.pass_obj
def list_(screen: Screen, /, run: str | None, limit: int, as_json: bool) -> None:
    """List the open decisions of all runs, or of RUN."""
    with opened() as app:
        found = open_waits(app, "approval", limit) if run is None else _asked(app.attach(find_run(app, run)))[:limit]
        items = glimpses(app, found)
    show_waits(screen, found, as_json=as_json, of_one=run is not None, nothing="nobody is asked anything", items=items)


def _answer(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments of a command that decides."""
    for option in reversed((
        click.argument("run", required=False),
        click.argument("node", required=False),
        click.option("--item", type=click.IntRange(0), metavar="N", help="Decide about the item at this position."),
        click.option("--all", "everything", is_flag=True, help="Decide about every item that is asked about."),
        click.option(
            "--field", "-f", "fields", multiple=True, metavar="NAME=VALUE", help="Fill in the form. May be repeated."
        ),
        click.option("--form", metavar="JSON", help="Fill in the form with a JSON object."),
        click.option("--who", metavar="NAME", help="Who decides.  [default: your account]"),
        click.option("--token", metavar="TOKEN", help="Decide with a token, instead of naming RUN."),
        click.option(
            "--code", metavar="FILE", help="Where the workflow is, if it is not in the app: jobs.py or jobs.py:name."
        ),
        click.pass_obj,
    )):  # fmt: skip
        function = option(function)
    return function


@approvals.command()
@_answer
def approve(screen: Screen, /, **given: Any) -> None:
    """Approve what RUN asks.

    The exit code is 5 if somebody has decided before, and 6 if the time is over.
    """
    _decide(screen, given, approved=True)


@approvals.command()
@_answer
def reject(screen: Screen, /, **given: Any) -> None:
    """Reject what RUN asks.

    The exit code is 5 if somebody has decided before, and 6 if the time is over.
    """
    _decide(screen, given, approved=False)


@approvals.command()
@click.argument("run")
@click.argument("node", required=False)
@click.option("--item", type=click.IntRange(0), metavar="N", help="Which item is to be decided about.")
@click.option("--who", required=True, metavar="NAME", help="Who may decide with it; is recorded as having decided.")
@click.pass_obj
def token(screen: Screen, /, run: str, node: str | None, item: int | None, who: str) -> None:
    """Write a token that lets its bearer decide once.

    It is signed, good for this one decision of this run, and of no use once that is decided. Whoever has it decides
    with codemation approvals approve --token TOKEN.
    """
    with opened() as app:
        (wait,) = _chosen(app.attach(find_run(app, run)), node, item, everything=False)
        screen.show(link_token(app.settings.links, wait, who))


def _decide(screen: Screen, given: dict[str, Any], *, approved: bool) -> None:
    settings = settings_of_existing()
    if (given["run"] is None) == (given["token"] is None):
        raise click.UsageError("name the run, or give a token with --token", click.get_current_context())
    fields, who = _fields(given), user() if given["who"] is None else given["who"]
    with App.open(settings) as app:
        if given["token"] is None:
            handle = app.attach(find_run(app, given["run"]))
            chosen = _chosen(handle, given["node"], given["item"], everything=given["everything"])
        else:
            wait, who = read_link(settings.links, given["token"])
            handle, chosen = app.attach(RunId(wait.partition("/")[0])), [wait]
        if fields:
            app.know(workflow_of_run(handle.definition.workflow, given["code"], settings))
        for wait in chosen:
            decide(app, wait, approved=approved, who=who, fields=fields)
        said = ("approved" if approved else "rejected") + (f" {len(chosen)} items" if len(chosen) > 1 else "")
        screen.say(f"{said} as {who} in run {handle.id}")
        _say_left(app.attach(handle.id), screen)


def _say_left(fresh: RunHandle, screen: Screen) -> None:
    """What is to be done next."""
    if left := len(_asked(fresh)):
        screen.say(click.style(f"{left} more to decide: codemation approvals list {short(fresh.id)}", dim=True))
    elif fresh.status not in FINISHED and not fresh.snapshot.at_rest and left_alone(fresh.app, [fresh.id]):
        screen.say(f"{click.style('→', fg='cyan')} codemation runs resume {short(fresh.id)}")


def _asked(handle: RunHandle) -> list[RunWait]:
    return [wait for wait in handle.waits if wait.kind == "approval"]


def _chosen(handle: RunHandle, node: str | None, item: int | None, *, everything: bool) -> list[str]:
    """The ids of what is to be decided about; of what is not open too, so that it is said what became of it.

    Raises:
        UnknownWait: nothing is asked there.
        RunError: several things are, and none was named.
    """
    name = None if node is None else known_node(handle, node)
    found = [wait for wait in _asked(handle) if name in (None, wait.node) and item in (None, wait.item)]
    if len(found) == 1 or (found and everything):
        return [wait.id for wait in found]
    run = short(handle.id)
    if found:
        ways = [f"{wait.node}" + ("" if wait.item is None else f" --item {wait.item}") for wait in found]
        raise RunError(f"run {run} asks {len(found)} things", way_out=f"say which: {listed(ways)}; or --all")
    if (closed := _closed(handle, name, item)) is not None:
        return [closed]
    open_ = [wait.node if wait.item is None else f"{wait.node} --item {wait.item}" for wait in _asked(handle)]
    which = (f" at {node}" if node else "") + ("" if item is None else f" about item {item}")
    raise UnknownWait(f"run {run} asks nothing{which}", way_out=f"it asks {listed(open_)}" if open_ else "")


def _closed(handle: RunHandle, node: str | None, item: int | None) -> str | None:
    """The id of what was asked there and is answered already."""
    for answered in answers_of(handle.app, handle.id):
        at = node_of(answered.activation)
        position = int(answered.wait) if answered.wait.isdigit() else None
        plan = handle.snapshot.plan.nodes.get(at)
        if plan is not None and plan.kind is NodeKind.APPROVE and node in (None, at) and item in (None, position):
            return address(handle.id, answered.activation, answered.wait)
    return None


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """What was filled in.

    Raises:
        Refused: it is not written as it has to be.
    """
    try:
        fields = json.loads(given["form"]) if given["form"] is not None else {}
    except ValueError as error:
        raise Refused(f"--form is not JSON: {error}", way_out="""for example --form '{"note": "fine"}'""") from None
    if not isinstance(fields, dict):
        raise Refused(f"--form gives a {type(fields).__name__}", way_out="""for example --form '{"note": "fine"}'""")
    for text in given["fields"]:
        name, sign, value = text.partition("=")
        if not sign:
            raise Refused(f"{text!r} fills in nothing", way_out="--field NAME=VALUE")
        fields[name] = value
    return fields
