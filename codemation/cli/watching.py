"""`codemation runs show --watch`: how a run goes on, whoever works on it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import click

from codemation.cli.progress import progress
from codemation.core.states import FINISHED
from codemation.host.alone import left_alone

if TYPE_CHECKING:
    from codemation.cli.screen import Screen
    from codemation.host.handles import RunHandle

PAUSE = 1.0
"""Seconds between two looks at whether it is over, without any news."""
LOOKS = 5
"""Of so many looks one asks whether anybody works on the run."""


def watch(handle: RunHandle, screen: Screen, *, quiet: bool) -> None:
    """Tell how a run goes on, until it is over, nobody works on it any more, or Ctrl-C."""
    app = handle.app
    if handle.status in FINISHED:
        return
    try:
        screen.say(click.style(f"watching run {handle.id}; Ctrl-C ends the watching, and never the run", dim=True))
        with progress(app, screen, quiet=quiet, waits=True) as display:
            display.follow(handle)
            with app.bus.subscribe(handle.id) as news:
                for look in itertools.count():
                    if handle.status in FINISHED or (look % LOOKS == 0 and left_alone(app, [handle.id])):
                        return
                    news.next(PAUSE)
    except KeyboardInterrupt:
        screen.say(f"no longer watching run {handle.id}")
