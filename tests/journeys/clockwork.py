"""A process that fires triggers until its input ends: `python -m tests.journeys.clockwork <folder> <url> <settings>`.

Its workflows leave a line for each run in a file of the folder. The source of `clock.polled` is a file with a line for
each item; a brake lets a node, or the source, wait for as long as it is there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import codemation as cm
from codemation.core.workflow import Workflow
from codemation.host.app import App
from tests.journeys.driver import settings_of

FOLDER = Path(os.environ.get("CLOCKWORK", "."))


class Params(cm.Params):
    """What ticks give."""

    at: str = ""


def note(what: str) -> str:
    """Leave a trace that outlives the process."""
    with (FOLDER / "notes").open("a") as notes:
        notes.write(f"{what}\n")
    return what


@cm.node
def strike(params: Params) -> str:
    return note(f"tick {params.at}")


@cm.node
def take(item: str) -> str:
    return note(f"item {item}")


@cm.poll(every="500ms", key=lambda line: line)
def lines(state: dict[str, int]) -> Iterator[str]:
    """Gives the lines that are new; what it has read, it reads again when its state was not saved."""
    while (FOLDER / "brake").exists():
        time.sleep(0.01)
    for line in (FOLDER / "source").read_text().splitlines()[state.get("read", 0) :]:
        yield line
        state["read"] = state.get("read", 0) + 1


def _by_tick(tick: object) -> dict[str, object]:
    return {"at": tick.isoformat()}  # type: ignore[attr-defined]


def _clock(name: str, trigger: cm.Trigger) -> Workflow:
    return cm.workflow(name, params=Params).on(trigger).then(strike).build()


ticked = _clock("clock.ticked", cm.every("1s", params=_by_tick))
polled = cm.workflow("clock.polled", input=str).on(lines).then(take).build()
followed = _clock("clock.followed", ticked.finished(params=lambda run: {"at": f"after {run.params.at}"}))
minutes = {
    policy: _clock(f"clock.{policy}", cm.cron("* * * * *", catch_up=policy, params=_by_tick))
    for policy in ("skip", "latest", "all")
}
ALL = {one.id: one for one in (ticked, polled, followed, *minutes.values())}


def main() -> None:
    """Fire triggers until nobody holds the other end of the input."""
    folder, url, settings = sys.argv[1:]
    with App.open(settings_of(Path(folder), url, **json.loads(settings))) as app:
        app.work()
        app.upkeep.triggers.load(ALL)
        app.upkeep.begin(0)
        print(app.engine.worker, flush=True)  # noqa: T201 - says that it is ready
        sys.stdin.read()


if __name__ == "__main__":
    main()
