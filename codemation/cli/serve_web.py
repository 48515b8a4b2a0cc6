"""`codemation serve web`: the app behind HTTP."""

from __future__ import annotations

from typing import Any

import click

from codemation.cli.screen import Screen
from codemation.cli.troubles import Refused
from codemation.host.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="NAME", help="Address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 for any that is free.")
@click.option("--root-path", default="", metavar="PATH", help="What a proxy puts before every path.")
@click.option(
    "--unguarded", is_flag=True, help="Let everybody who reaches the server do everything, though there is no token."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def web(screen: Screen, /, **given: Any) -> None:
    """Answer requests until Ctrl-C or SIGTERM: the REST API, webhooks, decisions, live events, health and metrics.

    The API is described at /api/v1/docs, and at /api/v1/openapi.json for programs. Whoever asks needs a token (see
    codemation tokens); only as long as there is none, programs of this machine need none.
    """
    try:
        from codemation.web.server import Listening, serve  # noqa: PLC0415 - needs the extra `production`
    except ModuleNotFoundError as error:
        raise Refused(
            f"the web server needs {error.name}, which is not installed", way_out="pip install 'codemation[production]'"
        ) from None
    serve(Settings.load(), Listening(**given), screen.say)
