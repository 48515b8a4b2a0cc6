"""P4: a worker is killed elsewhere, where nobody can look whether its process lives; how long until another goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series
from benchmarks.fleet import Crew, crew
from benchmarks.stand import Stand

SETTINGS: Mapping[str, Mapping[str, str]] = {"defaults": {}, "tuned": {"beat": "0.4", "silence": "1.2"}}
LIMITS = {"defaults": 15.0, "tuned": 3.0}
"""Seconds."""


def measure(stand: Stand, names: Sequence[str] = tuple(SETTINGS)) -> Finding:
    """Seconds from the kill to the next try, round by round."""
    series = []
    for name in names:
        with crew(stand, **SETTINGS[name]) as ours:
            ours.worker("--concurrency", "1", place="place 0")
            taken = [_taken_over(ours, stand.folder / f"trace {name} {number}") for number in range(stand.effort.kills)]
        series.append(Series(name=f"taken over, {name}", unit="s", values=tuple(taken)))
    return Finding(
        name="P4",
        title="a worker is killed elsewhere",
        series=tuple(series),
        bars=tuple(
            Bar(what=f"the slowest take-over, {name}", figure=one.spread[1], limit=LIMITS[name], unit="s")
            for name, one in zip(names, series, strict=True)
        ),
        notes=("Each worker says that it is on a machine of its own, so that only its beats tell whether it lives.",),
    )


def _taken_over(ours: Crew, trace: Path) -> float:
    """Let the worker take a run up, start another one, kill the first, and wait until the run is begun anew."""
    victim = ours.processes[-1]
    run = ours.submit(flows.stuck(), params=flows.Trace(file=trace))
    while not (trace.exists() and trace.read_text()):
        time.sleep(0.01)
    ours.worker("--concurrency", "1", place=f"place {len(ours.processes)}")
    ours.end(victim)
    began = time.time()
    result = run.result(timeout=60)
    _, again, *others = trace.read_text().splitlines()
    assert result in (1, [1]), (result, trace.read_text())
    assert not others, trace.read_text()
    return float(again.split()[1]) - began
