"""How much of each piece of work is done: enough for steady figures, a first look, or just to see that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The sizes of a run of the benchmarks."""

    rounds: int
    """Measured rounds, after one that only warms up."""
    chains: int
    """W10 of each contender in a round."""
    crowd: int
    """W10 of which many are in flight, by each contender in a round."""
    queue: int
    """W10 that are handed in to workers at once, by each contender in a round."""
    short_runs: int
    """Runs of three steps in a round."""
    items: tuple[int, ...]
    """Sizes of the maps; contenders that are slow by nature only take part in the first."""
    processes: int
    """Processes started in a round."""
    settle_seconds: float
    idle_seconds: float
    stored_chains: int
    """W10 whose transactions and bytes are counted."""
    long_chain: int
    """Nodes of the long chain."""
    long_loop: int
    """Rounds of the long loop, each of them two activations."""
    turns: int
    """Pairs in which an early and a late stretch, or an empty and a full database, take turns."""
    archived: int
    """Finished runs that lie in the database."""
    rows: int
    """Rows of the large table."""
    shards: int
    """Of one activation, which end at the same time."""
    kills: int
    """Workers that are killed, at each setting."""
    queued: tuple[int, int]
    """Runs that wait for a worker, few and many."""
    graphs: tuple[int, ...]
    """Sizes of the graphs that the kernel walks, in nodes; the second carries the bar."""


FULL = Effort(
    rounds=7,
    chains=150,
    crowd=300,
    queue=1_000,
    short_runs=100,
    items=(1_000, 100_000),
    processes=3,
    settle_seconds=60.0,
    idle_seconds=120.0,
    stored_chains=1_000,
    long_chain=2_000,
    long_loop=25_000,
    turns=20,
    archived=50_000,
    rows=1_000_000,
    shards=256,
    kills=5,
    queued=(1_000, 100_000),
    graphs=(100, 1_000, 10_000),
)
QUICK = Effort(
    rounds=3,
    chains=20,
    crowd=40,
    queue=40,
    short_runs=30,
    items=(1_000, 20_000),
    processes=1,
    settle_seconds=60.0,
    idle_seconds=20.0,
    stored_chains=200,
    long_chain=400,
    long_loop=1_000,
    turns=5,
    archived=5_000,
    rows=1_000_000,
    shards=256,
    kills=2,
    queued=(1_000, 20_000),
    graphs=(100, 1_000, 10_000),
)
TINY = Effort(
    rounds=1,
    chains=1,
    crowd=2,
    queue=2,
    short_runs=1,
    items=(3, 5),
    processes=1,
    settle_seconds=1.0,
    idle_seconds=0.1,
    stored_chains=2,
    long_chain=16,
    long_loop=16,
    turns=1,
    archived=20,
    rows=100,
    shards=4,
    kills=1,
    queued=(10, 50),
    graphs=(3, 5, 8),
)
