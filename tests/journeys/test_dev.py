"""`codemation dev`, as a person has it open beside the editor; and its rehearsal of production."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.host.builds.shop import SHOP, write_app
from tests.host.postgres.embedded.world import SHORT
from tests.journeys.commands import command
from tests.journeys.commands import said as said_by

PATIENCE = 60.0
ORDERS = "workflows/orders.py"


class Session:
    """A running `codemation dev`, and what it has said."""

    def __init__(self, root: Path, process: subprocess.Popen[str]) -> None:
        self.root = root
        self.process = process
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(line.rstrip() for line in self.process.stderr)

    def hear(self, pattern: str, after: int = 0) -> int:
        """Wait for a line; the number of the line after it."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [at for at, line in enumerate(self.said[after:], after + 1) if re.search(pattern, line)]
            return bool(found)

        until(there, lambda: f"{pattern!r} in {self.said[after:]}")
        return found[0]

    @property
    def url(self) -> str:
        """Where its API is."""
        self.hear("http://")
        return next(found[0] for line in self.said if (found := re.search(r"http://[\d.:]+", line)))

    def ask(self, path: str, body: object = None) -> Any:
        """What the API answers."""
        method = "GET" if body is None else "POST"
        return httpx.request(method, f"{self.url}/api/v1{path}", json=body, timeout=10).raise_for_status().json()

    def run(self) -> Any:
        """What a run of the shop gives, from the API."""
        run = self.ask("/workflows/shop.orders/runs", {})["id"]
        until(lambda: self.ask(f"/runs/{run}")["status"] == "succeeded", lambda: f"{self.ask(f'/runs/{run}')}")
        return self.ask(f"/runs/{run}/nodes/total/outputs/main")["items"]

    def write(self, name: str, content: str) -> int:
        """Save a file; where what is said about it begins."""
        said = len(self.said)
        (self.root / name).write_text(content)
        return said


def until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


@contextmanager
def developing(*arguments: str) -> Iterator[Session]:
    """A session in an app of its own; whatever happens, nothing of it is left."""
    root = write_app(Path(tempfile.mkdtemp(prefix="dev-", dir=SHORT)))
    shutil.rmtree(root / ".codemation")
    process = command(root, "dev", *arguments)
    try:
        with process:
            try:
                yield Session(root, process)
            finally:
                process.kill()
    finally:
        until(lambda: not _processes_in(root), lambda: f"left: {_processes_in(root)}")
        shutil.rmtree(root, ignore_errors=True)


def _processes_in(root: Path) -> list[str]:
    """What still runs for an app: by its folder, or by what its command line names."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        cmdline, cwd = process.info["cmdline"] or [], process.info["cwd"] or ""
        inside = cwd.startswith(str(root)) or any(str(root) in word for word in cmdline)
        if inside and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(cmdline)[:120])
    return found


def test_what_is_saved_takes_over_and_what_is_broken_is_shown_and_changes_nothing() -> None:
    with developing("--port", "0") as session:
        session.hear("reloaded when they are saved")
        assert session.run() == [7, 9]
        session.hear("succeeded +shop.orders +run .* after")

        said = session.write(ORDERS, SHOP[ORDERS].replace("* 2", "* 10"))
        session.hear("workflows/orders.py +~ shop.orders: rewritten: total", said)
        assert session.run() == [15, 25]

        said = session.write("goods/prices.py", "import nowhere\n")
        session.hear("✗ workflows/orders.py: ModuleNotFoundError", said)
        session.hear(f'File "{session.root}/workflows/orders.py", line 5', said)
        assert session.run() == [15, 25]

        said = session.write("goods/prices.py", SHOP["goods/prices.py"])
        for number in range(20):  # a burst of saves
            session.write("goods/late.py", f"RATE = {number}\n")
        session.hear("✓ mended", said)
        session.hear("goods/late.py", said)
        assert session.run() == [29, 39]
        reloads = [line for line in session.said[said:] if "goods/late.py" in line]
        assert len(reloads) <= 3

        session.process.send_signal(signal.SIGINT)
        assert session.process.wait(PATIENCE) == 0
        session.hear("^stopped")


CLOCK = """
import codemation as cm


@cm.node
def strike() -> int:
    return 1


clock = cm.workflow("shop.clock").on(cm.every("1s")).then(strike).build()
"""


def test_triggers_are_armed_as_they_are_written_and_disarmed_in_the_end() -> None:
    with developing("--port", "0") as session:
        session.hear("reloaded when they are saved")
        said = session.write("workflows/clock.py", CLOCK)
        session.hear("triggers of shop.clock armed: every 1", said)
        said = session.hear("succeeded +shop.clock", said)
        run = session.ask("/runs?workflow=shop.clock&limit=1")["items"][0]
        assert run["started_by"].startswith("trigger shop.clock/every-")
        said = session.write("workflows/clock.py", CLOCK.replace("1s", "2s").replace("return 1", "return 2"))
        said = session.hear("triggers of shop.clock armed: every 2", said)
        session.hear("succeeded +shop.clock", said)
        session.process.send_signal(signal.SIGINT)
        assert session.process.wait(PATIENCE) == 0
        session.hear("triggers of shop.clock disarmed", said)
        with command(session.root, "triggers", "list", "--all", "--json") as listing:
            out, _ = listing.communicate(timeout=PATIENCE)
        assert {one["active"] for one in json.loads(out)} == {False}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_the_rehearsal_of_production_works_mends_itself_and_leaves_nothing(end: signal.Signals) -> None:
    with developing("--production", "--port", "0", "--workers", "2" if end is signal.SIGINT else "1") as session:
        session.hear("web .*listening at")
        session.hear("worker-1 .*ready")
        if end is signal.SIGINT:
            assert session.run() == [7, 9]
            (worker,) = [
                one
                for one in psutil.Process(session.process.pid).children()
                if "worker-1" in one.cmdline() and one.is_running()
            ]
            worker.kill()
            said = session.hear("worker-1 .*was ended by SIGKILL")
            session.hear("worker-1 .*ready", said)
            assert session.run() == [7, 9]
            session.write(ORDERS, SHOP[ORDERS].replace("* 2", "* 10"))
            for words in (("build",), ("deploy", "-m", "while it works")):
                code, _, told = said_by(session.root, *words)
                assert code == 0, told
            until(lambda: session.run() == [15, 25], lambda: str(session.said[-20:]))
        session.process.send_signal(end)
        assert session.process.wait(PATIENCE) == (0 if end is signal.SIGINT else -signal.SIGKILL)
