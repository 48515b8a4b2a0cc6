"""Engines on one database in memory, and what the tests of engine, delivery and opening do with them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from codemation.core.definition import Definition
from codemation.core.engine import Engine, Start
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import MAIN, RunId, WorkerId
from codemation.core.means import Means
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim, News, Stores, WorkerRow
from codemation.core.signals import ErrorInfo, Event, Failed, Signal, Succeeded
from codemation.host.memory import memory_stores
from tests.core.simulation.faults import Fault, befallen, reached

ERROR = ErrorInfo(type="ValueError", message="no")


class Database:
    """One database with a line to it that fails when it is told to."""

    def __init__(self) -> None:
        self.stores: Stores = memory_stores()
        self.events: list[tuple[int, str]] = []
        self.waits: list[int] = []
        self.told: list[str] = []
        self.faults: dict[str, list[Fault | Callable[[], Any]]] = {}
        self._numbers = itertools.count(1)

    def engine(self) -> Engine:
        """The engine of one more worker."""
        worker = WorkerId(next(self._numbers))
        self.stores.workers.register(WorkerRow(id=worker, name="w", place="here", pid=1, pid_started=1))
        means = Means(
            entropy=lambda: next(self._numbers),
            lock=threading.RLock,
            patience=self._wait,
            publish=self._heard,
            tell=self.told.append,
        )
        return Engine(reached(self.stores, self._ask), worker, means)

    def _ask(self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plan = self.faults.get(name)
        fault = plan.pop(0) if plan else None
        if callable(fault):
            fault()
            fault = None
        return befallen(fault, lambda: method(*args, **kwargs))

    def _wait(self, tries: int, error: StoreUnavailable) -> None:
        self.waits.append(tries)
        if tries > 5:
            raise error

    def _heard(self, news: News, events: tuple[Event, ...]) -> None:
        self.events += [(news.revision, event.kind) for event in events]


def start(number: int = 1, **changes: Any) -> Start:
    """What a run is started with."""
    return Start(**{"id": RunId(f"r{number}"), "params": "{}", "input": (b"input", 1, "items"), **changes})


def begun(engine: Engine, definition: Definition, **changes: Any) -> tuple[OpenRun, Claim]:
    """A run whose first activation this engine holds."""
    run, outcome = engine.start(definition, start(**changes))
    assert outcome.next is not None
    return run, outcome.next


def failed(claim: Claim, retry_in: float | None = None, attempt: int = 1) -> Signal:
    """The signal that a node has failed."""
    return Failed(activation=claim.activation, attempt=attempt, error=ERROR, retry_in=retry_in)


def give(engine: Engine, run: OpenRun, claim: Claim, data: bytes = b"x") -> Outcome:
    """Let a node give something, and record it."""
    batches, inline = engine.store_outputs(run.id, {MAIN: (data, 1, "items")})
    signal = Succeeded(activation=claim.activation, outputs=batches)
    return engine.deliver(run, claim, signal, inline)
