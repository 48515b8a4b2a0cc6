"""Workflows whose workers stand still: one call keeps all threads of its process waiting, one run waits for a time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import codemation as cm
from tests.adapters.mill import Job, first, last, mill, note

__all__ = ["hog", "mill", "patient", "slow_to_begin", "ticked"]
PROBE = 10**6
WAIT = 6.0
"""Longer than a worker waits for a time by itself, so that somebody has to hold the duty."""


class Burn(Job):
    """What a run is asked for."""

    seconds: float = 10.0


class Tick(cm.Params):
    """What a tick gives."""

    at: str = ""


@cm.node
def hogging(params: Burn) -> int:
    """One call of C, in which no other thread of the process moves."""
    began = time.process_time()
    sum(range(PROBE))
    per_second = PROBE / (time.process_time() - began)
    note(params, "hogging")
    sum(range(int(per_second * params.seconds)))
    note(params, "hogged")
    return 1


@cm.node
def strike(params: Tick) -> str:
    return params.at


def opening(ledger: Path, gate: Path) -> int:
    """A resource that takes its time to be opened: until the gate is gone."""
    note(Job(ledger=ledger), "opening")
    while gate.exists():
        time.sleep(0.02)
    return 1


@cm.node
def equipped(number: int, params: Job, thing: Annotated[int, cm.use(opening, ledger=Job.ledger, gate=Job.gate)]) -> int:
    note(params, "equipped")
    return number + thing


slow_to_begin = cm.workflow("standstill.slow_to_begin", params=Job).then(first).then(equipped).then(last).build()
hog = cm.workflow("standstill.hog", params=Burn).then(hogging).then(last).build()
patient = cm.workflow("standstill.patient", params=Job).then(first).wait(f"{WAIT:.0f}s").then(last).build()
ticked = (
    cm.workflow("standstill.ticked", params=Tick)
    .on(cm.every("1s", params=lambda tick: {"at": tick.isoformat()}))
    .then(strike)
    .build()
)
