"""The workflows that every scheduler must bring to the same ends: put them where the app under test finds its own."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from pydantic import BaseModel

import codemation as cm


class Load(cm.Params):
    """What a run is asked for."""

    size: int = 6
    pace: float = 0.0
    """Seconds that a call takes."""
    who: str = ""


class Stay(BaseModel):
    """When a node was at work, and where."""

    who: str
    began: float
    ended: float
    process: int


class Consent(BaseModel):
    """What is decided."""

    reason: str = ""


class Shipped(BaseModel):
    """What is told of a parcel."""

    parcel: str
    weight: int = 0


@cm.node
def numbers(params: Load) -> list[int]:
    """The items of a run."""
    return list(range(params.size))


@cm.node
def doubled(number: int) -> int:
    """Called for each."""
    return number * 2


@cm.node
def total(items: list[int]) -> int:
    """Called once with all."""
    return sum(items)


@cm.node
def largest(items: list[int]) -> int:
    """Beside `total`."""
    return max(items)


@cm.node
def both(total: int, largest: int) -> list[int]:
    """What the branches say."""
    return [total, largest]


chain = cm.workflow("errands.chain", params=Load).then(numbers).then(doubled).then(total).build()


@cm.node
def broken(number: int) -> int:
    """Fails with the third item."""
    if number == 2:
        raise ValueError("no twos here")
    return number


failing = cm.workflow("errands.failing", params=Load).then(numbers).then(broken).build()


@cm.node(retry=cm.Retry(attempts=3, delay="200ms", backoff="fixed"))
def third_time(items: list[int], context: cm.Context) -> int:
    """Succeeds with the third try."""
    if context.attempt < 3:
        raise OSError(f"not yet, with {len(items)} items")
    return context.attempt


retrying = cm.workflow("errands.retrying", params=Load).then(numbers).then(third_time).build()
waiting = cm.workflow("errands.waiting", params=Load).then(numbers).wait("300ms").then(total).build()

shipped = cm.event("errands.shipped", Shipped)


@cm.node
def weight_of(received: cm.Received[int, Shipped]) -> int:
    """What came with the event."""
    return received.event.weight


@cm.node
def approved_by(decided: cm.Decided[int, Consent]) -> str:
    """What was decided."""
    return decided.decision.reason


@cm.node
def stay(params: Load) -> Stay:
    """Take some time, and say when and where."""
    began = time.time()
    time.sleep(params.pace)
    return Stay(who=params.who, began=began, ended=time.time(), process=os.getpid())


@cm.node
def endless(context: cm.Context) -> int:
    """Goes on until it is told to stop."""
    while not context.cancelled:
        time.sleep(0.02)
    raise RuntimeError("stopped")


cancelling = cm.workflow("errands.cancelling", params=Load).then(endless).build()
late = cm.workflow("errands.late", params=Load, timeout=timedelta(seconds=1)).then(endless).build()
beside = (
    cm.workflow("errands.beside", params=Load)
    .then(numbers)
    .parallel(total=lambda items: items.then(total), largest=lambda items: items.then(largest))
    .into(both)
    .build()
)
listening = (
    cm.workflow("errands.listening", params=Load)
    .then(numbers)
    .wait_for_event(shipped, key=lambda number: f"parcel {number}")
    .then(weight_of)
    .then(total)
    .build()
)
asking = cm.workflow("errands.asking", params=Load).then(numbers).approve(Consent).then(approved_by).build()
nesting = (
    cm.workflow("errands.nesting", params=Load)
    .then(numbers)
    .subworkflow(cm.workflow("errands.nested", input=int).then(doubled).build(), per="item")
    .then(total)
    .build()
)


@cm.node(shards=4)
def halved(number: int, params: Load) -> Stay:
    """Called for each, in parts that anybody may work on."""
    began = time.time()
    time.sleep(params.pace)
    return Stay(who=str(number // 2), began=began, ended=time.time(), process=os.getpid())


sharded = cm.workflow("errands.sharded", params=Load).then(numbers).then(halved).build()


@cm.node(pool="errands")
def alone(params: Load) -> Stay:
    """One at a time, wherever."""
    return stay.function(params)


@cm.node(queue="gpu")
def elsewhere(params: Load) -> Stay:
    """Only where that queue is served."""
    return stay.function(params)


pooled = cm.workflow("errands.pooled", params=Load).then(alone).build()
routed = cm.workflow("errands.routed", params=Load).then(stay).then(elsewhere).build()
queueing = cm.workflow("errands.queueing", params=Load, concurrency=cm.Concurrency(1)).then(stay).build()
staying = cm.workflow("errands.staying", params=Load).then(stay).build()


@cm.node
def reported(failure: cm.FailedRun) -> str:
    """What follows a failure."""
    return f"{failure.node}: {failure.message}"


report = cm.workflow("errands.report", input=cm.FailedRun).then(reported).build()
followed = cm.workflow("errands.followed", params=Load, on_failure=report).then(numbers).then(broken).build()
