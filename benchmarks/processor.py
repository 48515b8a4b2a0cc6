"""Processor time, which says what work costs where clocks say only how busy the machine was."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.stand import Stand

_PROC = Path("/proc")


_CHILDREN_TIMES = slice(13, 15)
"""Of the words of `stat` behind the name of the program: ticks of children that have ended, in user code and system."""


def spent(stand: Stand) -> tuple[float, float]:
    """Seconds that this process has spent, and the server and all its backends; the latter on Linux alone."""
    server = _server(stand)
    return time.process_time(), sum(_seconds(each) for each in (_PROC / server, *_children(server)))


def spent_by_ended(stand: Stand) -> float:
    """Seconds that backends of the server had spent when they ended, counted in hundredths."""
    words = (_PROC / _server(stand) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[_CHILDREN_TIMES])) / os.sysconf("SC_CLK_TCK")


def _server(stand: Stand) -> str:
    pid_file = stand.folder / ".codemation" / "postgres" / "data" / "postmaster.pid"
    return pid_file.read_text().splitlines()[0]


def _children(server: str) -> list[Path]:
    listed = _PROC / server / "task" / server / "children"
    return [_PROC / child for child in listed.read_text().split()] if listed.exists() else []


def _seconds(process: Path) -> float:
    """What a process has spent; nothing of one that has just ended."""
    try:
        return int((process / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0
