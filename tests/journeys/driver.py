"""Processes that work on runs of the plant, forked from one that has imported everything: `python -m …driver`.

It reads one line of JSON for each, and answers with the process id. A driver starts a run for each key (or finds the
one that the key has started), goes on with it, and writes one line of JSON for each event: a run that is durable, an
answer, a refusal, its own end.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from codemation.core.errors import CodemationError
from codemation.core.launch import Launch
from codemation.core.states import FINISHED
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.settings import Settings
from tests.journeys.plant import Work, flow_of
from tests.journeys.travel import Trip, bookings, travel

PR_SET_PDEATHSIG = 1
"""Linux: end with the process that has forked us."""


def settings_of(root: Path, url: str | None, **more: Any) -> Settings:
    """The settings of an app at `root`, on the database at `url` or on its embedded one."""
    return Settings(root, {**({} if url is None else {"database_url": url}), **more}, {})


def begun(app: App, work: Work | Trip, key: str) -> RunHandle:
    """The run of a key, with this process at work on it unless it is over."""
    if isinstance(work, Trip):
        launch = Launch(workflow=travel, params=work, items=bookings(key), key=key)
    else:
        launch = Launch(workflow=flow_of(work), params=work, key=key)
    handle = app.launch(launch)
    if handle.watched is None and handle.status not in FINISHED:
        return app.resume(handle.id, launch.workflow)
    return handle


def tell(**event: Any) -> None:
    """Write one line for whoever started this process; in one piece, for others write to the same place."""
    os.write(1, f"{json.dumps(event)}\n".encode())


def drive(orders: dict[str, Any]) -> None:
    """Carry out the orders."""
    work = {"Work": Work, "Trip": Trip}[orders.get("asked", "Work")](**orders["work"])
    try:
        with App.open(settings_of(Path(orders["root"]), orders["url"], **orders["settings"])) as app:
            handles = []
            for key in orders["keys"]:
                handle = begun(app, work, key)
                tell(begun=key, run=handle.id)
                handles.append(handle if len(orders["keys"]) == 1 else handle.serve())
            for key, handle in zip(orders["keys"], handles, strict=True):
                handle.wait()
                tell(ended=key, run=handle.id, status=handle.status)
    except (CodemationError, KeyboardInterrupt) as error:
        way_out = getattr(error, "way_out", "")
        tell(refused=type(error).__name__, message=str(error), way_out=way_out)
    tell(over=True)


def _child(orders: dict[str, Any]) -> None:
    """Be a driver, and never come back."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with suppress(AttributeError):  # where there is no Linux, whoever stops the tests by force stops these too
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        said = os.open(orders["said"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for stream in (1, 2):
            os.dup2(said, stream)
        drive(orders)
        code = 0
    except BaseException:  # noqa: BLE001 - told as Python would tell it, for there is nobody above
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Fork a driver for each line, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to reap them
    for line in sys.stdin:
        orders = json.loads(line)
        pid = os.fork()
        if not pid:
            _child(orders)
        os.write(1, f"{pid}\n".encode())


if __name__ == "__main__":
    main()
