"""The production shape on one machine: a database, a Redis, a web process and workers, which end together."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from codemation.adapters.redis.server import RedisServer
from codemation.cli.developing import open_door, url_of
from codemation.cli.screen import Screen, visible
from codemation.core.errors import HostError
from codemation.host.database import database_url, migrate
from codemation.host.settings import Settings, without_password
from codemation.host.supervising import LOOK, Program, Supervisor

COLOURS = ("cyan", "green", "magenta", "blue", "yellow")
_COMMAND = (sys.executable, "-c", "from codemation.cli.main import main; main()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is rehearsed."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2


def rehearse(settings: Settings, screen: Screen, shape: Shape) -> None:
    """Run an app as a fleet would, until Ctrl-C.

    Raises:
        HostError: the database or the Redis cannot be started; says what to do.
    """
    with _told_to_stop() as over, database_url(settings) as url, RedisServer(settings.state / "redis") as redis:
        if settings.database_url is None:
            migrate(url)
        with open_door(shape.host, shape.port) as door:
            address, port = url_of(door), door.getsockname()[1]
        programs = list(_programs(settings, shape, port, {"database": url, "redis": redis.url}))
        teller = _Teller(screen, [program.name for program in programs])
        _greet(screen, settings, address, redis)
        supervisor = Supervisor(programs, teller.say)
        try:
            supervisor.start()
            while not over.wait(LOOK):
                supervisor.look()
                _keep(redis, teller)
            screen.say("stopping: what is under way comes to its end, or is handed back")
        finally:
            supervisor.stop()
    screen.say("stopped")


def _programs(settings: Settings, shape: Shape, port: int, urls: dict[str, str]) -> Iterator[Program]:
    environment = {
        "CODEMATION_DATABASE_URL": urls["database"],
        "CODEMATION_REDIS_URL": urls["redis"],
        "CODEMATION_SCHEDULER": "celery",
        "PYTHONUNBUFFERED": "1",
    }
    web = ("serve", "web", "--host", shape.host, "--port", str(port))
    yield Program(name="web", command=(*_COMMAND, *web), environment=environment, folder=settings.root)
    for number in range(1, shape.workers + 1):
        name = f"worker-{number}"
        work = ("serve", "worker", "--name", name)
        yield Program(name=name, command=(*_COMMAND, *work), environment=environment, folder=settings.root)


def _keep(redis: RedisServer, teller: _Teller) -> None:
    """Start the Redis again if it has died; it is empty then, and nothing is lost."""
    if redis.alive:
        return
    teller.say("redis", "has died; it is started again, empty: nothing is lost")
    try:
        redis.start()
    except HostError as error:
        teller.say("redis", error.message)


def _greet(screen: Screen, settings: Settings, address: str, redis: RedisServer) -> None:
    database = without_password(settings.database_url or "") or f"embedded PostgreSQL in {settings.state}"
    screen.say(f"{click.style('codemation dev --production', bold=True)}  {settings.root}")
    for name, value in {
        "web": f"{address}   (API: {address}/api/v1/docs)",
        "database": database,
        "messages": f"Redis at 127.0.0.1:{redis.port}, for as long as this runs",
    }.items():
        screen.say(f"  {name:<10} {value}")
    hint = "  new code counts after codemation build && codemation deploy; Ctrl-C ends everything"
    screen.say(click.style(hint, dim=True))


class _Teller:
    """Tells what each program says, with its name before it."""

    def __init__(self, screen: Screen, names: list[str]) -> None:
        self._screen = screen
        self._room = max(map(len, names))
        self._colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
        self._guard = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """Tell a line of one of them."""
        mark = click.style(f"{name:<{self._room}} │", fg=self._colours.get(name, "red"))
        with self._guard:
            self._screen.say(f"{mark} {visible(click.unstyle(line))}")


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set when somebody presses Ctrl-C, or asks this process to end."""
    over = threading.Event()
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, lambda *_: over.set()) for one in wanted}
    try:
        yield over
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
