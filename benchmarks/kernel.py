"""E10: the kernel without a database: what one activation costs, on small graphs and on large ones."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import RLock

from benchmarks.figures import Bar, Finding, Series, ratio
from benchmarks.rounds import interleaved
from benchmarks.stand import Stand
from codemation.core.advance import advance
from codemation.core.definition import Definition, Input, NodeKind, NodePlan, Source
from codemation.core.engine import Engine, Start
from codemation.core.errors import StoreUnavailable
from codemation.core.facts import encode_delta
from codemation.core.ids import MAIN, START, ActivationId, NodeId, WorkerId, WorkflowId
from codemation.core.items import Batch
from codemation.core.means import Means
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim, Lane
from codemation.core.signals import Signal, Started, Succeeded
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus
from codemation.host.identity import entropy, new_run_id
from codemation.host.memory import memory_stores

LIMIT = 60.0
"""Microseconds for an activation."""
SAME = 1.25
"""A hundred times the graph may cost so many times as much: its tables no longer fit the processor's nearest cache."""


def graph(size: int) -> Definition:
    """Diamonds one after the other: a head, two branches on it, and a head that joins them, so many nodes in all."""
    nodes = [NodePlan(id=START, kind=NodeKind.START, inputs=(), grain="once")]
    ends: tuple[NodeId, ...] = (START,)
    head = True
    while len(nodes) <= size:
        names = ("head",) if head or len(nodes) == size else ("left", "right")
        made = tuple(NodeId(f"{name}{len(nodes)}") for name in names)
        inputs = (Input(name="item", sources=tuple(Source(node=end) for end in ends)),)
        nodes += [NodePlan(id=one, kind=NodeKind.THEN, inputs=inputs) for one in made]
        ends, head = made, not head
    return Definition(workflow=WorkflowId("bench.graph"), nodes=tuple(nodes))


def measure(stand: Stand) -> Finding:
    """Microseconds per activation of the fold alone, and of whole deliveries to memory adapters."""
    sizes = stand.effort.graphs
    contenders: dict[str, Callable[[], float]] = {}
    for size in sizes:
        contenders[f"fold, {size:,} nodes"] = partial(_microseconds, _fold, graph(size), sizes[-1])
        contenders[f"deliver, {size:,} nodes"] = partial(_microseconds, _deliver, graph(size), sizes[-1])
    taken = interleaved(contenders, stand.effort.rounds)
    series = {name: Series(name=name, unit="µs/activation", values=tuple(values)) for name, values in taken.items()}
    smallest, middle, largest = (series[f"fold, {size:,} nodes"] for size in sizes)
    growth = ratio(f"fold, {sizes[-1]:,} nodes / {sizes[0]:,} nodes", largest, smallest)
    return Finding(
        name="E10",
        title="the kernel, memory adapters",
        series=(*series.values(), growth),
        bars=(
            Bar(what=f"advance, encode and apply, {sizes[1]:,} nodes", figure=middle.median, limit=LIMIT, unit="µs"),
            Bar(what=growth.name, figure=growth.median, limit=SAME, unit="×"),
        ),
        yardstick=smallest,
        notes=("The fold is advance, encode and apply; a delivery adds what the engine and memory adapters do.",),
    )


def _microseconds(walk: Callable[[Definition], float], definition: Definition, activations: int) -> float:
    """Microseconds per activation, over as many whole runs as so many activations need."""
    nodes = len(definition.nodes) - 1
    runs = max(1, activations // nodes)
    gc.collect()  # what others have left is not looked through at this one's expense
    return sum(walk(definition) for _ in range(runs)) / (runs * nodes) * 1e6


def _fold(definition: Definition) -> float:
    """Seconds of a run's activations, one after the other."""
    snapshot = Snapshot(definition.plan)
    first = advance(snapshot, Started(input=Batch(ref="", count=1, kind="items", size=2)))
    assert first is not None
    snapshot.apply(first.delta)
    due = deque(first.due)
    began = time.perf_counter()
    while due:
        step = advance(snapshot, _succeeded(due.popleft()))
        assert step is not None
        encode_delta(step.delta)
        snapshot.apply(step.delta)
        due.extend(step.due)
    taken = time.perf_counter() - began
    assert snapshot.status is RunStatus.SUCCEEDED
    return taken


def _deliver(definition: Definition) -> float:
    """As `_fold`, through the engine: with claims, commits and the stores in memory."""
    stores = memory_stores()
    engine = Engine(stores, WorkerId(entropy()), Means(entropy=entropy, lock=RLock, patience=_none))
    run, outcome = engine.start(definition, Start(id=new_run_id(), params="{}", input=(b"[]", 1, "items")))
    lanes = [Lane(queue="default", digest=definition.digest)]
    claims: deque[Claim] = deque()
    _take_up(engine, lanes, outcome, claims)
    began = time.perf_counter()
    while claims:
        claim = claims.popleft()
        delivered = engine.deliver(run, claim, _succeeded(claim.activation), b"{}")
        _take_up(engine, lanes, delivered, claims)
    taken = time.perf_counter() - began
    assert run.snapshot.status is RunStatus.SUCCEEDED
    return taken


def _take_up(engine: Engine, lanes: list[Lane], outcome: Outcome, claims: deque[Claim]) -> None:
    if outcome.next is not None:
        claims.append(outcome.next)
    for ticket in outcome.ready:
        claim = engine.stores.tickets.claim(engine.worker, lanes, ticket)
        assert claim is not None
        claims.append(claim)


def _succeeded(activation: ActivationId) -> Signal:
    return Succeeded(activation=activation, outputs={MAIN: Batch(ref="", count=1, kind="items", size=2)}, items=1)


def _none(_tries: int, error: StoreUnavailable) -> None:
    raise error
