"""Our own fleet on the stand: an app that hands runs in, a Redis, and workers that are real commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.stand import Stand
from codemation.core.launch import Launch
from codemation.core.params import Params
from codemation.core.workflow import Workflow
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.postgres.migrate import ensure
from codemation.host.settings import Settings

DATABASE = "fleet"
READY = "ready for"
"""What a process of a worker says when it takes up work."""
_PATIENCE = 60.0
ALONE = ("--concurrency", "1")
"""A worker of one process that has one run in flight."""
TOGETHER = ("--pool", "threads", "--concurrency", "16")
"""A worker of one process that has so many in flight, which share commits: what does most where nodes are quick."""
_WORKFLOWS = """
from benchmarks import flows

chains = [ten, three, mapped, stuck] = [flows.chain(10), flows.chain(3), flows.mapped(shards=16), flows.stuck()]
"""
_COMMAND = (sys.executable, "-c", "from codemation.cli.main import main; main()", "serve")


@dataclass(slots=True, kw_only=True)
class Crew:
    """An app and its workers."""

    app: App
    folder: Path
    variables: dict[str, str]
    processes: list[psutil.Process] = field(default_factory=list)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def worker(self, *options: str, ready: int = 1, **settings: str) -> psutil.Process:
        """A worker, of which so many processes take up work before this returns."""
        name = f"worker{len(self.processes)}"
        process = self.serve("worker", "--name", name, *options, **settings)
        self.until(lambda said: said.count(READY) >= ready, self.folder / f"{name}.log", process)
        return process

    def serve(self, what: str, *options: str, **settings: str) -> psutil.Process:
        """A process that serves something."""
        log = self.folder / f"{what}{len(self.processes)}.log"
        environment = {**self.variables, **{f"CODEMATION_{name.upper()}": value for name, value in settings.items()}}
        with log.open("ab") as said:
            command = [*_COMMAND, what, *options]
            started = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self._started.append(started)
        self.processes.append(psutil.Process(started.pid))
        return self.processes[-1]

    def until(self, said: Any, log: Path, process: psutil.Process) -> None:
        """Wait until a process has said what is waited for.

        Raises:
            RuntimeError: it has ended, or says nothing of the kind.
        """
        deadline = time.monotonic() + _PATIENCE
        while not said(text := log.read_text(encoding="utf-8", errors="replace")):
            if process.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
                raise RuntimeError(f"a process of the fleet is not ready; it said: {text[-2_000:]}")
            time.sleep(0.02)

    def submit(
        self, workflow: Workflow[Any, ...], items: Sequence[Any] | None = None, params: Params | None = None
    ) -> RunHandle:
        """A run that is left to the workers."""
        return self.app.submit(Launch(workflow=workflow, items=items, params=params))

    def end(self, process: psutil.Process) -> None:
        """Kill a process with all that it has started."""
        with suppress(psutil.NoSuchProcess):
            for one in (process, *process.children(recursive=True)):  # the head first: it would start others
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    def close(self) -> None:
        """Leave nobody behind."""
        for process, started in zip(self.processes, self._started, strict=True):
            self.end(process)
            started.wait(_PATIENCE)


@contextmanager
def crew(stand: Stand, workers: int = 0, manner: Sequence[str] = ALONE, **settings: str) -> Iterator[Crew]:
    """So many workers of one process each, and an app that hands in runs, for the length of a `with`."""
    stand.rest()
    url, folder = stand.database(DATABASE), stand.folder / "fleet"
    ensure(url)
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    (folder / "workflows" / "bench.py").write_text(_WORKFLOWS)
    values = {"database_url": url, "redis_url": stand.redis(0), "scheduler": "celery", **settings}
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    variables |= {f"CODEMATION_{name.upper()}": value for name, value in values.items()}
    with App.open(Settings(folder, values, {})) as app:
        them = Crew(app=app, folder=folder, variables=variables)
        try:
            for _ in range(workers):
                them.worker(*manner)
            yield them
        finally:
            them.close()
