"""E7: a large table through five nodes, stored at each, against the same calls with a file written at each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand

PROGRAM = Path(__file__).with_name("wide_program.py")
NODES = 5


def measure(stand: Stand) -> Finding:
    """Seconds and memory of whole processes: the library with files, and ours with a directory of payloads."""
    stand.rest()
    rows = stand.effort.rows
    contenders: dict[str, Callable[[], dict[str, float]]] = {
        "library with files": lambda: _asked(stand, "plain", rows),
        "ours": lambda: _asked(stand, "ours", rows),
    }
    taken = interleaved(contenders, stand.effort.rounds)
    seconds = {
        name: Series(name=name, unit="s", values=tuple(one["seconds"] for one in rounds))
        for name, rounds in taken.items()
    }
    peaks = {
        name: Series(name=f"{name}, grown by", unit="MiB", values=tuple(one["grown"] for one in rounds))
        for name, rounds in taken.items()
    }
    slower = ratio("ours / library with files", seconds["ours"], seconds["library with files"])
    table = taken["ours"][0]["table"]
    over = (peaks["ours"].median - peaks["library with files"].median) / table
    return Finding(
        name="E7",
        title=f"a table of {rows:,} rows through {NODES} nodes",
        series=(*seconds.values(), slower, *peaks.values(), Series(name="the table", unit="MiB", values=(table,))),
        bars=(
            Bar(what="time, ours / library with files", figure=slower.median, limit=1.5, unit="×"),
            Bar(what="memory over the library's, in tables", figure=over, limit=2.5, unit="×"),
        ),
        yardstick=seconds["library with files"],
        notes=("Both write each table and have the disk confirm it; what a process holds before is not counted.",),
    )


def _asked(stand: Stand, who: str, rows: int) -> dict[str, float]:
    """What a process of its own says."""
    environment = os.environ | {"CODEMATION_PAYLOADS": "directory"}
    command = [sys.executable, str(PROGRAM), who, str(rows)]
    done = subprocess.run(command, check=True, cwd=stand.folder, env=environment, stdout=subprocess.PIPE, text=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said
