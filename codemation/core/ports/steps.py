"""What is written of a run: how it begins, each of its revisions, how it goes on anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codemation.core.concurrency import Turnstile
from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.ports.tickets import Holding, NewTicket, WaitTicket
from codemation.core.sealed import sealed
from codemation.core.states import RunStatus


@sealed
class GoOn:
    """The ticket is reused for the next activation, which its holder has thereby claimed."""

    activation: ActivationId


@sealed
class Leave:
    """The ticket is reused for an activation that anybody may claim, `delay` seconds from now at the earliest."""

    activation: ActivationId
    queue: str = "default"
    priority: int = 0
    delay: float = 0.0


@sealed
class Drop:
    """The ticket is done with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a run that is not over by then is told so: a wait of kind `timer` at what the run was given."""

    ticket: TicketId
    seconds: float
    """From now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """Whose child a run is, and which wait of that run is answered by its end."""

    run: RunId
    ticket: TicketId


@sealed
class NewRun:
    """A run to be recorded together with its first revision and its first tickets."""

    id: RunId
    workflow: WorkflowId
    digest: str
    params: str
    """JSON."""
    head: Head
    delta: bytes
    output: bytes | None
    tickets: tuple[NewTicket, ...]
    claimed_by: WorkerId | None = None
    """The worker that holds the first ticket from the start."""
    status: RunStatus = RunStatus.RUNNING
    """Other than running when the first revision already ends the run."""
    reason: str = ""
    priority: int = 0
    key: str | None = None
    input_digest: bytes = b""
    """Of params and input: the same key with another input is an error."""
    deadline: Deadline | None = None
    key_age: float | None = None
    """Seconds for which the key counts at least; it counts for as long as its run is there. `None` for ever."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds for which the run is kept after its end, by outcome, `succeeded` or `failed`; else for ever."""
    turnstile: Turnstile | None = None
    """Where the run needs a place before anything of it may be claimed; `claimed_by` counts for nothing then."""
    parent: Parent | None = None
    origin: Mapping[str, Any] | None = None
    """What has started it, if a trigger did; small JSON."""
    who: str = ""
    """Who or what has started it, in words."""
    announces: bool = True
    """Whether its end sets off triggers, should it have come already."""


@sealed
class Commit:
    """One revision of a run, and what becomes of the ticket that brought it: all of it happens, or nothing."""

    run: RunId
    holding: Holding
    revision: int
    """The last revision that the writer knows; the commit is refused if it is not the latest."""
    head: Head
    new_head: Head
    delta: bytes
    output: bytes | None = None
    then: GoOn | Leave | Drop = field(default_factory=Drop)
    more: tuple[NewTicket, ...] = ()
    waits: tuple[WaitTicket, ...] = ()
    """What the activation of the dropped ticket waits for from now on."""
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    consumed: tuple[int, ...] = ()
    """Signals of the inbox that this revision answers."""
    cancelling: bool = False
    """Written by the fold of a run that was asked to stop; any other commit is refused on such a run."""
    turnstile: str | None = None
    """Where the run, which ends, gives its place back, if it has one."""
    follow_up: str = ""
    """The workflow that is to be started because the run has failed; noted in the same moment."""
    progressed: bool = True
    """Whether progress of the activation may have been recorded; where not, nobody has to look for it."""
    announces: bool = False
    """It ends the run, and that sets off triggers: what they owe is owed from the same moment on."""
    written: tuple[str, ...] = ()
    """Names of data that the activation has written, which sets off triggers as well."""
    tells: bool = False
    """It ends a child: who waits for it finds the letter that says so from the same moment on."""

    @property
    def activation(self) -> ActivationId | None:
        """What the ticket is about afterwards."""
        return None if isinstance(self.then, Drop) else self.then.activation


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """A run goes on anew; refused when it has changed since `revision`, or stands where it may not go on from."""

    run: RunId
    revision: int
    head: Head
    new_head: Head
    delta: bytes
    digest: str
    tickets: tuple[NewTicket, ...]
    claimed_by: WorkerId | None = None
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    of: frozenset[RunStatus] = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})
    """Where the run may stand; one that is being stopped never goes on."""
    deadline: Deadline | None = None
    turnstile: Turnstile | None = None
    """Where the run, which is over, needs a place anew; it waits for one, whatever the turnstile refuses."""
    placeless: bool = False
    """Whether the run, which needed a place before, goes on without one: it will have none to give back."""
    wait: TicketId | None = None
    """The wait that is answered when a child ends anew; without one nobody is told, and nobody stops it."""
