"""What a process leaves to the workers of the fleet: tickets that are ready, and word of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from codemation.core.errors import HostError
from codemation.core.ids import RunId
from codemation.core.outcome import DEFAULT, Outcome
from codemation.core.ports import Hint, Scheduler

if TYPE_CHECKING:
    from codemation.core.engine import Engine
    from codemation.host.settings import Settings


class Fleet:
    """The workers that this process shares a database with."""

    def __init__(self, engine: Engine, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
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

    def close(self) -> None:
        """Let go of whatever carries the messages."""
        self.scheduler.close()


def hints_of(outcome: Outcome) -> Iterable[Hint]:
    """Word of what a delivery has made ready beside what its holder goes on with."""
    return (Hint(ticket=ticket, queue=outcome.queues.get(ticket, DEFAULT)) for ticket in outcome.ready)


def open_scheduler(settings: Settings) -> Scheduler | None:
    """What carries word to workers; `None` where the process that starts a run works on it.

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
    scheduler: Scheduler = adapter.open_scheduler(settings)
    return scheduler
