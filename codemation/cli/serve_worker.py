"""`codemation serve worker`: a worker of the fleet."""

from __future__ import annotations

import importlib

import click

from codemation.cli.screen import Screen
from codemation.host.settings import Settings


@click.command()
@click.option("--queues", "-q", default="default", show_default=True, help="The queues to serve, with commas between.")
@click.option("--concurrency", "-c", type=click.IntRange(min=1), help="Activations at a time; by default one a core.")
@click.option(
    "--pool",
    type=click.Choice(["prefork", "threads", "solo"]),
    default="prefork",
    show_default=True,
    help="Processes, threads of one process, or one activation at a time.",
)
@click.option("--name", help="What the worker is called; by default after the machine.")
@click.pass_context
def worker(ctx: click.Context, /, queues: str, concurrency: int | None, pool: str, name: str | None) -> None:
    """Work on the runs that anybody has started, until told to stop."""
    screen: Screen = ctx.obj
    settings = Settings.load()
    serving = importlib.import_module("codemation.adapters.celery.serving")
    named = tuple(one.strip() for one in queues.split(",") if one.strip())
    screen.say(f"codemation worker: queues {', '.join(named)}")
    ctx.exit(serving.serve(settings, named, pool=pool, concurrency=concurrency, name=name))
