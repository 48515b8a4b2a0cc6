"""P6: a web process and a worker that have nothing to do: what they ask of the database and of the processor."""

from __future__ import annotations

import time

import psutil

from benchmarks.figures import Bar, Finding, Series
from benchmarks.fleet import DATABASE, crew
from benchmarks.stand import Stand

_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"


def measure(stand: Stand) -> Finding:
    """Transactions a second and the share of a core, over some time."""
    seconds = stand.effort.idle_seconds
    with crew(stand) as ours:
        ours.worker("--concurrency", "1")
        web = ours.serve("web", "--port", "0", "--unguarded")
        ours.until(lambda said: "http" in said, ours.folder / f"web{len(ours.processes) - 1}.log", web)
        ours.app.close()
        time.sleep(stand.effort.settle_seconds)  # the hourly duties come after half a minute
        family = [one for process in ours.processes for one in (process, *process.children(recursive=True))]
        (before,), spent_before = stand.ask(_TRANSACTIONS, DATABASE), _spent(family)
        time.sleep(seconds)
        (after,), spent_after = stand.ask(_TRANSACTIONS, DATABASE), _spent(family)
        memory = [one.memory_full_info().pss / 2**20 for one in family]
    return Finding(
        name="P6",
        title="a web process and a worker that are idle",
        series=(Series(name=f"memory of {len(family)} processes", unit="MiB", values=(sum(memory),)),),
        bars=(
            Bar(what="transactions a second", figure=(after - before) / seconds, limit=2.0, unit=""),
            Bar(what="share of a core", figure=100 * (spent_after - spent_before) / seconds, limit=2.0, unit="%"),
        ),
    )


def _spent(family: list[psutil.Process]) -> float:
    return sum(one.cpu_times().user + one.cpu_times().system for one in family)
