"""Workflows that stand in line: one run at a time, nodes with a slot, and one that another one follows. A program too.

As a program it runs one of them: `python -m tests.journeys.line <folder> <workflow> <item>`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import codemation as cm
from codemation.core.signals import ErrorInfo, Failed
from codemation.host.app import App
from codemation.host.opening import asked
from tests.journeys.driver import settings_of


class Place(cm.Params):
    """Where the workflows leave traces and find what holds them up."""

    folder: Path

    def note(self, what: str) -> None:
        """Leave a trace that outlives the process."""
        with (self.folder / "line").open("a") as line:
            line.write(f"{what}\n")


def notes(folder: Path) -> list[str]:
    """The traces so far."""
    line = folder / "line"
    return line.read_text().splitlines() if line.exists() else []


@cm.node
def work(item: int, params: Place) -> int:
    params.note(f"begun {item}")
    while (params.folder / f"hold {item}").exists():
        time.sleep(0.01)
    params.note(f"ended {item}")
    return item


@cm.node
def fall(item: int, params: Place) -> int:
    raise ValueError(f"{item} fell")


def tell(failed: cm.FailedRun) -> str:
    with Path(os.environ["LINE"]).joinpath("line").open("a") as line:
        line.write(f"told {failed.run}\n")
    return failed.run


alert = cm.workflow("line.alert", input=cm.FailedRun).map(tell).build()
one = cm.workflow("line.one", input=int, params=Place, concurrency=cm.Concurrency(1)).map(work).build()
pooled = cm.workflow("line.pooled", input=int, params=Place).map(work.options(pool="gpu")).build()
followed = cm.workflow("line.followed", input=int, params=Place, on_failure=alert).map(fall).build()
LINES: dict[str, cm.Workflow[Any, ...]] = {"one": one, "pooled": pooled, "followed": followed}


def main(folder: Path, name: str, item: int) -> None:
    """Run one of them; a process whose run has failed is killed before it can do anything more."""
    with App.open(settings_of(folder, None)) as app:
        launch = LINES[name].launch([item], {"folder": folder})
        if name != "followed":
            app.launch(launch).wait()
            return
        run, outcome = app.engine.start(followed.definition, asked(app, launch))
        assert outcome.next is not None
        error = ErrorInfo(type="ValueError", message=f"{item} fell")
        app.engine.deliver(run, outcome.next, Failed(activation=outcome.next.activation, attempt=1, error=error))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
