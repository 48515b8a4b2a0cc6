"""`codemation run`: one workflow, here and now; its params are options."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from codemation.cli.driving import Manner, drive
from codemation.cli.options import base_params, options_of, params_from
from codemation.cli.replay import pins_option
from codemation.cli.screen import Screen
from codemation.cli.target import found_workflow
from codemation.cli.troubles import NAMED, Refused
from codemation.core.annotations import readable
from codemation.core.launch import Launch
from codemation.core.workflow import Workflow
from codemation.host.settings import Settings

_WORKFLOW = "codemation.workflow"
_SETTINGS = "codemation.settings"


class RunCommand(click.Command):
    """A command whose options depend on the workflow that its first argument names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the workflow first, then parse with its params as options."""
        wanted = self._wanted(ctx, args)
        if wanted is not None:
            settings = ctx.meta[_SETTINGS] = Settings.load()
            ctx.meta[_WORKFLOW] = found_workflow(wanted, settings)
            ctx.meta[NAMED] = wanted
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of the command, and those of the workflow once it is known."""
        fixed = super().get_params(ctx)
        workflow = ctx.meta.get(_WORKFLOW)
        if workflow is None or workflow.params is None:
            return fixed
        return [*options_of(workflow.params), *fixed]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the params of the workflow apart from the options that every run has."""
        workflow = ctx.meta.get(_WORKFLOW)
        fixed = [one for one in super().get_params(ctx) if isinstance(one, click.Option)]
        params = [one for one in self.get_params(ctx) if isinstance(one, click.Option) and one not in fixed]
        for title, options in ((f"Params of {workflow.id}" if workflow else "", params), ("Options", fixed)):
            if records := [record for one in options if (record := one.get_help_record(ctx))]:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what the command does, and what the workflow does if one was named."""
        super().format_help_text(ctx, formatter)
        workflow = ctx.meta.get(_WORKFLOW)
        if workflow is not None:
            definition = workflow.definition
            said = ". ".join(filter(None, (definition.title, definition.summary)))
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(f"{workflow.id}: {said}" if said else workflow.id)

    def _wanted(self, ctx: click.Context, args: list[str]) -> str | None:
        """The first argument that is neither an option of the command nor the value of one."""
        flags = {name: getattr(one, "is_flag", False) for one in super().get_params(ctx) for name in one.opts}
        left = iter(args)
        for arg in left:
            if not arg.startswith("-") or arg == "-":
                return arg
            name = arg.partition("=")[0]
            if name not in flags:
                raise click.UsageError(f"name the workflow before {name}: codemation run WORKFLOW {name} …", ctx)
            if not flags[name] and "=" not in arg:
                next(left, None)
        return None


@click.command(cls=RunCommand, context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
@click.argument("workflow")
@click.argument("items", required=False)
@click.option(
    "--params",
    "base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON file with params; options go over it.",
)
@pins_option
@click.option("--key", metavar="NAME", help="Start under a name: the same name again gives the same run.")
@click.option("--priority", type=int, metavar="INT", help="Higher is more urgent.")
@click.option("--json", "as_json", is_flag=True, help="Write the run and what came out of it as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show only what came out.")
@click.pass_context
def run(ctx: click.Context, /, base: Path | None, key: str | None, priority: int | None, **given: Any) -> None:
    """Run WORKFLOW here and now, and show what came out.

    WORKFLOW is an id (flights.delays), the end of one (delays), or a file (jobs.py, jobs.py:delays). Its params are
    options; --help after WORKFLOW shows them.

    ITEMS is - for JSON lines from standard input, or @FILE for those of a file.

    Ctrl-C pauses the run; what has finished is kept, and codemation runs resume goes on with it.
    """
    workflow: Workflow[Any, ...] = ctx.meta[_WORKFLOW]
    items = items_from(given["items"])
    if items is None and workflow.input is not None:
        way_out = f"codemation run {workflow.id} - for JSON lines from standard input, or @FILE for those of a file"
        raise Refused(
            f'"{workflow.id}" works on items of {readable(workflow.input)}, and none were given', way_out=way_out
        )
    launch = Launch(
        workflow=workflow,
        items=items,
        params=params_from(workflow.params, base_params(base), given),
        key=key,
        priority=priority,
        pins=given["pins"],
    )
    manner = Manner(quiet=given["quiet"], json=given["as_json"])
    ctx.exit(
        drive(ctx.meta[_SETTINGS], ctx.find_object(Screen) or Screen.here(), manner, lambda app: app.launch(launch))
    )


def items_from(source: str | None) -> list[Any] | None:
    """The items that were given: JSON lines from standard input or a file.

    Raises:
        Refused: the source cannot be read, or a line is not JSON.
    """
    if source is None:
        return None
    if source == "-":
        return _parsed(sys.stdin.buffer.read(), "standard input")
    if not source.startswith("@"):
        raise Refused(
            f"{source!r} names no items", way_out="write - for standard input, or @FILE for a file of JSON lines"
        )
    path = Path(source[1:])
    try:
        return _parsed(path.read_bytes(), str(path))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def _parsed(content: bytes, place: str) -> list[Any]:
    items = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            way_out = "write one JSON value in each line"
            raise Refused(f"line {number} of {place} is not JSON: {error}", way_out=way_out) from None
        if isinstance(item, list):
            way_out = "write each of its members in a line of its own, as jq -c '.[]' does"
            raise Refused(f"line {number} of {place} is a list, and an item is never one", way_out=way_out)
        items.append(item)
    return items
