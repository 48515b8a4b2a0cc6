"""`codemation workflows`: what is there to be run."""

from __future__ import annotations

import click

from codemation.cli.commands import Group
from codemation.cli.screen import Screen, columns
from codemation.cli.target import found_workflow
from codemation.host.catalog import Catalog, discover
from codemation.host.settings import Settings
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
