"""Who lives: where this process runs, what its pid means, and whether another one has died.

A pid means something only within one boot of one machine and one pid namespace (its *place*); there, a process that is
missing, or whose start differs, is dead now. Any other worker is dead when its beat has stood still for long enough on
the observer's own monotonic clock, counting only time in which the observer itself reached the database; one of the
same place lives for as long as it burns processor time, for a node may keep all other threads of its process waiting.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codemation.core.ids import WorkerId
from codemation.core.ports import WorkerRow

BEAT = 2.5
"""Seconds between two beats."""
SILENCE = 8.0
"""Seconds without a new beat after which a worker is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """How a process shows that it lives, and by what it judges others."""

    beat: float = BEAT
    silence: float = SILENCE
    here: str = ""
    """Its place; by default the one that the system says."""
    entry: Callable[[WorkerRow], WorkerRow] = lambda row: row
    """Completes what is entered of it."""
    load: Callable[[], int] = lambda: 0
    """Activations that it works on now."""
    beaten: Callable[[WorkerId], None] = lambda worker: None
    """Told of each beat, and of the first entry."""

    @property
    def place(self) -> str:
        """Where its pid means something."""
        return self.here or place()

    def row(self, worker: WorkerId, version: str) -> WorkerRow:
        """What is entered of this process."""
        return self.entry(replace(this_process(worker, version), place=self.place))


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


def burnt(pid: int) -> int | None:
    """The processor time that a process has used, in ticks of the system; `None` where that is not said."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(after_name[11]) + int(after_name[12])


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
        host=socket.gethostname(),
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

    def __init__(self, here: str, silence: float = SILENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._here = here
        self._silence = silence
        self._clock = clock
        self._seen: dict[WorkerId, tuple[tuple[int, int | None], float]] = {}
        """The last sign of life of each worker, and since when it is the last."""

    def dead(self, workers: Sequence[WorkerRow]) -> list[WorkerId]:
        """Those of `workers`, as just read from the database, that are dead."""
        now = self._clock()
        found = []
        for worker in workers:
            if is_gone(worker, self._here):
                found.append(worker.id)
                continue
            mine = worker.place == self._here
            used = burnt(worker.pid) if mine else 0
            sign, since = self._seen.get(worker.id, ((-1, 0), now))
            if sign != (worker.beat, used) or used is None:
                since = now
            self._seen[worker.id] = ((worker.beat, used), since)
            if now - since >= self._silence:
                found.append(worker.id)
        known = {worker.id for worker in workers}
        self._seen = {worker: seen for worker, seen in self._seen.items() if worker in known}
        return found

    def outage(self) -> None:
        """The database was away: whatever was observed before says nothing now."""
        self._seen.clear()
