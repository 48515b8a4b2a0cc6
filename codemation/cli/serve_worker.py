"""`codemation serve worker`: a worker of the fleet."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Iterator

import click

from codemation.cli.screen import Screen
from codemation.cli.troubles import Refused
from codemation.core.sizes import in_bytes
from codemation.host.catalog import Catalog, discover
from codemation.host.log_lines import write_log
from codemation.host.postgres.connection import connection_string, target_of
from codemation.host.settings import Settings, without_password

PROBLEMS = 5
"""Broken files that are named when a worker begins."""


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
@click.option("--name", help="What the worker is called; by default after machine and process.")
@click.option("--grace", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Seconds for the end.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The log.")
@click.option("--max-memory", metavar="SIZE", help="Replace a process that holds so much, such as 500MB, when idle.")
@click.option("--max-tasks", type=click.IntRange(min=1), help="Replace a process after so many tickets.")
@click.pass_context
def worker(ctx: click.Context, /, queues: str, pool: str, log_format: str, **given: object) -> None:
    """Work on the runs that anybody has started, until told to stop.

    All workers share one PostgreSQL and one Redis. A worker serves queues, for the workflows whose code it finds in
    the app of the current folder.

    SIGTERM or Ctrl-C: what is under way comes to its end, or is given back after --grace seconds; a second one gives it
    back at once. In either case the exit code is 0, and others go on. It is 2 when the settings are not right, and 3
    when the machine is not.
    """
    screen: Screen = ctx.obj
    settings = _for_a_fleet(Settings.load())
    named = tuple(dict.fromkeys(one.strip() for one in queues.split(",") if one.strip()))
    if not named:
        raise Refused("no queue is named", way_out="--queues default, or --queues default,gpu")
    name = str(given["name"] or f"{socket.gethostname()}-{os.getpid()}")
    many = 1 if pool == "solo" else int(str(given["concurrency"] or os.cpu_count() or 1))
    if log_format == "text":
        at_once = f"{many} at a time in {'processes' if pool == 'prefork' else pool}" if many > 1 else "one at a time"
        for line in _banner(settings, f"worker {name}", f"{', '.join(named)} ({at_once})"):
            screen.say(line)
    write_log("json" if log_format == "json" else "text")
    serving = importlib.import_module("codemation.adapters.celery.serving")
    working = importlib.import_module("codemation.adapters.celery.working")
    memory = in_bytes(str(given["max_memory"])) if given["max_memory"] else None
    wear = working.Wear(tickets=given["max_tasks"], memory=memory)
    manners = working.Manners(name=name, grace=given["grace"], wear=wear)
    ctx.exit(serving.serve(settings, named, pool=pool, concurrency=many, manners=manners))


def _for_a_fleet(settings: Settings) -> Settings:
    """The settings as a worker needs them: whoever serves a fleet has one.

    Raises:
        Refused: there is no Redis.
    """
    if settings.redis_url is None:
        raise Refused(
            "a worker hears of work over Redis, and none is set",
            way_out="set redis_url, as in CODEMATION_REDIS_URL=redis://host:6379/0; "
            "codemation run works without workers and without Redis",
        )
    config = {name: getattr(settings.config, name) for name in settings.config.model_fields_set}
    return Settings(settings.root, config | {"scheduler": "celery"}, settings.origins)


def _banner(settings: Settings, name: str, serves: str) -> Iterator[str]:
    """What a worker is about to do, for whoever has started it."""
    catalog = discover(settings.root, settings.config.workflows)
    url = settings.database_url
    database = (
        f"embedded, in {settings.state}" if url is None else target_of(connection_string(url)).removeprefix("database ")
    )
    rows = {
        "app": str(settings.root),
        "database": database.removeprefix("database "),
        "messages": without_password(settings.redis_url or ""),
        "queues": serves,
        "workflows": _workflows(catalog),
    }
    yield click.style(name, bold=True)
    for label, value in rows.items():
        yield f"  {label:<10} {value}"
    for problem in catalog.problems[:PROBLEMS]:
        mark = click.style("!", fg="yellow", bold=True)
        yield f"{mark} {problem.file}: {problem.message}; it is not served"
    if catalog.problems:
        yield f"{click.style('→', fg='cyan')} codemation workflows list"


def _workflows(catalog: Catalog) -> str:
    names = sorted(catalog.workflows)
    if not names:
        return f"none in {catalog.root / catalog.folder}, so there is nothing that it could do"
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
