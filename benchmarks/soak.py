"""Half of what the fleet can do, for a quarter of an hour: does anything grow? `python -m benchmarks.soak`."""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median

import psutil

from benchmarks import flows
from benchmarks.chain import STEPS
from benchmarks.day.report import figure, table
from benchmarks.effort import FULL
from benchmarks.figures import percentile
from benchmarks.fleet import DATABASE, TOGETHER, Crew, crew
from benchmarks.queues import WORKERS
from benchmarks.stand import Stand, standing

HANDS = 32
"""Those who hand runs in, and wait for each."""
LIMIT_RUNS = 600
"""Runs by which it is found out how many the fleet can do in a second."""
HEADROOM = 0.5
SLOPE = 0.1
"""What was measured in the second half may lie above the first half by this share and still be called flat."""
ROOM = {"memory of a process": 8.0, "latency p50": 2.0, "latency p95": 10.0, "queued": 5.0, "connections": 2.0}
"""And by so much in its own unit, which is noise: MiB, ms, runs, connections."""
_BLOAT = "SELECT COALESCE(sum(n_dead_tup), 0)::bigint, pg_database_size(current_database()) FROM pg_stat_user_tables"
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
_QUEUED = "SELECT count(*) FROM tickets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What was seen in one minute, or a shorter stretch."""

    runs: int
    p50: float
    p95: float
    queued: int
    connections: int
    dead_rows: int
    database: float
    """MiB."""
    memory: tuple[float, ...]
    """MiB of each process."""


def soak(stand: Stand, minutes: float, stretch: float = 60.0) -> tuple[float, list[Minute]]:
    """The limit in W10 a second, and what was seen at half of it, stretch by stretch."""
    workflow = flows.chain(STEPS)
    with crew(stand, WORKERS, TOGETHER) as ours, ThreadPoolExecutor(HANDS) as pool:
        seen, taken, over = list[Minute](), deque[float](), threading.Event()

        def one() -> None:
            began = time.perf_counter()
            ours.submit(workflow).result(timeout=300)
            taken.append(1_000 * (time.perf_counter() - began))

        limit = _limit(pool, one)
        taken.clear()

        def feed() -> None:
            due = time.monotonic()
            while not over.is_set():
                pool.submit(one)
                due += 1 / (HEADROOM * limit)
                time.sleep(max(0.0, due - time.monotonic()))

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            while len(seen) * stretch < 60 * minutes:
                time.sleep(stretch)
                some = [taken.popleft() for _ in range(len(taken))]
                seen.append(_look(stand, ours, some))
                print(f"{len(seen):>3}  {shown(seen[-1])}", flush=True)
        finally:
            over.set()
            feeder.join()
    return limit, seen


def _limit(pool: ThreadPoolExecutor, one: Callable[[], None]) -> float:
    """W10 a second when each of those who hand in does so again as soon as he has his result, after a warm-up.

    Handed in all at once they take half the processor time, but nobody hands in like that for a quarter of an hour.
    """
    rate = 0.0
    for many in (LIMIT_RUNS // 4, LIMIT_RUNS):
        began = time.perf_counter()
        for run in [pool.submit(one) for _ in range(many)]:
            run.result()
        rate = many / (time.perf_counter() - began)
    return rate


def _look(stand: Stand, ours: Crew, taken: Sequence[float]) -> Minute:
    crew_of = [one for process in ours.processes for one in (process, *process.children(recursive=True))]
    (queued,), (connections,) = stand.within(DATABASE, _QUEUED), stand.ask(_OPEN, DATABASE)
    dead, size = stand.within(DATABASE, _BLOAT)
    return Minute(
        runs=len(taken),
        p50=median(taken) if taken else 0.0,
        p95=percentile(taken, 95) if taken else 0.0,
        queued=queued,
        connections=connections,
        dead_rows=int(dead),
        database=size / 2**20,
        memory=tuple(one.memory_info().rss / 2**20 for one in (*crew_of, psutil.Process())),
    )


def verdicts(seen: Sequence[Minute]) -> dict[str, tuple[float, float, bool]]:
    """Of what should be flat: the first half after a warm-up of a tenth, the second half, and whether it is."""
    warm = seen[max(1, len(seen) // 10) :] or seen
    first, second = warm[: len(warm) // 2] or warm, warm[len(warm) // 2 :]
    ways = {
        "memory of a process": lambda one: max(one.memory),
        "latency p50": lambda one: one.p50,
        "latency p95": lambda one: one.p95,
        "queued": lambda one: float(one.queued),
        "connections": lambda one: float(one.connections),
    }
    halves = {name: (fmean(map(way, first)), fmean(map(way, second))) for name, way in ways.items()}
    return {
        name: (before, after, after <= before * (1 + SLOPE) + ROOM[name]) for name, (before, after) in halves.items()
    }


def shown(minute: Minute) -> str:
    """A minute as a line."""
    return (
        f"{minute.runs} runs, p50 {minute.p50:.1f} ms, p95 {minute.p95:.1f} ms, {minute.queued} tickets, "
        f"{minute.connections} connections, {minute.dead_rows} dead rows, database {minute.database:.0f} MiB, "
        f"largest process {max(minute.memory):.0f} MiB"
    )


def summary(limit: float, seen: Sequence[Minute]) -> str:
    """The table for the README, and the verdict."""
    found = verdicts(seen)
    rows = [
        (name, figure(before), figure(after), "flat" if flat else "NOT FLAT")
        for name, (before, after, flat) in found.items()
    ]
    runs = sum(one.runs for one in seen)
    growth = (seen[-1].database - seen[0].database) / max(1, runs - seen[0].runs) * 1024
    return (
        f"limit {figure(limit)} W10/s; {runs:,} runs at {figure(HEADROOM * limit)} a second; "
        f"the database grew by {figure(growth)} KB a run\n\n" + table(("", "first half", "second half", ""), rows)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out a command line; the exit code is 1 if something grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--stretch", type=float, default=60.0, help="seconds between looks")
    parser.add_argument("--keep", type=Path, default=Path("build/bench/soak.json"), help="where every value goes")
    asked = parser.parse_args(arguments)
    keep = asked.keep.absolute()
    with standing(FULL) as stand:
        limit, seen = soak(stand, asked.minutes, asked.stretch)
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.write_text(json.dumps({"limit": limit, "minutes": [asdict(one) for one in seen]}, indent=1))
    print(summary(limit, seen))
    raise SystemExit(not all(flat for *_, flat in verdicts(seen).values()))


if __name__ == "__main__":
    main()
