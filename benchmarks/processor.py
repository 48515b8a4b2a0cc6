"""Processor time, which says what work costs where clocks say only how busy the machine was."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.stand import Stand

_PROC = Path("/proc")


def spent(stand: Stand) -> tuple[float, float]:
    """Seconds that this process has spent, and the server and all its backends; the latter on Linux alone."""
    pid_file = stand.folder / ".codemation" / "postgres" / "data" / "postmaster.pid"
    server = pid_file.read_text().splitlines()[0]
    return time.process_time(), sum(_seconds(each) for each in (_PROC / server, *_children(server)))


def _children(server: str) -> list[Path]:
    listed = _PROC / server / "task" / server / "children"
    return [_PROC / child for child in listed.read_text().split()] if listed.exists() else []


def _seconds(process: Path) -> float:
    """What a process has spent; nothing of one that has just ended."""
    try:
        return int((process / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0
