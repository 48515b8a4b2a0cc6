"""`codemation serve`: what runs for as long as it is wanted, for others to use."""

from __future__ import annotations

import click

from codemation.cli.commands import Late, LateGroup

COMMANDS = {
    "worker": Late(module="codemation.cli.serve_worker", name="worker", help="Work on what anybody has started."),
    "web": Late(module="codemation.cli.serve_web", name="web", help="Answer requests: the API, webhooks, decisions."),
}


@click.group(cls=LateGroup, late=COMMANDS)
def serve() -> None:
    """Serve this app to others, until Ctrl-C or SIGTERM."""
