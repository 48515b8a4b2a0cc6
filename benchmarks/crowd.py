"""E2: W10, many runs in flight in one process, each result durable before the next step of its run."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from benchmarks import flows
from benchmarks.chain import STEPS
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.states import RunStatus
from codemation.core.workflow import Workflow

FLIGHT = 16
"""Runs in flight at a time."""
LONGER = 4
"""So many times as much of ours in a round, which would be over in a fraction of a second otherwise: what a process
does once after a rest (it connects, prepares its statements, starts its threads) would weigh more than in the peer's
seconds."""
THREADS = (1, 4, 16)
"""Threads of the peer; the best of them counts."""
_WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


def measure(stand: Stand) -> Finding:
    """W10 per second of the floor, of the peer with several numbers of threads, and of ours."""
    count, peer = max(stand.effort.crowd, FLIGHT), stand.peer
    workflow = flows.chain(STEPS)
    contenders: dict[str, Callable[[], float]] = {"floor, one run after the other": partial(_floor, stand, count)}
    if peer is not None:
        for threads in THREADS:
            contenders[f"DBOS, {threads} threads"] = partial(_peer, stand, threads, count)
    contenders["ours, one run after the other"] = partial(_flying, workflow, count, 1)
    contenders[f"ours, {FLIGHT} in flight"] = partial(_flying, workflow, LONGER * count, FLIGHT)
    taken = interleaved(contenders, stand.effort.rounds)
    series = {name: Series(name=name, unit="W10/s", values=tuple(values)) for name, values in taken.items()}
    floor, ours = series["floor, one run after the other"], series[f"ours, {FLIGHT} in flight"]
    against = [ratio("ours / floor", ours, floor), ratio("ours in flight / alone", ours, [*series.values()][-2])]
    bars = []
    peers = [one for name, one in series.items() if name.startswith("DBOS")]
    if peers:
        best = max(peers, key=lambda one: one.median)
        against.append(ratio(f"ours / {best.name}", ours, best))
        bars.append(Bar(what=against[-1].name, figure=against[-1].median, limit=8.0, unit="×", at_least=True))
    (before,) = stand.ask(_WRITTEN)
    _flying(workflow, count, FLIGHT)
    (after,) = stand.ask(_WRITTEN)
    written = Series(name="transactions that write", unit="per W10", values=((after - before) / count,))
    return Finding(
        name="E2",
        title=f"W10, {FLIGHT} runs in flight",
        series=(*series.values(), *against, written),
        bars=tuple(bars),
        yardstick=floor,
        notes=("Alone, a W10 is 11 transactions that write.",),
    )


def _flying(workflow: Workflow, count: int, flight: int) -> float:
    began = time.perf_counter()
    runs = deque(workflow.start() for _ in range(flight))
    for number in range(count):
        run = runs.popleft()
        run.wait()
        assert run.status is RunStatus.SUCCEEDED
        if number + flight < count:
            runs.append(workflow.start())
    return count / (time.perf_counter() - began)


def _floor(stand: Stand, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        stand.floor.chain(STEPS)
    return count / (time.perf_counter() - began)


def _peer(stand: Stand, threads: int, count: int) -> float:
    assert stand.peer is not None
    (seconds,) = stand.peer.seconds(f"crowd of {threads}", count, 1)
    return count / seconds
