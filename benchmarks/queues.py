"""P1 and P2: the same steps by two workers of everybody, handed in by a process that does nothing else.

DBOS works on four workflows at a time in a worker, with which it does most, and ours has runs in flight that share
commits. Celery works in the pool that it has by default, which the bar is about, and in the one in which it does most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks import flows
from benchmarks.chain import STEPS
from benchmarks.figures import Bar, Finding, Series, percentile, ratio
from benchmarks.fleet import TOGETHER, Crew, crew
from benchmarks.peer import CELERY, CELERY_SOLO, DBOS_QUEUE, PROCRASTINATE, Peer
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.workflow import Workflow

PEERS = (DBOS_QUEUE, CELERY, CELERY_SOLO, PROCRASTINATE)
WORKERS = 2
SHORT = 3
"""Steps of the short run."""
_AT_LEAST = {DBOS_QUEUE.name: 4.0, CELERY.name: 3.4}
"""How many times as much as a peer ours should do."""


def measure_rate(stand: Stand) -> Finding:
    """W10 a second, all handed in at once."""
    count, ten = stand.effort.queue, flows.chain(STEPS)
    peers = stand.guests(*PEERS)
    contenders: dict[str, Callable[[], float]] = {name: partial(_peer, peer, count) for name, peer in peers.items()}
    with crew(stand, WORKERS, TOGETHER) as ours:
        contenders["ours"] = partial(_ours, ours, ten, count)
        rates = interleaved(contenders, stand.effort.rounds)
    series = {name: Series(name=name, unit="W10/s", values=tuple(values)) for name, values in rates.items()}
    against = {name: ratio(f"ours / {name}", series["ours"], one) for name, one in series.items() if name != "ours"}
    return Finding(
        name="P1",
        title=f"W10, {WORKERS} workers of everybody",
        series=(*series.values(), *against.values()),
        bars=tuple(
            Bar(
                what=f"W10 per second, ours / {name}", figure=against[name].median, limit=limit, unit="×", at_least=True
            )
            for name, limit in _AT_LEAST.items()
            if name in against
        ),
        notes=stand.missing(*PEERS),
    )


def measure_latency(stand: Stand) -> Finding:
    """Milliseconds from handing in three steps to holding their result, one run after the other."""
    count, three = stand.effort.short_runs, flows.chain(SHORT)
    peers = stand.guests(*PEERS)
    contenders: dict[str, Callable[[], list[float]]] = {
        name: partial(peer.seconds, "submit", SHORT, count) for name, peer in peers.items()
    }
    with crew(stand, WORKERS, TOGETHER) as ours:
        contenders["ours"] = partial(_seconds, ours, three, count)
        taken = interleaved(contenders, stand.effort.rounds)
    middle = {name: _series(f"{name} p50", [median(one) for one in rounds]) for name, rounds in taken.items()}
    slow = {name: _series(f"{name} p95", [percentile(one, 95) for one in rounds]) for name, rounds in taken.items()}
    return Finding(
        name="P2",
        title="three steps, submit to result, through the queue",
        series=(
            *middle.values(),
            *slow.values(),
            *(ratio(f"ours / {name} p50", middle["ours"], one) for name, one in middle.items() if name != "ours"),
        ),
        bars=(
            Bar(what="submit to result, p50", figure=middle["ours"].median, limit=10.0, unit="ms"),
            Bar(what="submit to result, p95", figure=slow["ours"].median, limit=20.0, unit="ms"),
        ),
        notes=stand.missing(*PEERS),
    )


def _peer(peer: Peer, count: int) -> float:
    (seconds,) = peer.seconds("crowd", count, 1)
    return count / seconds


def _ours(ours: Crew, workflow: Workflow, count: int) -> float:
    began = time.perf_counter()
    runs = [ours.submit(workflow) for _ in range(count)]
    for run in runs:
        assert run.result(timeout=120) == [flows.RECORD]
    return count / (time.perf_counter() - began)


def _seconds(ours: Crew, workflow: Workflow, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        result = ours.submit(workflow).result(timeout=120)
        taken.append(time.perf_counter() - began)
        assert result == [flows.RECORD]
    return taken


def _series(name: str, seconds: list[float]) -> Series:
    return Series(name=name, unit="ms", values=tuple(1_000 * value for value in seconds))
