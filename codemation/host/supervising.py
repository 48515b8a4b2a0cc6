"""Programs that run side by side for as long as they are wanted: what dies is started again, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from codemation.host import guard

FIRST_PAUSE = 0.5
"""Seconds before what has died is started again; twice as many each time that it dies soon."""
LONGEST_PAUSE = 30.0
SOON = 20.0
"""Seconds: who lives longer has not died soon."""
GRACE = 15.0
"""Seconds that programs get to end."""
LOOK = 0.1
Say = Callable[[str, str], None]
"""Told the name of a program and a line of what it says, or of what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Something to be run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of this process."""
    folder: Path | None = None


def guarded(command: Sequence[str], pipe: int, grace: float) -> list[str]:
    """A command line that starts a program which ends when the other end of the pipe is closed."""
    return [sys.executable, "-I", "-S", str(Path(guard.__file__)), str(pipe), str(grace), *command]


class Guarded:
    """A process, in a session of its own, that ends with this one, however this one ends."""

    def __init__(self, program: Program, *, grace: float = GRACE, pipe_output: bool = True) -> None:
        self._grace = grace
        reading, self._held = os.pipe()
        try:
            self.process = subprocess.Popen(
                guarded(program.command, reading, grace),
                env={**os.environ, **program.environment},
                cwd=program.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe_output else None,
                stderr=subprocess.STDOUT if pipe_output else None,
                pass_fds=(reading,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._held)
            raise
        finally:
            os.close(reading)

    def ask(self) -> None:
        """Ask it to end."""
        if self.process.poll() is None:
            self.process.terminate()

    def end(self, until: float) -> None:
        """Wait for its end up to a time of the monotonic clock, and end what is left of its group by force."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=max(0.0, until - time.monotonic()))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # the guard is in it, and what it has forked
        self.process.wait()
        os.close(self._held)
        if self.process.stdout is not None:
            self.process.stdout.close()


class Supervisor:
    """Runs programs, tells what they say, and starts them again when they die."""

    def __init__(self, programs: Sequence[Program], say: Say, *, grace: float = GRACE) -> None:
        self._programs = programs
        self._say = say
        self._grace = grace
        self._running: dict[str, Guarded] = {}
        self._began: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        """Start all of them."""
        for program in self._programs:
            self._start(program)

    def look(self) -> None:
        """See who has died, and start again whoever's time has come."""
        now = time.monotonic()
        for program in self._programs:
            running = self._running.get(program.name)
            if running is not None and running.process.poll() is not None:
                self._mourn(program, running)
            elif running is None and now >= self._due.get(program.name, now):
                self._start(program)

    def stop(self) -> None:
        """End all of them, those first that were started last."""
        order = list(reversed(self._running.values()))
        for one in order:
            one.ask()
        until = time.monotonic() + self._grace
        for one in order:
            one.end(until)
        self._running.clear()
        for reader in self._readers:
            reader.join(timeout=1.0)

    def pid(self, name: str) -> int | None:
        """The process of a program that runs."""
        running = self._running.get(name)
        return None if running is None else running.process.pid

    def _start(self, program: Program) -> None:
        running = self._running[program.name] = Guarded(program, grace=self._grace)
        self._began[program.name] = time.monotonic()
        reader = threading.Thread(target=self._read, args=(program.name, running), daemon=True)
        self._readers = [*(one for one in self._readers if one.is_alive()), reader]
        reader.start()

    def _mourn(self, program: Program, running: Guarded) -> None:
        name, lived = program.name, time.monotonic() - self._began[program.name]
        code = running.process.returncode
        del self._running[name]
        running.end(time.monotonic())
        pause = FIRST_PAUSE if lived > SOON else min(LONGEST_PAUSE, 2 * self._pauses.get(name, FIRST_PAUSE / 2))
        self._pauses[name], self._due[name] = pause, time.monotonic() + pause
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._say(name, f"{how} after {lived:.0f} s; it is started again in {pause:g} s")

    def _read(self, name: str, running: Guarded) -> None:
        stream = running.process.stdout
        if stream is None:
            return
        try:
            for line in stream:
                self._say(name, line.decode(errors="replace").rstrip())
        except ValueError:  # it was closed
            return
