"""A private app with a server of its own, the processes that work in it, and the oracle that judges what they did."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from codemation.core.facts import Broke, Done, decode_delta
from codemation.core.ids import ActivationId, RunId, node_of
from codemation.core.states import RunStatus
from codemation.host.app import App
from codemation.host.handles import RunHandle
from tests.host.postgres.embedded.world import REPOSITORY, Project, eventually, temporary_project
from tests.journeys.driver import begun, settings_of
from tests.journeys.ledger import Effect, effects
from tests.journeys.plant import Work, expected
from tests.journeys.travel import Trip

PATIENCE = 60.0
"""Seconds after which what was waited for is taken for never; the machine may be busy."""

_seeds = random.SystemRandom()


def seeded(name: str) -> random.Random:
    """Chance that can be had again: `JOURNEY_SEED` fixes it, and a test that fails shows it."""
    seed = int(os.environ.get("JOURNEY_SEED") or _seeds.randrange(1_000_000))
    print(f"{name}: JOURNEY_SEED={seed}", flush=True)  # noqa: T201 - shown when the test fails
    return random.Random(f"{seed} {name}")  # noqa: S311 - no secret


class Driver:
    """A process that works on runs of the plant."""

    def __init__(self, pid: int, said: Path) -> None:
        self.process = psutil.Process(pid)
        self._said = said

    @property
    def pid(self) -> int:
        """The process."""
        return int(self.process.pid)

    @property
    def lives(self) -> bool:
        """Whether it has not come to its end."""
        try:
            return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def said(self) -> str:
        """Everything that it has written so far."""
        return self._said.read_text(encoding="utf-8")

    def events(self) -> list[dict[str, Any]]:
        """What it has told so far."""
        whole = self.said().split("\n")[:-1]
        return [json.loads(line) for line in whole if line.startswith("{")]

    def told(self, what: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events() if what in event]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; harmless when it has ended."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        eventually(lambda: not self.lives, within=PATIENCE)

    def wait(self, seconds: float = PATIENCE) -> None:
        """Let it come to its end, of itself or by a signal."""
        deadline = time.monotonic() + seconds
        while self.lives:
            assert time.monotonic() < deadline, f"the driver did not end within {seconds:.0f} s; it said: {self.said()}"
            time.sleep(0.005)

    @property
    def was_killed(self) -> bool:
        """Whether it ended before its time."""
        return not self.lives and not self.told("over")


class Nursery:
    """Drivers, forked from one process that has imported everything, so that each costs next to nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._drivers: list[Driver] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.driver"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def driver(self, orders: dict[str, Any]) -> Driver:
        """A new process that carries out the orders."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._guard:
            said = self._folder / f"said-{len(self._drivers)}"
            said.touch(mode=0o600)
            self._process.stdin.write(f"{json.dumps({**orders, 'said': said}, default=str)}\n")
            driver = Driver(int(self._process.stdout.readline()), said)
            self._drivers.append(driver)
            return driver

    def close(self) -> None:
        """Leave nobody behind."""
        self._process.communicate(timeout=PATIENCE)
        for driver in self._drivers:
            driver.kill()


@dataclass(slots=True, kw_only=True)
class World:
    """An app in a folder of its own."""

    project: Project
    url: str | None = None
    """Of an external database; without it the app has its embedded one."""
    _nurseries: list[Nursery] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def root(self) -> Path:
        """The folder of the app."""
        return self.project.folder

    @property
    def ledger(self) -> Path:
        """Where effects are noted."""
        return self.root / "ledger"

    @property
    def socket(self) -> Path:
        """Where the embedded server listens."""
        return self.project.home.folder / "socket" / ".s.PGSQL.5432"

    @property
    def counted(self) -> Iterator[int]:
        """Numbers that are given once."""
        return self._numbers

    def key(self) -> str:
        """A name for a run."""
        return f"run {next(self._numbers)}"

    @contextmanager
    def braked(self) -> Iterator[Path]:
        """A file for as long as this lasts; calls of a run that is asked to mind it do not end before."""
        brake = self.root / f"brake {next(self._numbers)}"
        brake.touch()
        try:
            yield brake
        finally:
            brake.unlink(missing_ok=True)

    def work(self, **asked: Any) -> Work:
        """What a run is asked for."""
        return Work(ledger=self.ledger, **asked)

    def open(self, **settings: Any) -> App:
        """The app, in this process."""
        return App.open(settings_of(self.root, self.url, **settings))

    def start(self, work: Work | Trip, *keys: str, url: str | None = None, **settings: Any) -> Driver:
        """A process that works on the runs of these keys."""
        orders = {
            "root": self.root,
            "url": url or self.url,
            "keys": keys,
            "asked": type(work).__name__,
            "work": work.model_dump(mode="json"),
            "settings": settings,
        }
        if not self._nurseries:
            self._nurseries.append(Nursery(self.root))
        return self._nurseries[0].driver(orders)

    def python(self, code: str) -> str:
        """What a program says that is given the folder of the app."""
        ended = subprocess.run(
            [sys.executable, "-c", code, os.fspath(self.root)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not ended.returncode, ended.stderr
        return ended.stdout

    def finish(self, app: App, work: Work, *keys: str) -> list[RunHandle]:
        """Go on with the runs of these keys, here and to their end; and judge them."""
        handles = [begun(app, work, key) for key in keys]
        for handle in handles:
            handle.wait(PATIENCE)
        self.judge(app, work, handles)
        return handles

    def judge(self, app: App, work: Work, handles: Sequence[RunHandle]) -> None:
        """Every run has the right end and the right answer, nothing was recorded twice, nobody is stuck."""
        done = effects(self.ledger)
        for handle in handles:
            assert handle.status is RunStatus.SUCCEEDED, f"{handle!r}: {handle.reason}"
            assert handle.output == expected(work.size)
            judge_journal(app, handle.id, [one for one in done if one.run == handle.id])
            judge_keys(handle.id, work, [one for one in done if one.run == handle.id])
        assert app.stores.runs.unattended() == ()

    def effects_of(self, node: str) -> list[Effect]:
        """What a node has done so far."""
        return [one for one in effects(self.ledger) if one.node == node]

    def until_effects(self, number: int, node: str | None = None) -> None:
        """Wait until so much has been done."""
        eventually(lambda: len(self.effects_of(node) if node else effects(self.ledger)) >= number, within=PATIENCE)

    def close(self) -> None:
        """Leave no process behind."""
        for nursery in self._nurseries:
            nursery.close()


def judge_journal(app: App, run: RunId, done: Sequence[Effect]) -> None:
    """No result was recorded twice, the revisions have no gap, and what was recorded was not done again."""
    row, entries = app.stores.journal.load(run)
    assert [entry.revision for entry in entries] == list(range(1, row.revision + 1))
    assert len({entry.head for entry in entries}) == len(entries)
    results: dict[ActivationId, float] = {}
    for entry in entries:
        for fact in decode_delta(entry.delta):
            if isinstance(fact, Done):
                assert fact.activation not in results, f"{fact.activation} of {run} was recorded twice"
                results[fact.activation] = entry.at.timestamp()
            if isinstance(fact, Broke):
                assert fact.activation not in results, f"{fact.activation} of {run} failed after it was done"
    recorded = {node_of(activation): at for activation, at in results.items()}
    late = [one for one in done if one.at > recorded[node_of(ActivationId(f"{one.node}/1"))]]
    assert not late, f"done again although its result was recorded: {late}"


def judge_keys(run: RunId, work: Work, done: Sequence[Effect]) -> None:
    """Each piece of work has one key, however often it was begun: who honours the key sees it once."""
    wanted = {f"{run}/press/1/{number}" for number in range(work.size)} | {f"{run}/combine/1/0"}
    wanted |= {f"{run}/{node}/1" for node in ("gather", "weigh", "count", "send")}
    assert {one.key for one in done} == wanted


def repeats(done: Sequence[Effect]) -> dict[str, int]:
    """How often each key was used beyond the first time, apart from the retry that the plant is made for."""
    times = Counter(one.key for one in done if not (one.node == "send" and one.attempt > 1))
    return {key: number - 1 for key, number in times.items() if number > 1}


@contextmanager
def temporary_world(url: str | None = None) -> Iterator[World]:
    """A world of which no process, no server and no file is left."""
    with temporary_project() as project:
        world = World(project=project, url=url)
        try:
            yield world
        finally:
            world.close()


def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    eventually(condition, within=seconds)
