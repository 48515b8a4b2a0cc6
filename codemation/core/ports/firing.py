"""What triggers have found, and the runs that are owed because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from codemation.core.ids import RunId, WorkerId, WorkflowId


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClaim:
    """A source that this worker is to ask; refused as soon as somebody else has."""

    trigger: str
    workflow: WorkflowId
    kind: str
    config: Mapping[str, Any]
    worker: WorkerId
    fence: int
    revision: int
    state: str | None
    """JSON; `None` at the beginning."""
    lease: float
    """Seconds for which nobody else claims it; from the claim on, and from each time that something is recorded."""
    tries: int
    """How often it has failed since it last went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """An item that a source has given."""

    id: str
    """A UUID, of what is owed."""
    key: str
    """Of two items with one key the first starts a run."""
    item: str
    """JSON."""


class Polls(Protocol):
    """Sources that are asked now and then. What a source has given, and how far it was read, are recorded as one."""

    def claim(self, worker: WorkerId, triggers: Sequence[str], lease: float) -> PollClaim | None:
        """Claim the source that is due longest, of these triggers.

        What the dead had claimed is due at once, what the living have claimed after `lease` seconds.
        """
        ...

    def save(self, claim: PollClaim, state: str | None, items: Sequence[Emitted], wait: float | None) -> int | None:
        """Record the state of a source, if it has another one, and owe a run for each item whose key is new.

        Says how many are new; what is given first is owed first.

        With `wait` the source was read to its end, and is due again in so many seconds; without it there is more, and
        the claim goes on with the next revision. `None`, and nothing is recorded, when the claim does not hold.
        """
        ...

    def fail(self, claim: PollClaim, error: str, wait: float) -> bool:
        """Note what went wrong, and ask again in so many seconds; `False` when the claim does not hold."""
        ...

    def forget(self, age: float, limit: int = 500) -> int:
        """Forget keys behind the watermark of their source; says how many.

        The watermark is `age` seconds before the source was last read to its end: a key is behind it that was not given
        again after that. A source that is not read, or does not come to its end, forgets nothing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A run that a trigger owes, claimed by this worker. Starting it is idempotent: a claim only saves work."""

    id: str
    trigger: str
    workflow: WorkflowId
    kind: str
    key: str
    at: datetime
    item: str | None
    """JSON: the item, or the run that sets it off."""
    chain: int
    tries: int
    serial: bool
    overlap: str
    busy: RunId | None = None
    """The last run of the trigger, if it is not over."""
    superseded: bool = False
    """Whether a later one of the same trigger is owed as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A run that is to be started, as people see it."""

    id: str
    trigger: str
    workflow: WorkflowId
    kind: str
    key: str
    at: datetime
    """The tick, or when it was owed."""
    due_at: datetime
    """When it is tried next; of one that is being started, until when nobody else tries."""
    tries: int
    """How often it has failed."""
    error: str
    """What went wrong last."""
    taken: bool
    """Whether somebody is starting it."""


class Firings(Protocol):
    """Runs that are owed. Whoever has the code of the workflow starts them by key; then they are forgotten."""

    def owe(self, trigger: str, emitted: Emitted, chain: int = 0) -> bool:
        """Owe a run for an item; `False` when one is owed for the key already."""
        ...

    def claim(
        self,
        worker: WorkerId,
        triggers: Sequence[str],
        limit: int = 50,
        *,
        lease: float = 60.0,
        only: str | None = None,
    ) -> tuple[Firing, ...]:
        """Claim what is owed by these triggers, the oldest first; just `only`, if it is named.

        Of a schedule one at a time, the oldest first, and with `overlap` `queue` none while its last run is not over.
        What fails lets others pass. After `lease` seconds, others may claim it too.
        """
        ...

    def started(self, firing: Firing, run: RunId) -> None:
        """The run is there: forget that it was owed. Again is harmless."""
        ...

    def dropped(self, firing: Firing, why: str) -> None:
        """There is to be no run: forget that it was owed. An error that says why is kept if `why` is given."""
        ...

    def failed(self, firing: Firing, error: str, wait: float) -> None:
        """It could not be started: say so at its trigger, and try again in so many seconds."""
        ...

    def later(self, firing: Firing, wait: float) -> None:
        """Not yet: look again in so many seconds."""
        ...

    def free(self) -> int:
        """Give up the claims of the dead, and those whose time is over; says how many."""
        ...

    def run_of(self, workflow: WorkflowId, key: str) -> RunId | None:
        """The run that a key has started."""
        ...

    def page(
        self,
        *,
        workflow: str | None = None,
        trigger: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[Owed, ...]:
        """What is owed, the latest first, from just before what has the id `before`; never on a hot path."""
        ...
