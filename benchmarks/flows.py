"""The work: ten trivial steps (W10), three, and a map; the code of the nodes costs next to nothing on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import codemation as cm

Record: TypeAlias = dict[str, Any]
RECORD: Record = {"n": 1, "name": "JFK", "late": False}


@cm.node
def load() -> Record:
    """Give one small record."""
    return RECORD


@cm.node
def step(record: Record) -> Record:
    """Hand the record on."""
    return record


@cm.node
def late(record: Record) -> Record:
    """Change one field."""
    return {**record, "late": record["n"] % 2 == 1}


def chain(steps: int) -> cm.Workflow:
    """One record through so many steps, the one that makes it included."""
    flow = cm.workflow(f"bench.chain{steps}").then(load)
    for number in range(1, steps):
        flow = flow.then(step, id=f"step{number}")
    return flow.build()


def mapped(shards: int = 1) -> cm.Workflow:
    """Items through one node that is called for each, in so many parts."""
    name, node = ("bench.map", late) if shards == 1 else ("bench.sharded", late.options(shards=shards))
    return cm.workflow(name, input=Record).then(node).build()


class Trace(cm.Params):
    """Where a node leaves a trace."""

    file: Path


@cm.node
def hang(params: Trace) -> int:
    """Leave a trace; the first that does so never comes back."""
    with params.file.open("a+") as file:
        file.write(f"{os.getpid()} {time.time()}\n")
        file.flush()
        file.seek(0)
        others = len(file.readlines()) - 1
    if not others:
        time.sleep(600.0)
    return others


def stuck() -> cm.Workflow:
    """One node, which has to be taken over from whoever began it."""
    return cm.workflow("bench.stuck", params=Trace).then(hang).build()


def records(count: int) -> list[Record]:
    """Small records, each a little different."""
    return [{"n": number, "name": "JFK", "late": False} for number in range(count)]


_pacers: list[Callable[[cm.Context], None]] = []


@cm.node
def paced(record: Record, ctx: cm.Context) -> Record:
    """Hand the record on, one number further, when whoever measures agrees."""
    for pacer in _pacers:
        pacer(ctx)
    return {**record, "n": record["n"] + 1}


@contextmanager
def paced_by(pacer: Callable[[cm.Context], None]) -> Iterator[None]:
    """Call `pacer` at the beginning of each call of the node `paced`."""
    _pacers.append(pacer)
    try:
        yield
    finally:
        _pacers.remove(pacer)


def paced_chain(steps: int) -> cm.Workflow:
    """One record through so many paced steps."""
    flow = cm.workflow(f"bench.paced{steps}").then(load)
    for number in range(steps):
        flow = flow.then(paced, id=f"step{number}")
    return flow.build()


def paced_loop(rounds: int) -> cm.Workflow:
    """One record so often through one paced step."""
    flow = cm.workflow(f"bench.loop{rounds}").then(load)
    return flow.loop(paced, until=lambda record: record["n"] > rounds, max=rounds).build()
