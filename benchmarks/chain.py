"""E1: W10, ten trivial steps, one run after the other in one process, every result durable before the next step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.journal import JournalAlone
from benchmarks.processor import spent
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.states import RunStatus

STEPS = 10
SLOWER = 120
"""Microseconds, with some 60 of the system's own, by which a commit takes as long as where the bar was set: 0.43 ms."""


def measure(stand: Stand) -> Finding:
    """W10 per second of the floor, the peer and ours."""
    count, peer = stand.effort.chains, stand.peer
    workflow = flows.chain(STEPS)

    def ours() -> None:
        assert workflow.run().status is RunStatus.SUCCEEDED

    ours_spent, floor_spent = _Spent(stand, "ours"), _Spent(stand, "floor")
    contenders: dict[str, Callable[[], float]] = {}
    if peer is not None:
        contenders["DBOS"] = lambda: count / sum(peer.seconds("chain", STEPS, count))
    floor = partial(_rate, lambda: stand.floor.chain(STEPS), count)
    contenders["floor"] = lambda: floor_spent.during(floor, count)
    contenders["ours"] = lambda: ours_spent.during(lambda: _rate(ours, count), count)
    alone = JournalAlone(workflow)
    contenders["our journal alone"] = lambda: _rate(alone.chain, count)
    rates = interleaved(contenders, stand.effort.rounds)
    with stand.slower_commits(SLOWER):
        slower = {"floor, slower commits": floor, "ours, slower commits": partial(_rate, ours, count)}
        rates |= interleaved(slower, stand.effort.rounds)
    assert workflow.run().output == [flows.RECORD]
    series = {name: Series(name=name, unit="W10/s", values=tuple(values)) for name, values in rates.items()}
    against = {
        name: ratio(f"ours / {name}", series["ours"], series[name]) for name in ("floor", "DBOS") if name in series
    }
    beside = [
        ratio("our journal alone / floor", series["our journal alone"], series["floor"]),
        ratio("ours / floor, slower commits", *[series[f"{name}, slower commits"] for name in ("ours", "floor")]),
    ]
    limits = {"floor": 0.65, "DBOS": 5.0}
    return Finding(
        name="E1",
        title="W10, one run after the other",
        series=(*series.values(), *against.values(), *beside, *floor_spent.series(), *ours_spent.series()),
        yardstick=series["floor"],
        bars=tuple(
            Bar(what=f"W10 per second, ours / {name}", figure=one.median, limit=limits[name], unit="×", at_least=True)
            for name, one in against.items()
        ),
    )


class _Spent:
    """The processor time of one contender, round by round."""

    def __init__(self, stand: Stand, name: str) -> None:
        self._stand = stand
        self._name = name
        self._rounds: list[tuple[float, float]] = []

    def during(self, measure: Callable[[], float], count: int) -> float:
        """What `measure` gives; what it spends is noted by W10."""
        before = spent(self._stand)
        value = measure()
        here, server = (after - begun for after, begun in zip(spent(self._stand), before, strict=True))
        self._rounds.append((1_000 * here / count, 1_000 * server / count))
        return value

    def series(self) -> Sequence[Series]:
        """Milliseconds a W10 in Python and in the server, of all rounds but the first."""
        return [
            Series(name=f"{self._name}, processor in {place}", unit="ms", values=tuple(values[1:]))
            for place, values in zip(("Python", "server"), zip(*self._rounds, strict=True), strict=True)
        ]


def _rate(run: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        run()
    return count / (time.perf_counter() - began)
