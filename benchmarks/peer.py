"""The peer: DBOS in an environment of its own, on the same server in a database of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ENVIRONMENT = Path("build/bench/dbos")
PROGRAM = Path(__file__).with_name("peer_program.py")
REQUIREMENTS = ("dbos>=2", "psycopg[binary]>=3.2")


class PeerMissing(Exception):
    """The peer cannot take part."""


class Peer:
    """A running process of the peer. While others are measured it is stopped, because it polls even when idle."""

    def __init__(self, python: Path, url: str) -> None:
        self._process = subprocess.Popen(
            [python, PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self.version: str = self._asked({"url": url})["version"]
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        self._rest()

    def seconds(self, work: str, size: int, count: int) -> list[float]:
        """What a piece of work took, each of so many times."""
        self._process.send_signal(signal.SIGCONT)
        try:
            seconds: list[float] = self._asked({"work": work, "size": size, "count": count})["seconds"]
        finally:
            self._rest()
        return seconds

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _rest(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def _asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise PeerMissing(f"DBOS has ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def installed(environment: Path) -> Path:
    """The peer's Python, in an environment that is made if it is not there.

    Raises:
        PeerMissing: it cannot be installed, for example because there is no network.
    """
    python = environment / "bin" / "python"
    if python.exists():
        return python
    uv = Path(sys.executable).with_name("uv")
    commands: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--python", sys.executable, environment],
        [uv, "pip", "install", "--quiet", "--python", python, *REQUIREMENTS],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(environment, ignore_errors=True)
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise PeerMissing(f"DBOS cannot be installed: {said[-1] if said else error}") from error
    return python
