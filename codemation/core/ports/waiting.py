"""What the world answers: letters to runs, decisions, events, the ends of children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from codemation.core.ids import ActivationId, RunId, TicketId, WorkflowId
from codemation.core.ports.journal import RunRow
from codemation.core.waits import WaitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A signal in a run's inbox."""

    id: int
    key: str
    body: str
    """JSON."""
    at: float = 0.0
    """When it was left, in seconds since 1970 by the clock of the database."""


class Inbox(Protocol):
    """Signals from outside: the sender needs neither the plan nor a lock on the run."""

    def post(self, run: RunId, key: str, body: str, fold: TicketId) -> bool:
        """Leave a signal and ask for a fold; `False` when one with this key lies there unanswered, or the run is over.

        Raises:
            UnknownRun: there is none.
            InputError: the body is not JSON.
        """
        ...

    def pending(self, run: RunId) -> tuple[Letter, ...]:
        """What has not been folded yet, oldest first."""
        ...


class Waits(Protocol):
    """What activations wait for. Whoever answers a wait takes its ticket and leaves a letter: it is answered once."""

    def answer(self, wait_key: str, body: str, fold: TicketId) -> bool:
        """Take the wait with this address and leave its answer in the inbox of its run.

        `False` when it is not open: it was answered, its time is over, its run has ended or was asked to stop, or it
        never was.

        Raises:
            InputError: the body is not JSON.
        """
        ...

    def open(self, *, kind: WaitKind | None = None, run: RunId | None = None, limit: int = 100) -> tuple[OpenWait, ...]:
        """What is waited for now, the most pressing first: what has the nearest end, then what has none."""
        ...


class Children(Protocol):
    """Runs that other runs wait for: a wait of kind `child` names its child in its detail, as `child`.

    The wait is recorded first and the child is started after it, so the end of a child always finds the wait. What a
    crash leaves in between, or after a cancel, is found by the next who looks.
    """

    def of(self, run: RunId) -> tuple[RunRow, ...]:
        """The children of a run, oldest first."""
        ...

    def wanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[OpenWait, ...]:
        """Waits of a run, or of all runs, whose child has not been started yet, or does not work for them yet."""
        ...

    def unwanted(self, run: RunId | None = None, limit: int = 1000) -> tuple[RunId, ...]:
        """Children of a run, or of all runs, that are neither over nor asked to stop, and that nobody waits for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWait:
    """A wait that nobody has answered yet."""

    ticket: TicketId
    run: RunId
    workflow: WorkflowId
    activation: ActivationId
    wait: str
    kind: WaitKind
    wait_key: str | None
    due_at: datetime | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """An event that was sent, and is kept for whoever waits for it later."""

    id: str
    name: str
    key: str
    body: str
    """JSON."""
    dedup: str | None = None
    """The same event sent twice is kept once."""
    keep: float = 0.0
    """Seconds for which it is kept."""
    at: datetime | None = None
    """When it was sent; the store says so."""
    expires_at: datetime | None = None


class Events(Protocol):
    """Events from outside, by name and key.

    Each side records its own first and looks for the other's in a statement of its own after that. So of an event and a
    wait that come at the same moment the later one finds the earlier, and what a crash leaves in between is found by
    the next who looks.
    """

    def send(self, event: SentEvent) -> bool:
        """Keep an event and give it to every wait that is open for it; `False` when it was sent before.

        Raises:
            InputError: the body is not JSON.
        """
        ...

    def meet(self, run: RunId | None = None) -> int:
        """Give what is kept to the waits of a run, or of all runs, that are open for it; says to how many.

        Each is given the oldest that was sent before its time is over, whoever notices when, and that no other
        activation of its node has been given: its ticket is taken, and the
        letter `{"kind": "EventArrived", "activation": …, "wait": …, "event": …, "payload": …, "at": …}` is left.
        """
        ...

    def kept(self, *, name: str | None = None, limit: int = 100) -> tuple[SentEvent, ...]:
        """What is kept, the latest first."""
        ...

    def forget(self) -> int:
        """Forget what has expired; says how many."""
        ...
