"""A process of a few megabytes that beats for workers that cannot: a node may keep all of their threads waiting.

Theory of operation. Workers write a line for each beat of their own into the pipe that is this process's standard
input. One that has written nothing for longer than a beat, but burns processor time and is not stopped, lives: this
process beats in its place. One that neither beats nor burns is left to be taken for dead. The database library is
loaded, and a connection opened, when that is first needed. When all writers of the pipe are gone, so is this process.

It imports nothing of ours, so that it stays small. The lines: `u URL`, `e SECONDS` (of a beat), `b PID WORKER`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Any

LATE = 1.2
"""So many beats without a line are too many."""
LIMIT = 3.0
"""Seconds that the database gets for a beat; who waited longer would not read what workers write to him."""
_BEAT = "UPDATE workers SET beat = beat + 1, heard_at = now_() WHERE id = %s AND dead_at IS NULL"


class Helper:
    """Beats for those who have told of themselves."""

    def __init__(self) -> None:
        self._url = ""
        self._every = 2.5
        self._workers: dict[int, tuple[int, float, int]] = {}
        """By process: its worker, when it was heard of or beaten for, and the processor time that it had used."""
        self._link: Any = None

    def serve(self, source: int) -> None:
        """Go on until the other end of the pipe is closed."""
        rest = b""
        while True:
            if select.select([source], [], [], self._every / 4)[0]:
                read = os.read(source, 65536)
                if not read:
                    return
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    self._hear(line.decode().split(" "))
            self._look()

    def _hear(self, words: list[str]) -> None:
        if words[0] == "u":
            self._url = words[1]
        elif words[0] == "e":
            self._every = float(words[1])
        elif words[0] == "b":
            pid = int(words[1])
            self._workers[pid] = (int(words[2]), time.monotonic(), _burnt(pid) or 0)

    def _look(self) -> None:
        now = time.monotonic()
        for pid, (worker, heard, before) in list(self._workers.items()):
            used = _burnt(pid)
            if used is None:
                del self._workers[pid]
            elif now - heard >= LATE * self._every and used > before:
                self._beat(worker)
                self._workers[pid] = (worker, now, used)

    def _beat(self, worker: int) -> None:
        import psycopg  # noqa: PLC0415 - most helpers never need it

        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            if self._link is None or self._link.closed:
                self._link = psycopg.connect(self._url, autocommit=True, connect_timeout=2, prepare_threshold=None)
            self._link.execute(_BEAT, [worker])
        except (psycopg.Error, TimeoutError) as error:
            print(f"a beat for worker {worker} has failed: {error}", file=sys.stderr)  # noqa: T201
            self._link = None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _ring(_number: int, _frame: FrameType | None) -> None:
    """What is waited for does not come."""
    raise TimeoutError(f"the database has not answered for {LIMIT:g} seconds")


def _burnt(pid: int) -> int | None:
    """The processor time that a process has used; `None` when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in {"Z", "X"} else int(words[11]) + int(words[12])


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _ring)
    Helper().serve(0)
