"""Running programs: in a group of processes of their own, which is ended as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, Final, cast

from codemation.core.context import Context
from codemation.core.errors import NodeError

_GRACE: Final = 2.0
"""Seconds that a program has for ending by itself once it is asked to."""
_LINE: Final = 4_096
"""Bytes of a line that are logged."""
_LINES: Final = 10_000
"""Lines of a stream that are logged."""
_SHOWN: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run."""

    command: tuple[str, ...]
    stdin: str | None
    cwd: str | None
    env: dict[str, str]
    keep_env: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What the program sees of the environment."""
        return {name: os.environ[name] for name in self.keep_env if name in os.environ} | self.env


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far it may go."""

    seconds: float
    bytes: int
    codes: frozenset[int]


@dataclass(slots=True)
class _Stream:
    """What a program writes: kept up to a limit, and logged line by line."""

    source: BufferedReader
    limit: int
    ctx: Context
    kept: bytearray = field(default_factory=bytearray)
    cut: bool = False
    lines: int = 0
    left: bool = False
    """The node has gone on: what comes now is nobody's."""

    def drain(self) -> None:
        """Read until the end, so that the program never waits for a reader."""
        line = b""
        with self.source:  # closed by its reader alone: nobody else can be given its number while it is read from
            while (block := self.source.read1(65_536)) and not self.left:
                room = self.limit - len(self.kept)
                self.kept += block[:room]
                self.cut |= len(block) > room
                *lines, line = (line + block).split(b"\n")
                self._log(lines)
                line = line[:_LINE]
        if line:
            self._log([line])
        if self.lines > _LINES and not self.left:
            self.ctx.log.warning("… %d more lines were not kept", self.lines - _LINES)

    def _log(self, lines: list[bytes]) -> None:
        for line in lines[: max(0, _LINES - self.lines)]:
            if self.left:
                return
            self.ctx.log.info("%s", line[:_LINE].decode("utf-8", "replace").rstrip("\r"))
        self.lines += len(lines)

    @property
    def text(self) -> str:
        """What was kept."""
        return bytes(self.kept).decode("utf-8", "replace")


def run(program: Program, limits: Limits, ctx: Context) -> dict[str, Any]:
    """Run a program to its end, and say what came of it.

    Raises:
        NodeError: it cannot be started, takes too long, or ends with a code that is not all right.
    """
    began = time.monotonic()
    name = program.command[0]
    process = _started(program)
    assert process.stdout is not None  # noqa: S101 - both were asked for
    assert process.stderr is not None  # noqa: S101
    streams = [_Stream(cast(BufferedReader, pipe), limits.bytes, ctx) for pipe in (process.stdout, process.stderr)]
    threads = [  # in this context, by which their lines are known for the node's
        threading.Thread(target=copy_context().run, args=(stream.drain,), daemon=True) for stream in streams
    ]
    threads.append(threading.Thread(target=_feed, args=(process, program.stdin), daemon=True))
    for thread in threads:
        thread.start()
    try:
        why = _awaited(process, began + limits.seconds, ctx)
    finally:
        _end(process)
        for thread in threads:
            thread.join(_GRACE)
        for stream in streams:
            stream.left = True
    if why:
        limit = f" after {limits.seconds:g} s" if why == "stopped" else ""
        raise NodeError(f"{name!r} was {why}{limit}{_tail(streams)}")
    if process.returncode not in limits.codes:
        ended = f"gave {process.returncode}" if process.returncode >= 0 else f"was ended by {_signal(process)}"
        raise NodeError(f"{name!r} {ended}{_tail(streams)}")
    return {
        "code": process.returncode,
        "stdout": streams[0].text,
        "stderr": streams[1].text,
        "cut": any(stream.cut for stream in streams),
        "seconds": round(time.monotonic() - began, 3),
    }


def _started(program: Program) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL if program.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=program.cwd,
            env=program.environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        where = f" in {program.cwd}" if program.cwd else ""
        raise NodeError(f"{program.command[0]!r} cannot be started{where}: {error}") from None


def _feed(process: subprocess.Popen[bytes], text: str | None) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError, OSError), process.stdin as pipe:
            pipe.write((text or "").encode())


def _awaited(process: subprocess.Popen[bytes], deadline: float, ctx: Context) -> str:
    """Wait for the end; why it was not waited for, if so."""
    pause = 0.002
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if ctx.cancelled:
            return "cancelled"
        if time.monotonic() > deadline:
            return "stopped"
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it has started: asked first, then for good.

    The program is buried last: until then no other can be given its number, which is that of the group.
    """
    _tell(process, signal.SIGTERM)
    until = time.monotonic() + _GRACE
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    _tell(process, signal.SIGKILL)
    process.wait()


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal(process: subprocess.Popen[bytes]) -> str:
    return signal.Signals(-process.returncode).name


def _tail(streams: list[_Stream]) -> str:
    said = next((stream.text.strip() for stream in reversed(streams) if stream.text.strip()), "")
    return f": {'…' if len(said) > _SHOWN else ''}{said[-_SHOWN:]}" if said else ""
