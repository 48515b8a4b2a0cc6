"""E1: W10, ten trivial steps, one run after the other in one process, every result durable before the next step."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.states import RunStatus

STEPS = 10


def measure(stand: Stand) -> Finding:
    """W10 per second of the floor, the peer and ours."""
    count, peer = stand.effort.chains, stand.peer
    workflow = flows.chain(STEPS)

    def ours() -> None:
        assert workflow.run().status is RunStatus.SUCCEEDED

    contenders = {"floor": lambda: _rate(lambda: stand.floor.chain(STEPS), count)}
    if peer is not None:
        contenders["DBOS"] = lambda: count / sum(peer.seconds("chain", STEPS, count))
    contenders["ours"] = lambda: _rate(ours, count)
    rates = interleaved(contenders, stand.effort.rounds)
    assert workflow.run().output == [flows.RECORD]
    series = {name: Series(name=name, unit="W10/s", values=tuple(values)) for name, values in rates.items()}
    against = {name: ratio(f"ours / {name}", series["ours"], one) for name, one in series.items() if name != "ours"}
    limits = {"floor": 0.65, "DBOS": 5.0}
    return Finding(
        name="E1",
        title="W10, one run after the other",
        series=(*series.values(), *against.values()),
        yardstick=series["floor"],
        bars=tuple(
            Bar(what=f"W10 per second, ours / {name}", figure=one.median, limit=limits[name], unit="×", at_least=True)
            for name, one in against.items()
        ),
    )


def _rate(run: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        run()
    return count / (time.perf_counter() - began)
