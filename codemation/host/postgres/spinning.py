"""Looking for an answer before sleeping until it comes.

Theory of operation. A thread that sleeps is woken by way of the kernel, and a processor that has gone to rest meanwhile
is woken first; together that may take as long as a small commit on a quick disk. So whoever has nothing else to do
looks for the answer itself, for as long as a quick one takes, and sleeps only after that. It is left out where it could
gain nothing or would take from others: in a fleet, whose processes share the processors; where the server is on another
machine; where answers have lately taken longer (a slow disk, or a machine that is busy); and where there is no second
processor for the server to work on. Each look lets other threads of the process go on.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")
SHORT = 0.001
"""Seconds for which an answer is looked for at the most, and more than it has usually taken of late."""
LONGEST = 4 * SHORT
"""Seconds as which anything longer counts, so that one answer that was late is soon forgotten."""
WEIGHT = 1 / 8
"""Of the last answer in what is usual."""


class SpinWait:
    """How those who wait at one connection do so."""

    __slots__ = ("_usual",)

    def __init__(self, *, near: bool) -> None:
        """`near` says that the server is on this machine, and nobody else at work."""
        self._usual = 0.0 if near and processors() > 1 else math.inf
        """Seconds that answers have taken of late; for ever where they are not looked for."""

    def until(self, there: Callable[[int], object], answer: Callable[[], Answer]) -> Answer:
        """What `answer` gives, which sleeps until it can; `there` says whether it has come, waiting so many ms."""
        began = time.perf_counter()
        if self._usual < SHORT:
            _look(there, began + SHORT)
        given = answer()
        self._usual += (min(time.perf_counter() - began, LONGEST) - self._usual) * WEIGHT
        return given


def _look(there: Callable[[int], object], until: float) -> None:
    now = time.perf_counter
    while not there(0) and now() < until:
        pass


def processors(root: Path = Path("/")) -> float:
    """Processors that this process may use at a time: those it may run on, or its share of them where that is less."""
    affinity = getattr(os, "sched_getaffinity", None)
    many = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(many, _share(root))


def _share(root: Path) -> float:
    """How many processors the control group of this process may use, as Linux says it; any number where it does not."""
    try:
        group = (root / "proc/self/cgroup").read_text().partition("0::")[2].splitlines()[0].strip("/")
        quota, period = (root / "sys/fs/cgroup" / group / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, IndexError):  # there is none, or no limit, which is said in a word
        return math.inf
