"""`codemation render`: a workflow as a picture, or with the state of a run on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from codemation.cli.opening import opened
from codemation.cli.screen import Screen
from codemation.cli.target import found_workflow
from codemation.cli.troubles import Refused
from codemation.core.definition import Definition
from codemation.core.ids import NodeId
from codemation.host.naming import find_run
from codemation.host.overview import run_view
from codemation.host.settings import Settings
from codemation.views.canvas import graph_view
from codemation.views.marks import NodeMark
from codemation.views.mermaid import mermaid
from codemation.views.page import page, picture_panel
from codemation.views.svg import svg
from codemation.views.text import plan_text

Marks = Mapping[NodeId, NodeMark]

_FORMS: Final = {".svg": "svg", ".html": "html", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "text", "": "text"}
"""What the ending of a file's name says."""


@click.command()
@click.argument("workflow", required=False)
@click.option("--run", metavar="RUN", help="Draw this run: the definition that it goes by, with states and counts.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["text", "svg", "html", "mermaid"]),
    help="Form; by default that of the file's name, else text.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a file.")
@click.pass_obj
def render(screen: Screen, /, workflow: str | None, run: str | None, form: str | None, output: Path | None) -> None:
    """Draw WORKFLOW, or the state of a run."""
    if (workflow is None) == (run is None):
        raise click.UsageError("name a workflow, or a run with --run RUN", click.get_current_context())
    chosen = form or _form_of(output)
    definition, marks = (
        _of_run(run) if run is not None else (found_workflow(workflow or "", Settings.load()).definition, {})
    )
    text = _drawn(definition, marks, chosen, screen)
    if output is None:
        screen.show(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}") from None
    screen.say(f"written: {output}")


def _form_of(output: Path | None) -> str:
    if output is None:
        return "text"
    if (form := _FORMS.get(output.suffix.lower())) is None:
        way_out = f"-o {output.with_suffix('.svg')}, or .html, .mmd or .txt; or say --as"
        raise Refused(f"{output} names no form", way_out=way_out)
    return form


def _of_run(run: str) -> tuple[Definition, Marks]:
    with opened() as app:
        handle = app.attach(find_run(app, run))
        return handle.definition, run_view(handle).marks


def _drawn(definition: Definition, marks: Marks, form: str, screen: Screen) -> str:
    match form:
        case "svg":
            return svg(graph_view(definition, marks))
        case "html":
            return page(
                definition.workflow,
                picture_panel(definition.title or definition.workflow, svg(graph_view(definition, marks))),
            )
        case "mermaid" if marks:
            raise Refused("Mermaid text has no room for the state of a run", way_out="--as svg, or --as text")
        case "mermaid":
            return mermaid(definition)
        case _:
            return plan_text(definition, marks, width=screen.width, ascii_only=screen.out.ascii_only)
