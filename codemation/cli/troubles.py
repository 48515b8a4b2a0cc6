"""What a command ends with: exit codes, and the words for each kind of trouble."""

from __future__ import annotations

import sys
import traceback
from enum import IntEnum

import click

from codemation.cli.screen import Screen
from codemation.core.errors import (
    AlreadyDecided,
    CodemationError,
    DecisionExpired,
    HostError,
    RunCancelled,
    RunFailed,
)


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    HOST = 3
    CANCELLED = 4
    DECIDED = 5
    EXPIRED = 6
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    Exit.OK: "done; a run that was waited for has succeeded",
    Exit.FAILED: "the run failed, or a check of `doctor` did",
    Exit.USAGE: "the command line, the items, the settings or the workflow as it is written are not right",
    Exit.HOST: "the database, the machine or codemation itself is in trouble",
    Exit.CANCELLED: "the run was cancelled",
    Exit.DECIDED: "somebody has decided before; nothing was changed",
    Exit.EXPIRED: "the time to decide is over; nothing was changed",
    Exit.INTERRUPTED: "Ctrl-C: the run is paused and can be resumed",
    Exit.TERMINATED: "SIGTERM: the run is paused and can be resumed",
}


NAMED = "codemation.named"
"""Where a context keeps the workflow that was named, for its help to be pointed at."""


class Refused(CodemationError):
    """The command cannot be carried out as it was given."""


def code_of(error: CodemationError) -> Exit:
    """The exit code for an error of ours."""
    from codemation.host.catalog import BrokenFile, UnknownWorkflow  # noqa: PLC0415 - only an error pays for it
    from codemation.host.settings import ConfigError  # noqa: PLC0415 - only an error pays for it

    match error:
        case RunFailed():
            return Exit.FAILED
        case RunCancelled():
            return Exit.CANCELLED
        case AlreadyDecided():
            return Exit.DECIDED
        case DecisionExpired():
            return Exit.EXPIRED
        case BrokenFile() | UnknownWorkflow() | ConfigError():
            return Exit.USAGE
        case HostError():
            return Exit.HOST
        case _:
            return Exit.USAGE


def tell(error: CodemationError, screen: Screen) -> None:
    """Say what is wrong, and the way out."""
    screen.say(f"{click.style('✗', fg='red', bold=True)} {error.message}")
    if error.way_out:
        screen.say(f"{click.style('→', fg='cyan')} {error.way_out}")


def tell_usage(error: click.UsageError, screen: Screen) -> None:
    """Say what is wrong with the command line, and where its help is."""
    screen.say(f"{click.style('✗', fg='red', bold=True)} {error.format_message()}")
    if error.ctx is not None:
        named = error.ctx.meta.get(NAMED, "")
        screen.say(f"{click.style('→', fg='cyan')} {' '.join(filter(None, (error.ctx.command_path, named, '--help')))}")


def tell_bug(error: BaseException, screen: Screen) -> None:
    """Say that something went wrong that codemation has not foreseen, and where if that was asked for."""
    if screen.debug:
        screen.say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, CodemationError):
        return
    said = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    screen.say(f"{click.style('✗', fg='red', bold=True)} something went wrong inside codemation: {said}")
    if not screen.debug:
        tried = " ".join(sys.argv[1:2])
        screen.say(f"{click.style('→', fg='cyan')} codemation --debug {tried} … shows where; please report it")
