"""Who lives: where this process runs, what its pid means, and whether another one has died.

A pid means something only within one boot of one machine and one pid namespace (its *place*); there, a process that is
missing, or whose start differs, is dead now. Elsewhere a worker is dead when its beat has stood still for long enough
on the observer's own monotonic clock, counting only time in which the observer itself reached the database.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow

SILENCE = 8.0
"""Seconds without a new beat after which a worker elsewhere is taken for dead."""


def place() -> str:
    """Names the pids of this machine's boot and process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{platform.node()}/{platform.system()}"


def started(pid: int) -> int | None:
    """What the system says of a process's start, in its own ticks; 0 where it does not say; `None` for no process."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _signalled(pid)
    except ProcessLookupError:
        return None
    return None if after_name[0] in ("Z", "X") else int(after_name[19])


def _signalled(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


def this_process(worker: WorkerId, version: str) -> WorkerRow:
    """The entry of this process."""
    return WorkerRow(
        id=worker,
        name=f"{socket.gethostname()}:{os.getpid()}",
        place=place(),
        pid=os.getpid(),
        pid_started=started(os.getpid()) or 0,
        version=version,
    )


def is_gone(worker: WorkerRow, here: str) -> bool:
    """Whether a process of this place is not there any more; of one elsewhere its pid says nothing."""
    if worker.place != here:
        return False
    alive = started(worker.pid)
    return alive is None or bool(worker.pid_started and alive != worker.pid_started)


class Observer:
    """Tells the dead from the living among the workers that a process hears of."""

    def __init__(self, here: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._here = here
        self._clock = clock
        self._beats: dict[WorkerId, tuple[int, float]] = {}

    def dead(self, workers: Sequence[WorkerRow]) -> list[WorkerId]:
        """Those of `workers`, as just read from the database, that are dead."""
        now = self._clock()
        found = []
        for worker in workers:
            if worker.place == self._here:
                if is_gone(worker, self._here):
                    found.append(worker.id)
                continue
            beat, since = self._beats.get(worker.id, (-1, now))
            if beat != worker.beat:
                since = now
            self._beats[worker.id] = (worker.beat, since)
            if now - since >= SILENCE:
                found.append(worker.id)
        known = {worker.id for worker in workers}
        self._beats = {worker: seen for worker, seen in self._beats.items() if worker in known}
        return found

    def outage(self) -> None:
        """The database was away: whatever was observed before says nothing now."""
        self._beats.clear()
