"""E4: a map, many trivial items through one node that is called for each of them, its results stored."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand

LIMITS = {1_000: 0.25, 100_000: 2.5}
"""Seconds for so many items."""


def measure(stand: Stand) -> Finding:
    """Seconds of the floor, the peer (at the smallest size) and ours, from handing the items in to a finished run."""
    series: list[Series] = []
    bars: list[Bar] = []
    for number, size in enumerate(stand.effort.items):
        contenders = _contenders(stand, size, with_peer=number == 0)
        taken = interleaved(contenders, stand.effort.rounds)
        found = {
            name: Series(name=f"{name}, {size:,} items", unit="s", values=tuple(values))
            for name, values in taken.items()
        }
        series += found.values()
        against = [(name, one) for name, one in found.items() if name != "ours"]
        series += [ratio(f"ours / {name}, {size:,} items", found["ours"], one) for name, one in against]
        if size in LIMITS:
            bars.append(Bar(what=f"map of {size:,}", figure=found["ours"].median, limit=LIMITS[size], unit="s"))
    return Finding(
        name="E4",
        title="map through one per-item node",
        series=tuple(series),
        bars=tuple(bars),
        yardstick=found["floor"],
    )


def _contenders(stand: Stand, size: int, *, with_peer: bool) -> dict[str, Callable[[], float]]:
    items, workflow, peer = flows.records(size), flows.mapped(), stand.peer

    def floor() -> float:
        began = time.perf_counter()
        stored = stand.floor.map(items)
        taken = time.perf_counter() - began
        assert stored == size
        return taken

    def ours() -> float:
        began = time.perf_counter()
        run = workflow.run(items)
        taken = time.perf_counter() - began
        given = run["late"].items
        assert [record["late"] for record in given] == [number % 2 == 1 for number in range(size)]
        return taken

    contenders: dict[str, Callable[[], float]] = {"floor": floor}
    if with_peer and peer is not None:
        contenders["DBOS"] = lambda: sum(peer.seconds("map", size, 1))
    return contenders | {"ours": ours}
