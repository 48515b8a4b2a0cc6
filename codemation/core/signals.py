"""What the world tells a run. Plain data: whatever needs user code was decided by the executor before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codemation.core.ids import ActivationId, NodeId
from codemation.core.items import EMPTY, Batch
from codemation.core.limits import UNLIMITED, Limits
from codemation.core.sealed import sealed
from codemation.core.standing import Standing
from codemation.core.waits import Answer, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """What is remembered of an exception."""

    type: str
    message: str
    traceback: str = ""
    item: int | None = None
    """Position of the item that failed in the node's input; `None` when the whole batch did."""


def error_row(error: ErrorInfo) -> dict[str, Any]:
    """What is known of an error, as far as there is anything to say."""
    row: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.traceback:
        row["traceback"] = error.traceback
    if error.item is not None:
        row["item"] = error.item
    return row


@sealed
class Started:
    """The run begins with its input, and with what stands from the start."""

    input: Batch
    session: bool = False
    """It goes on only when somebody says so, and may go back."""
    source: str = ""
    """The run that it is a replay of."""
    standing: tuple[Standing, ...] = ()
    """What is pinned, and what is taken over."""
    unwanted: tuple[NodeId, ...] = ()
    """Nodes that nothing stands on that is asked for."""
    limits: Limits = UNLIMITED
    """What it may use at the most."""
    parent: str = ""
    """The address of the wait that its end answers, if it is a child."""
    depth: int = 0
    """How many runs stand above it."""
    fresh: bool = False
    """Nothing is taken from other runs."""


@sealed
class Succeeded:
    """A node has worked on its batch; a port that is not named is empty."""

    activation: ActivationId
    outputs: Mapping[str, Batch]
    attempt: int = 1
    milliseconds: int = 0
    items: int = 0
    """Items (or rows) that came in."""
    failures: int = 0
    """Items that failed and were dropped or sent to the `error` port."""
    how: str = ""
    """`cached:<run>` where they are what another run has recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A node has failed; the executor, which knows the exception's class, says whether and when to try again."""

    activation: ActivationId
    attempt: int
    error: ErrorInfo
    retry_in: float | None = None
    """Seconds until the next try; `None` when it is final."""
    milliseconds: int = 0
    partial: Batch = EMPTY
    """Items that a per-item node has finished all the same, as a payload of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsLeft:
    """A per-item node has recorded what it could and waits to try the items that are left."""

    activation: ActivationId
    attempt: int
    done: int
    left: int
    retry_in: float
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """A node cannot go on before the world has answered; it is performed again when every wait is answered.

    An activation may be suspended again for what is still missing: what was answered before stays known to it.
    """

    activation: ActivationId
    attempt: int
    waits: tuple[Wait, ...]
    """At least one, each with a key of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """The time of a wait is over."""

    activation: ActivationId
    wait: str
    at: float = 0.0

    @property
    def answer(self) -> Answer:
        """What it says to the wait."""
        return Answer(reply="fired", at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Somebody has approved or rejected."""

    activation: ActivationId
    wait: str
    approved: bool
    decision: Any = None
    """What was filled in, as JSON."""
    who: str = ""
    at: float = 0.0

    @property
    def answer(self) -> Answer:
        """What it says to the wait."""
        return Answer(reply="approved" if self.approved else "rejected", at=self.at, who=self.who, body=self.decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventArrived:
    """An event was sent that a wait is for."""

    activation: ActivationId
    wait: str
    event: str = ""
    """Its id."""
    payload: Any = None
    at: float = 0.0
    """When it was sent."""

    @property
    def answer(self) -> Answer:
        """What it says to the wait."""
        return Answer(reply="arrived", at=self.at, who=self.event, body=self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """A child run is over; what it gave is named by reference."""

    activation: ActivationId
    wait: str
    child: str
    status: str
    outputs: Mapping[str, Batch] = field(default_factory=dict)
    reason: str = ""
    at: float = 0.0

    @property
    def answer(self) -> Answer:
        """What it says to the wait."""
        body = {"status": self.status, "reason": self.reason}
        return Answer(reply="ended", at=self.at, who=self.child, body=body, outputs=self.outputs)


Answering = TimerFired | Decided | EventArrived | ChildEnded
"""What answers a wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Whoever worked on the activation died, again and again: it is taken out of service."""

    activation: ActivationId
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Somebody wants the run to stop."""

    who: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """After a cancel nobody works on the run any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A failed or cancelled run goes on from what had not succeeded."""

    who: str = ""
    digest: str = ""
    """Another definition to go on with; empty to keep the run's own."""
    was: str = ""
    """The definition until now, when there is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearranged:
    """Somebody changes what stands in a run: it goes back, begins again at a node, has something pinned or edited."""

    standing: tuple[Standing, ...]
    skipped: Mapping[str, tuple[NodeId, ...]] = field(default_factory=dict)
    """Nodes that are skipped, by the reason; the empty reason for those that nothing has reached."""
    who: str = ""
    digest: str = ""
    """Another definition to go on with; empty to keep the run's own."""
    was: str = ""
    """The definition until now, when there is another."""


Turning = CancelRequested | Stopped | Resumed | Rearranged
"""What concerns the run as a whole."""
Signal = Started | Succeeded | Failed | ItemsLeft | Suspended | Answering | Lost | Turning


@sealed
class Event:
    """What became true, for those who watch: `run_started`, `node_succeeded` and the like."""

    kind: str
    node: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
