"""Working on a run until it is over, with progress, interruptions and an exit code."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from codemation.cli.interruption import Interruption
from codemation.cli.outcome import say_cancelled, say_end, say_failure, show_json, show_outputs
from codemation.cli.progress import progress
from codemation.cli.screen import Screen, status_text
from codemation.cli.troubles import Exit, code_of, tell
from codemation.cli.waits import answer_lines, wait_lines
from codemation.core.errors import HostError, RunCancelled, RunFailed
from codemation.core.states import FINISHED, RunStatus
from codemation.host.app import App
from codemation.host.identity import user_at_host
from codemation.host.naming import short
from codemation.host.settings import Settings

if TYPE_CHECKING:
    from codemation.host.handles import RunHandle


SHOWN = 10
"""Waits of a run that are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command tells of a run."""

    quiet: bool = False
    json: bool = False


def drive(settings: Settings, screen: Screen, manner: Manner, begin: Callable[[App], RunHandle]) -> Exit:
    """Begin a run, work on it until it is over, and tell what came of it."""
    interruption = Interruption()
    handle: RunHandle | None = None
    with interruption.heard():
        try:
            with App.open(settings) as app:
                app.who = f"cli {user_at_host()}"
                began = time.monotonic()
                quiet = manner.quiet or manner.json
                with _diverted(screen, manner), progress(app, screen, quiet=quiet) as display:
                    handle = begin(app)
                    display.follow(handle)
                    _wait(handle, screen, quiet=quiet)
                return _tell(handle, time.monotonic() - began, screen, manner)
        except KeyboardInterrupt:
            _say_paused(handle, screen)
            return interruption.exit
        except HostError as error:
            if handle is None:
                raise
            tell(error, screen)
            _say_resumable(handle, screen)
            return code_of(error)


def _wait(handle: RunHandle, screen: Screen, *, quiet: bool) -> None:
    """Wait for the end, whatever it is; working on the run if it was begun here."""
    if handle.joined:
        following = "this is what it came to" if handle.status in FINISHED else "waiting for its end"
        screen.say(f"run {handle.id} was started under this key before; {following}")
    elif handle.watched is None and handle.app.fleet is not None and not quiet:
        screen.say(click.style(f"run {handle.id} is left to the workers; waiting for its end", dim=True))
    with suppress(RunFailed, RunCancelled):
        handle.go()


def _tell(handle: RunHandle, seconds: float, screen: Screen, manner: Manner) -> Exit:
    if manner.json:
        show_json(handle, screen)
    match handle.status:
        case RunStatus.FAILED:
            say_failure(handle, screen)
            return Exit.FAILED
        case RunStatus.CANCELLED:
            say_cancelled(handle, screen)
            return Exit.CANCELLED
        case RunStatus.WAITING:
            if not manner.json:
                _say_waiting(handle, screen)
        case _ if not manner.json:
            if not manner.quiet:
                say_end(handle, seconds, screen)
            show_outputs(handle, screen)
    return Exit.OK


def _say_paused(handle: RunHandle | None, screen: Screen) -> None:
    mark = click.style("‖", fg="yellow", bold=True)
    if handle is None:
        screen.say(f"{mark} interrupted; if a run was begun, it is in: codemation runs list")
        return
    if handle.app.fleet is not None and handle.watched is None:
        screen.say(f"{mark} no longer waiting for run {handle.id}, which goes on: workers are at it")
        screen.say(f"{click.style('→', fg='cyan')} codemation runs show {short(handle.id)}")
        screen.say(f"{click.style('→', fg='cyan')} codemation runs cancel {short(handle.id)}")
        return
    if handle.watched is None:
        screen.say(f"{mark} no longer waiting for run {handle.id}; nothing of it was worked on here")
        return
    screen.say(f"{mark} run {handle.id} is paused; what has finished is kept")
    _say_resumable(handle, screen)


def _say_waiting(handle: RunHandle, screen: Screen) -> None:
    screen.say(f"{status_text('waiting')} for the world   run {handle.id}")
    waits = handle.waits
    for line in wait_lines(waits[:SHOWN], screen.width - 2, of_one=True):
        screen.say(f"  {line}")
    if len(waits) > SHOWN:
        screen.say(click.style(f"  … {len(waits) - SHOWN:,} more: codemation runs waits {short(handle.id)}", dim=True))
    for line in answer_lines(waits):
        screen.say(line)
    if handle.app.fleet is not None:
        screen.say(
            f"{click.style('→', fg='cyan')} workers go on when that has come: codemation runs show {short(handle.id)}"
        )
    else:
        screen.say(f"{click.style('→', fg='cyan')} when that has come: codemation runs resume {short(handle.id)}")


def _say_resumable(handle: RunHandle, screen: Screen) -> None:
    screen.say(f"{click.style('→', fg='cyan')} codemation runs resume {short(handle.id)}")


@contextmanager
def _diverted(screen: Screen, manner: Manner) -> Iterator[None]:
    """For `--json`: whatever nodes and their child processes print goes to standard error."""
    if not manner.json:
        yield
        return
    with redirect_stdout(screen.err.file), ExitStack() as stack:
        try:
            out, err = screen.out.file.fileno(), screen.err.file.fileno()
        except io.UnsupportedOperation:  # streams of a test, which have no descriptors that children could inherit
            yield
            return
        saved = os.dup(out)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, out)
        os.dup2(err, out)
        yield
