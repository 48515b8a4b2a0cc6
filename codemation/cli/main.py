"""The command `codemation`: finds the command, and turns whatever goes wrong into words and an exit code."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, NoReturn

import click

from codemation import __version__
from codemation.cli.commands import Late, LateGroup
from codemation.cli.screen import Screen
from codemation.cli.troubles import Exit, code_of, tell, tell_bug, tell_usage
from codemation.core.errors import CodemationError

COMMANDS = {
    "run": Late(module="codemation.cli.run", name="run", help="Run a workflow and show what came out."),
    "params": Late(module="codemation.cli.params", name="params", help="Show what a workflow can be asked for."),
    "runs": Late(module="codemation.cli.runs", name="runs", help="Look at runs, resume and cancel them."),
    "approvals": Late(module="codemation.cli.approvals", name="approvals", help="See what is asked, and decide."),
    "events": Late(module="codemation.cli.events", name="events", help="Send events to the runs that wait for them."),
    "pins": Late(module="codemation.cli.pins", name="pins", help="Keep what nodes gave, and give it to other runs."),
    "workflows": Late(module="codemation.cli.workflows", name="workflows", help="Look at the workflows of this app."),
    "dev": Late(module="codemation.cli.dev", name="dev", help="Work on workflows: run, serve and reload them."),
    "build": Late(module="codemation.cli.build", name="build", help="Freeze the workflows and their code."),
    "deploy": Late(module="codemation.cli.deploy", name="deploy", help="Let a build count from now on."),
    "deployments": Late(
        module="codemation.cli.deploy", name="deployments", help="See which builds have been deployed."
    ),
    "triggers": Late(module="codemation.cli.triggers", name="triggers", help="See what starts runs by itself."),
    "trigger": Late(module="codemation.cli.trigger", name="trigger", help="Fire a trigger by hand."),
    "backfill": Late(module="codemation.cli.backfill", name="backfill", help="Run the missing ticks of a time."),
    "duties": Late(module="codemation.cli.duties", name="duties", help="See what one process does for all."),
    "render": Late(module="codemation.cli.render", name="render", help="Draw a workflow, or a run on it."),
    "doctor": Late(module="codemation.cli.doctor", name="doctor", help="Check that everything is as it should be."),
    "config": Late(module="codemation.cli.config", name="config", help="Show the settings and where each comes from."),
    "prune": Late(module="codemation.cli.prune", name="prune", help="Delete the runs whose time is over."),
    "serve": Late(module="codemation.cli.serve", name="serve", help="Serve this app: a worker, the web."),
    "tokens": Late(module="codemation.cli.tokens", name="tokens", help="Say who may ask over the network."),
    "audit": Late(module="codemation.cli.audit", name="audit", help="See who did what."),
    "workers": Late(module="codemation.cli.workers", name="workers", help="See who works on runs."),
    "db": Late(module="codemation.cli.db", name="db", help="Look after the database."),
}


class Codemation(LateGroup):
    """The command line as a whole."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Carry out a command line and end the process with its exit code."""
        _survive_any_text()
        screen = Screen.here()
        extra |= {"standalone_mode": False, "obj": screen, "prog_name": "codemation"}
        sys.exit(self._carried_out(screen, args, extra))

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the command; a reader who has seen enough (`| head`) is no trouble."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
            return Exit.OK

    def _carried_out(self, screen: Screen, args: tuple[Any, ...], extra: dict[str, Any]) -> int:
        try:
            code = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            screen.show(error.ctx.get_help() if error.ctx else "")
            return Exit.USAGE
        except click.UsageError as error:
            tell_usage(error, screen)
            return Exit.USAGE
        except click.Abort:
            return Exit.INTERRUPTED
        except CodemationError as error:
            if screen.debug:
                tell_bug(error, screen)
            tell(error, screen)
            return code_of(error)
        except Exception as error:  # noqa: BLE001 - the last line of defence tells, and ends with a code
            tell_bug(error, screen)
            return Exit.HOST
        return code if isinstance(code, int) else Exit.OK


def _survive_any_text() -> None:
    """Let text that a stream cannot spell come out escaped: neither a node nor a command fails by printing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


HELP = """\
Run workflows that are written as Python functions, see what they did, and resume what was interrupted.

\b
  codemation workflows list          what is there
  codemation run WORKFLOW            run one here and now
  codemation runs list               what has been run

Workflows are found in the folder workflows/ of the app that the current folder belongs to.
"""


@click.group(cls=Codemation, late=COMMANDS, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="codemation", message="%(prog)s %(version)s")
@click.option("--no-color", is_flag=True, help="Write without colours, as with NO_COLOR=1.")
@click.option("--debug", is_flag=True, help="Show where an error comes from inside codemation.")
@click.pass_obj
def main(screen: Screen, no_color: bool, debug: bool) -> None:
    """Find the command and carry it out."""
    screen.debug = debug
    if no_color:
        screen.out.colour = screen.err.colour = False
