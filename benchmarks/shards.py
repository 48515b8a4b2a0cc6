"""P3: one batch in many shards: how fast they end against one another, and a map that two workers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks import flows
from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.fleet import crew
from benchmarks.queues import WORKERS
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.ids import TicketId
from codemation.core.ports import Chunk, Shard
from codemation.host.postgres.migrate import upgrade
from codemation.host.postgres.stores import open_stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import World

THREADS = (1, 4, 8)
"""So many workers of one process end shards at a time, each on a connection of its own."""
ITEMS, PARTS = 1_000, 16
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
_DATABASE = "shards"


def measure(stand: Stand) -> Finding:
    """Shards that end at the same time, the commits that a floor makes meanwhile, and a map in parts."""
    many, trials = stand.effort.shards, list[_Trial]()
    with _world(stand) as world:

        def ended(threads: int) -> float:
            trials.append(_ended(world, many, threads))
            return trials[-1].rate

        contenders = {"commits of the floor": lambda: _floor(stand, many)}
        contenders |= {f"{many} shards, {threads} threads": partial(ended, threads) for threads in THREADS}
        rates = interleaved(contenders, stand.effort.rounds)
    series = [Series(name=name, unit="/s", values=tuple(values)) for name, values in rates.items()]
    taken, two = _mapped(stand), spread(stand)
    (deadlocks,) = stand.ask(_DEADLOCKS, _DATABASE)
    lost = sum(trial.refused for trial in trials) + int(deadlocks)
    joined = sum(trial.joins == 1 for trial in trials) / len(trials)
    return Finding(
        name="P3",
        title="one batch in many shards",
        series=(*series, *(ratio(f"{one.name} / floor", one, series[0]) for one in series[1:]), taken, two),
        bars=(
            Bar(what="ends that were refused, and deadlocks", figure=lost, limit=0, unit=""),
            Bar(what="trials with exactly one join", figure=joined, limit=1, unit="×", at_least=True),
            Bar(what=f"{two.name}, joined", figure=two.median, limit=0.8, unit="s"),
        ),
        yardstick=series[0],
        notes=("A shard is claimed, and its end recorded: two commits. Two workers share the map.",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What came of one activation in shards."""

    rate: float
    """Shards a second."""
    refused: int
    joins: int


def _floor(stand: Stand, steps: int) -> float:
    began = time.perf_counter()
    stand.floor.chain(steps)
    return steps / (time.perf_counter() - began)


@contextmanager
def _world(stand: Stand) -> Iterator[World]:
    url = stand.database(_DATABASE)
    upgrade(url)
    with open_stores(url, limit=max(THREADS) + 1) as opened:
        yield World(opened.stores)


def _ended(world: World, many: int, threads: int) -> _Trial:
    """Claim and end so many shards of one activation."""
    parent = world.held()
    shards = {
        TicketId(world.number()): Shard(parent=parent.holding.ticket, number=at, of=many, start=at, stop=at + 1)
        for at in range(many)
    }
    assert world.stores.shards.split(parent, shards)
    tickets, guard = iter(shards), threading.Lock()

    def work(worker: int) -> tuple[int, int]:
        refused = joined = 0
        while True:
            with guard:
                ticket = next(tickets, None)
            if ticket is None:
                return refused, joined
            claim = world.claim(workers[worker], ticket)
            number = shards[ticket].number
            end = world.stores.shards.end(claim, Chunk(number=number << 32, items=(number,), data=b"x" * 100))
            refused += end is None
            joined += end is not None and end.join is not None

    workers = [world.worker() for _ in range(threads)]
    began = time.perf_counter()
    found = together(*(partial(work, number) for number in range(threads)))
    rate = many / (time.perf_counter() - began)
    return _Trial(rate=rate, refused=sum(one for one, _ in found), joins=sum(one for _, one in found))


def spread(stand: Stand) -> Series:
    """Seconds of a map that two workers share, from handing it in to holding the result."""
    workflow, records, taken = flows.mapped(shards=PARTS), flows.records(ITEMS), list[float]()
    with crew(stand, WORKERS) as ours:
        for number in range(stand.effort.rounds + 1):
            began = time.perf_counter()
            result = ours.submit(workflow, records).result(timeout=120)
            taken += [time.perf_counter() - began] if number else []
            assert len(result) == ITEMS
    return Series(name=f"map of {ITEMS:,} in {PARTS} shards, {WORKERS} workers", unit="s", values=tuple(taken))


def _mapped(stand: Stand) -> Series:
    workflow, records = flows.mapped(shards=PARTS), flows.records(ITEMS)
    taken = []
    for number in range(stand.effort.rounds + 1):
        began = time.perf_counter()
        run = workflow.run(records)
        taken += [time.perf_counter() - began] if number else []
        assert len(run.output) == ITEMS
    return Series(name=f"map of {ITEMS:,} in {PARTS} shards, one process", unit="s", values=tuple(taken))
