"""E3: three steps, from submitting a run to holding its result, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series, percentile, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand

STEPS = 3


def measure(stand: Stand) -> Finding:
    """Milliseconds of the floor, the peer and ours, at the median and at the 95th percentile of each round."""
    count, peer = stand.effort.short_runs, stand.peer
    workflow = flows.chain(STEPS)
    contenders = {"floor": lambda: _seconds(lambda: stand.floor.chain(STEPS), count)}
    if peer is not None:
        contenders["DBOS"] = lambda: peer.seconds("submit", STEPS, count)
    contenders["ours"] = lambda: _seconds(lambda: workflow.start().result(), count)
    taken = interleaved(contenders, stand.effort.rounds)
    middle = {name: _series(f"{name} p50", [median(one) for one in rounds]) for name, rounds in taken.items()}
    slow = {name: _series(f"{name} p95", [percentile(one, 95) for one in rounds]) for name, rounds in taken.items()}
    bars = [
        Bar(what="submit to result, p50", figure=middle["ours"].median, limit=6.0, unit="ms"),
        Bar(what="submit to result, p95", figure=slow["ours"].median, limit=10.0, unit="ms"),
    ]
    against = [ratio(f"ours / {name} p50", middle["ours"], one) for name, one in middle.items() if name != "ours"]
    if peer is not None:
        bars.append(Bar(what="submit to result, p50, ours / DBOS", figure=against[-1].median, limit=0.45, unit="×"))
    return Finding(
        name="E3",
        title="three steps, submit to result",
        series=(*middle.values(), *slow.values(), *against),
        yardstick=middle["floor"],
        bars=tuple(bars),
    )


def _seconds(run: Callable[[], object], count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - began)
        assert result in (flows.RECORD, [flows.RECORD])
    return taken


def _series(name: str, seconds: list[float]) -> Series:
    return Series(name=name, unit="ms", values=tuple(1_000 * value for value in seconds))
