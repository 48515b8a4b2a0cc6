"""The peers, each in an environment of its own, on the same servers in databases of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ENVIRONMENTS = Path("build/bench")
"""Where each peer has an environment of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKind:
    """Somebody who does the same work, and the program that lets him do it."""

    name: str
    program: str
    environment: str
    requirements: tuple[str, ...]
    manner: tuple[str, ...] = ()
    """Arguments of its program: in which of its ways it works."""

    @property
    def path(self) -> Path:
        """Its program."""
        return Path(__file__).with_name(self.program)

    def at(self, environments: Path) -> Path:
        """Its environment, among those of all peers."""
        return environments / self.environment


_PSYCOPG = "psycopg[binary]>=3.2"
DBOS = PeerKind(name="DBOS", program="peer_program.py", environment="dbos", requirements=("dbos>=2", _PSYCOPG))
DBOS_QUEUE = PeerKind(
    name="DBOS queue", program="peer_dbos_queue.py", environment="dbos", requirements=("dbos>=2", _PSYCOPG)
)
CELERY = PeerKind(
    name="Celery chain",
    program="peer_celery.py",
    environment="celery",
    requirements=("celery[redis]>=5.5", "packaging"),
    manner=("prefork",),
)
CELERY_SOLO = replace(CELERY, name="Celery chain, solo", manner=("solo",))
PROCRASTINATE = PeerKind(
    name="procrastinate",
    program="peer_procrastinate.py",
    environment="procrastinate",
    requirements=("procrastinate>=3", _PSYCOPG),
)


class PeerMissing(Exception):
    """The peer cannot take part."""


_MOURN = """
import os, signal, sys
sys.stdin.buffer.read()
try:
    os.killpg(int(sys.argv[1]), signal.SIGKILL)
except ProcessLookupError:
    pass
"""


def _mourner(group: int) -> subprocess.Popen[bytes]:
    """Ends a group of processes when this one has ended without having done so: those that stand still never would.

    It stands in a session of its own, so that neither Ctrl-C nor what stops the group stops it.
    """
    command = [sys.executable, "-I", "-S", "-c", _MOURN, str(group)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


class Peer:
    """A running peer and its workers. While others are measured all stand still, because they poll even when idle."""

    def __init__(self, kind: PeerKind, python: Path, **told: str) -> None:
        """`told` says where its database and its Redis are."""
        self.kind = kind
        self._process = subprocess.Popen(
            [python, kind.path, *kind.manner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # so that it can be stopped with its workers
        )
        self._mourner = _mourner(self._process.pid)
        try:
            self.version: str = self._asked(told)["version"]
        except BaseException:
            self._kill()
            raise
        self._rest()

    def seconds(self, work: str, size: int, count: int) -> list[float]:
        """What a piece of work took, each of so many times."""
        self._send(signal.SIGCONT)
        try:
            seconds: list[float] = self._asked({"work": work, "size": size, "count": count})["seconds"]
        finally:
            self._rest()
        return seconds

    def close(self) -> None:
        """End it, and whatever it has started."""
        self._send(signal.SIGCONT)
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill()

    def _kill(self) -> None:
        self._send(signal.SIGKILL)
        self._process.communicate()
        self._mourner.kill()
        self._mourner.communicate()

    def _rest(self) -> None:
        self._send(signal.SIGSTOP)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise PeerMissing(f"{self.kind.name} has ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def installed(kind: PeerKind, environments: Path) -> Path:
    """The peer's Python, in an environment that is made if it is not there.

    Raises:
        PeerMissing: it cannot be installed, for example because there is no network.
    """
    environment = kind.at(environments)
    python = environment / "bin" / "python"
    if python.exists():
        return python
    uv = Path(sys.executable).with_name("uv")
    commands: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--python", sys.executable, environment],
        [uv, "pip", "install", "--quiet", "--python", python, *kind.requirements],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(environment, ignore_errors=True)
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise PeerMissing(f"{kind.name} cannot be installed: {said[-1] if said else error}") from error
    return python
