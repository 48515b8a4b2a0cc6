"""`codemation params`: what a workflow can be asked for."""

from __future__ import annotations

import click

from codemation.cli.options import shape_of, shown_default, spelling
from codemation.cli.screen import Screen, columns
from codemation.cli.target import found_workflow
from codemation.host.settings import Settings
from codemation.views.lettering import one_line


@click.command()
@click.argument("workflow")
@click.option("--json", "as_json", is_flag=True, help="Write the JSON schema.")
@click.pass_obj
def params(screen: Screen, /, workflow: str, as_json: bool) -> None:
    """Show what WORKFLOW can be asked for: its params as options, their types and defaults."""
    found = found_workflow(workflow, Settings.load())
    if as_json:
        screen.show_json(found.definition.params_schema or {"type": "object", "properties": {}})
        return
    if found.params is None:
        screen.say(f"{found.id} has no params: codemation run {workflow}")
        return
    rows = []
    for name, field in found.params.model_fields.items():
        shape = shape_of(field.annotation)
        kind = "|".join(shape.choices) or ("yes or no" if shape.flag else shape.name)
        default = click.style("required", fg="yellow") if field.is_required() else shown_default(field)
        rows.append((spelling(name), kind + (" …" if shape.many else ""), default, one_line(field.description or "")))
    for line in columns(rows, ("option", "type", "default", "meaning"), screen.width):
        screen.show(line)
