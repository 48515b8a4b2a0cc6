"""What a process leaves to the workers of the fleet: tickets that are ready, and word of them."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from codemation.core.errors import HostError, StoreUnavailable
from codemation.core.ids import RunId, TicketId
from codemation.core.outcome import DEFAULT, Outcome
from codemation.core.ports import Hint, Scheduler, WorkerRow, Workers

if TYPE_CHECKING:
    from codemation.core.engine import Engine
    from codemation.core.opening import OpenRun
    from codemation.host.settings import Settings


ANY = TicketId(0)
"""The ticket of a hint that is about whatever is ready."""
FRESH = 5.0
"""Seconds for which what is known of workers counts."""


class Crews:
    """The workers of a fleet, as they were read not long ago; what is not known now is not waited for."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._rows: tuple[WorkerRow, ...] = ()
        self._read_at = float("-inf")

    def slots(self, queue: str) -> int | None:
        """How many activations the workers of a queue do at a time; `None` where nobody is known to serve it."""
        return sum(row.slots for row in self._read() if queue in row.queues) or None

    def queues(self) -> frozenset[str]:
        """What anybody serves."""
        return frozenset(queue for row in self._read() for queue in row.queues)

    def is_mixed(self, digests: Collection[str]) -> bool:
        """Whether somebody serves definitions beside these."""
        return any(not set(row.digests) <= set(digests) for row in self._read() if row.queues)

    def _read(self) -> tuple[WorkerRow, ...]:
        if time.monotonic() - self._read_at > FRESH:
            self._read_at = time.monotonic()
            with suppress(StoreUnavailable):
                self._rows = self._workers.living()
        return self._rows


class Fleet:
    """The workers that this process shares a database with."""

    def __init__(self, engine: Engine, scheduler: Scheduler, crews: Crews) -> None:
        self.scheduler = scheduler
        self.crews = crews
        self._engine = engine

    def leave(self, run: RunId, outcome: Outcome) -> None:
        """Leave what there is to do in a run to whoever is free; what is held of it is handed back."""
        hints = list(hints_of(outcome))
        if outcome.next is not None:
            self._engine.persist(self._engine.stores.tickets.hand_back, [outcome.next.holding])
            hints.insert(0, Hint(ticket=outcome.next.holding.ticket, queue=outcome.next.queue))
        if hints:
            self.scheduler.dispatch(hints)

    def call(self, run: RunId) -> None:
        """Let workers know of all that is ready in a run."""
        rows = self._engine.persist(self._engine.stores.runs.tickets, run)
        ready = [row for row in rows if row.kind in ("work", "shard") and row.state == "ready"]
        if ready:
            self.scheduler.dispatch([Hint(ticket=row.id, queue=row.queue) for row in ready])

    def make_room(self, run: OpenRun) -> None:
        """A run is over: where it had a place, let workers look for who has been let in, whatever it begins with."""
        if run.finished and run.turnstile is not None:
            queues = dict.fromkeys(node.policy.queue for node in run.definition.nodes)
            self.scheduler.dispatch([Hint(ticket=ANY, queue=queue) for queue in queues])

    def rouse(self) -> None:
        """Let one worker of each queue look at the table: a time has come, and nobody knows of what."""
        self.scheduler.dispatch([Hint(ticket=ANY, queue=queue) for queue in self.crews.queues()])

    def remind(self) -> None:
        """Let workers know again of what none of them has claimed."""
        hints = self._engine.stores.tickets.remind()
        if hints:
            self.scheduler.dispatch(hints)

    def close(self) -> None:
        """Let go of whatever carries the messages."""
        self.scheduler.close()


def hints_of(outcome: Outcome) -> Iterable[Hint]:
    """Word of what a delivery has made ready beside what its holder goes on with."""
    return (Hint(ticket=ticket, queue=outcome.queues.get(ticket, DEFAULT)) for ticket in outcome.ready)


def open_scheduler(settings: Settings, slots: Callable[[str], int | None]) -> Scheduler | None:
    """What carries word to workers, who have so many `slots`; `None` where the process that starts a run works on it.

    Raises:
        HostError: it is not installed, or the settings lack what it needs.
    """
    name = settings.config.scheduler
    if name == "inline":
        return None
    if settings.redis_url is None:
        raise HostError(
            f'scheduler = "{name}" needs a Redis that carries its messages',
            way_out='set redis_url, as in CODEMATION_REDIS_URL=redis://host:6379/0, or scheduler = "inline"',
        )
    try:
        adapter = importlib.import_module(f"codemation.adapters.{name}.publishing")
    except ImportError as error:
        raise HostError(
            f'scheduler = "{name}" is not installed: {error}', way_out='pip install "codemation[production]"'
        ) from error
    scheduler: Scheduler = adapter.open_scheduler(settings, slots)
    return scheduler
