"""A fleet of the tests' own: a PostgreSQL, a Redis, a folder with workflows, and workers that are processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from codemation.adapters.redis.server import RedisServer
from codemation.host.app import App
from codemation.host.settings import Settings
from tests.host.postgres.server import Server, running_server

PATIENCE = 60.0
REPOSITORY = Path(__file__).resolve().parents[2]
ERRANDS = "from codemation.testing.conformance.errands import *\n"
QUICK = {"CODEMATION_BEAT": "0.5", "CODEMATION_SILENCE": "1.5", "CODEMATION_DUTY_SILENCE": "1.5"}
"""How a fleet is tuned whose take-overs are waited for."""


def eventually(says: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within
    while not says():
        assert time.monotonic() < deadline, "it has not come to be"
        time.sleep(0.02)


@dataclass(kw_only=True)
class Worker:
    """A process of `codemation serve worker`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """All that it has written."""
        return self.log.read_text(encoding="utf-8")

    def ready(self, many: int = 1) -> None:
        """Wait until so many of its processes have begun."""
        eventually(lambda: self.said.count("ready for") >= many or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    @property
    def children(self) -> list[psutil.Process]:
        """The processes of its pool; the helper that beats for them is none."""
        return [one for one in psutil.Process(self.process.pid).children() if _is_of_pool(one)]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self, within: float = PATIENCE) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within)

    def kill(self) -> None:
        """End it and all that it has started, now."""
        with suppress(psutil.NoSuchProcess):
            for one in [*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)]:
                with suppress(psutil.NoSuchProcess):
                    one.resume()
                    one.kill()
        self.process.wait()


def _is_of_pool(process: psutil.Process) -> bool:
    try:
        return "pulse_helper.py" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


@dataclass(kw_only=True)
class Fleet:
    """What workers share."""

    folder: Path
    url: str
    server: Server
    redis: RedisServer
    workers: list[Worker] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every process."""
        mine = {"CODEMATION_DATABASE_URL": self.url, "CODEMATION_REDIS_URL": self.redis.url}
        path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, **mine, "CODEMATION_SCHEDULER": "celery", "PYTHONPATH": path}

    def worker(self, *arguments: str, pool: str = "solo", **settings: str) -> Worker:
        """Start a worker; `settings` are variables of its environment."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        command = [str(Path(sys.executable).with_name("codemation")), "serve", "worker", "--pool", pool, *arguments]
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.environment, **settings},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.workers.append(Worker(process=process, log=log))
        return self.workers[-1]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Carry out a command of ours in the folder, and hear what it says."""
        command = [str(Path(sys.executable).with_name("codemation")), *arguments]
        environment = {**self.environment, "COLUMNS": "200"}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    def settings(self, **more: Any) -> Settings:
        """The settings of an app in this process."""
        values = {"database_url": self.url, "redis_url": self.redis.url, "scheduler": "celery", **more}
        return Settings(self.folder, values, {})

    def open(self, **more: Any) -> App:
        """An app in this process, which leaves its runs to the workers."""
        return App.open(self.settings(**more))


@contextmanager
def running_fleet(files: dict[str, str] | None = None, *, connections: int = 60) -> Iterator[Fleet]:
    """A fleet without workers."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="codemation-fleet-")))
        server = closing.enter_context(running_server(connections=connections))
        url = closing.enter_context(server.database("fleet"))
        redis = closing.enter_context(RedisServer(folder / "redis"))
        (folder / "workflows").mkdir()
        for name, text in (files or {"errands.py": ERRANDS}).items():
            (folder / "workflows" / name).write_text(text, encoding="utf-8")
        fleet = Fleet(folder=folder, url=url, server=server, redis=redis)
        try:
            yield fleet
        finally:
            for worker in fleet.workers:
                if worker.process.poll() is None:
                    worker.kill()
