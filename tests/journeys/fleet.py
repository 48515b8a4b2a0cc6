"""Production on one machine: a PostgreSQL and a Redis of its own, workers and web processes, each a real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from codemation.adapters.redis.server import RedisServer
from codemation.core.errors import RunFailed
from codemation.core.launch import Launch
from codemation.host.app import App
from codemation.host.handles import RunHandle
from codemation.host.settings import Settings
from tests.host.postgres.cable import Cable
from tests.host.postgres.embedded.world import REPOSITORY, eventually, temporary_project
from tests.host.postgres.server import Server, running_server
from tests.journeys.plant import Work, flow_of
from tests.journeys.world import PATIENCE, World

QUICK = {"beat": "0.5", "silence": "2"}
"""Settings under which the dead are noticed soon."""
PATIENT = "options=-c%20statement_timeout%3D2s"
"""By this a server is given up that has said nothing for three seconds, instead of three quarters of a minute."""
WORKFLOWS = "from tests.journeys.plant import nested, plant, plant_in_shards, pressing\n"


@dataclass(slots=True, kw_only=True)
class Member:
    """A process of the fleet, with all that it has started."""

    name: str
    process: psutil.Process
    log: Path
    started: subprocess.Popen[bytes]
    _known: list[psutil.Process] = field(default_factory=list)

    @property
    def lives(self) -> bool:
        """Whether it has not come to its end."""
        return _lives(self.process)

    def family(self) -> list[psutil.Process]:
        """It, and what it has started, the dead left out; what was once seen is remembered when it is orphaned."""
        with suppress(psutil.NoSuchProcess):
            self._known = list({*self._known, *self.process.children(recursive=True)})
        return [one for one in (self.process, *self._known) if _lives(one)]

    def send(self, number: signal.Signals, *, all_of_it: bool = True) -> None:
        """Send a signal to the whole family, or to its head alone; harmless to what has ended."""
        for one in self.family() if all_of_it else [self.process]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def kill(self) -> None:
        """End all of it as a power cut would."""
        self.send(signal.SIGKILL)
        eventually(lambda: not self.family(), within=PATIENCE)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Let it come to its end; its exit code."""
        return self.started.wait(seconds)

    def said(self) -> str:
        """Everything that it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass(slots=True, kw_only=True)
class Fleet:
    """What production is made of."""

    world: World
    server: Server
    redis: RedisServer
    variables: dict[str, str]
    members: list[Member] = field(default_factory=list)
    numbers: Iterator[int]

    def worker(self, *options: str, pool: str = "prefork", concurrency: int = 2, **variables: str) -> Member:
        """A worker, which is about to be ready."""
        name = f"w-{next(self.numbers)}"
        given = ("--pool", pool, "--concurrency", str(concurrency), "--name", name, *options)
        return self.start(name, "serve", "worker", *given, **variables)

    def web(self, **variables: str) -> Member:
        """A web process; it has duties of the caretaker too."""
        return self.start(f"web-{next(self.numbers)}", "serve", "web", "--port", "0", "--unguarded", **variables)

    def start(self, name: str, *arguments: str, **variables: str) -> Member:
        """A command that goes on until it is ended."""
        log = self.world.root / f"{name}.log"
        with log.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", "from codemation.cli.main import main; main()", *arguments],
                cwd=self.world.root,
                env={**os.environ, **self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        member = Member(name=name, process=psutil.Process(process.pid), log=log, started=process)
        self.members.append(member)
        return member

    def by_way_of(self, database: Cable, redis: Cable) -> dict[str, str]:
        """The settings of a process that reaches both servers by way of cables."""
        return {
            "CODEMATION_DATABASE_URL": f"{database.url(self.variables['CODEMATION_DATABASE_URL'])}&{PATIENT}",
            "CODEMATION_REDIS_URL": redis.url(self.redis.url),
        }

    def open(self, **settings: Any) -> App:
        """The app in this process, which leaves its runs to the fleet."""
        values = {
            "database_url": self.variables["CODEMATION_DATABASE_URL"],
            "redis_url": self.variables["CODEMATION_REDIS_URL"],
            "scheduler": "celery",
            **settings,
        }
        return App.open(Settings(self.world.root, values, {}))

    def submit(self, app: App, work: Work, *keys: str) -> list[RunHandle]:
        """A run for each key, left to the fleet."""
        flow = flow_of(work)
        return [app.submit(Launch(workflow=flow, params=work, key=key)) for key in keys]

    def until_ready(self, *members: Member) -> None:
        """Wait until each of them has said that it takes up work."""
        for member in members or self.members:
            eventually(lambda one=member: "ready for" in one.said() or not one.lives, within=PATIENCE)  # type: ignore[misc]
            assert member.lives, member.said()

    def close(self) -> None:
        """Leave nobody behind."""
        for member in self.members:
            member.send(signal.SIGCONT)
            member.kill()
            member.wait()


@contextmanager
def temporary_fleet(server: Server | None = None, **variables: str) -> Iterator[Fleet]:
    """A fleet without members yet, of which nothing is left."""
    with ExitStack() as stack:
        server = server or stack.enter_context(running_server(connections=200))
        project = stack.enter_context(temporary_project())
        redis = stack.enter_context(RedisServer(project.folder / "redis"))
        url = stack.enter_context(server.database("fleet"))
        folder = project.folder / "workflows"
        folder.mkdir()
        (folder / "plant.py").write_text(WORKFLOWS)
        settings = {
            "CODEMATION_DATABASE_URL": url,
            "CODEMATION_REDIS_URL": redis.url,
            "CODEMATION_SCHEDULER": "celery",
            "PYTHONPATH": str(REPOSITORY),
            "NO_COLOR": "1",
            **{f"CODEMATION_{name.upper()}": value for name, value in {**QUICK, **variables}.items()},
        }
        world = World(project=project, url=url)
        fleet = Fleet(world=world, server=server, redis=redis, variables=settings, numbers=world.counted)
        try:
            yield fleet
        finally:
            fleet.close()
            world.close()


def why(handle: RunHandle) -> str:
    """Why a run has failed, as people are told."""
    try:
        handle.wait(PATIENCE)
    except RunFailed as error:
        return str(error)
    raise AssertionError(f"{handle!r} has not failed")
