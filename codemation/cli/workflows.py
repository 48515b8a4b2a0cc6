"""`codemation workflows`: what is there to be run."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.opening import opened
from codemation.cli.screen import Screen, columns
from codemation.cli.target import found_workflow
from codemation.cli.troubles import Refused
from codemation.core.ids import WorkflowId
from codemation.core.mistakes import listed, meant
from codemation.host.app import App
from codemation.host.catalog import Catalog, discover
from codemation.host.identity import user
from codemation.host.settings import Settings
from codemation.host.triggers.activation import activate as arm
from codemation.host.triggers.activation import deactivate as disarm
from codemation.host.triggers.overview import armed
from codemation.views.lettering import one_line
from codemation.views.text import plan_text


@click.group(cls=Group)
def workflows() -> None:
    """Look at the workflows of this app."""


@workflows.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_obj
def list_(screen: Screen, /, as_json: bool) -> None:
    """List the workflows of this app, and the files that could not be read."""
    settings = Settings.load()
    catalog = discover(settings.root, settings.config.workflows)
    if as_json:
        screen.show_json(_json(catalog))
        return
    rows = [
        (id_, str(len(found.workflow.nodes)), f"{found.file}:{found.name}", one_line(found.workflow.definition.title))
        for id_, found in sorted(catalog.workflows.items())
    ]
    for line in columns(rows, ("workflow", "nodes", "file", ""), screen.width, right=(1,)) if rows else []:
        screen.show(line)
    if not rows:
        folder = settings.root / settings.config.workflows
        screen.say(f"there is no workflow in {folder}; put one into a file there, and end it with .build()")
    for problem in catalog.problems:
        screen.say(
            f"\n{click.style('!', fg='yellow', bold=True)} {problem.file}: {problem.message}\n{problem.detail}".rstrip()
        )


@workflows.command()
@click.argument("workflow")
@click.option("--json", "as_json", is_flag=True, help="Write the definition as JSON.")
@click.pass_obj
def show(screen: Screen, /, workflow: str, as_json: bool) -> None:
    """Show the nodes of WORKFLOW, what they take and what they give."""
    definition = found_workflow(workflow, Settings.load()).definition
    if as_json:
        screen.show_json({"digest": definition.digest, **definition.to_json()})
        return
    screen.show(plan_text(definition, width=screen.width, ascii_only=screen.out.ascii_only))


@workflows.command()
@click.argument("workflow")
@click.pass_obj
def activate(screen: Screen, /, workflow: str) -> None:
    """Arm the triggers of WORKFLOW: from now on they start runs.

    Everything that stands against it is told before anything is armed. New code of it is armed by itself when a process
    of the app begins with it.
    """
    settings = Settings.load()
    found = found_workflow(workflow, settings)
    with App.open(settings) as app:
        known = arm(app, found, user())
    for one in known:
        screen.say(f"{click.style('✓', fg='green')} {one.arm.number}  {one.arm.said}")
    screen.say(f"{found.id} is active; see: codemation triggers list {found.id}")


@workflows.command()
@click.argument("workflow")
@click.pass_obj
def deactivate(screen: Screen, /, workflow: str) -> None:
    """Disarm the triggers of WORKFLOW: they start no runs until it is activated again.

    What they owe already is started still. WORKFLOW is a whole id: its code need not be there any more.
    """
    with opened() as app:
        done = disarm(app, WorkflowId(workflow), user())
        known = [row.workflow for row in armed(app) if row.active]
    if not done and workflow not in known:
        raise Refused(f"{workflow!r} is not active", way_out=meant(workflow, known, f"active: {listed(known, 'none')}"))
    screen.say(f"{workflow} is not active any more")


def _json(catalog: Catalog) -> dict[str, object]:
    return {
        "workflows": [
            {
                "id": id_,
                "title": found.workflow.definition.title,
                "file": str(found.file),
                "name": found.name,
                "nodes": len(found.workflow.nodes),
                "digest": found.workflow.digest,
            }
            for id_, found in sorted(catalog.workflows.items())
        ],
        "problems": [
            {"file": str(problem.file), "message": problem.message, "detail": problem.detail}
            for problem in catalog.problems
        ],
    }
