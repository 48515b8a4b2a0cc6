"""Tickets: what there is to do in runs, and who holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from codemation.core.ids import ActivationId, RunId, TicketId, WorkerId
from codemation.core.ports.hints import Hint
from codemation.core.sealed import sealed
from codemation.core.states import GIVEN_UP
from codemation.core.waits import WaitKind

TicketKind: TypeAlias = Literal["work", "shard", "fold"] | WaitKind
"""What a ticket is about: work to claim, a part of it, an inbox to fold, or what an activation waits for."""


@sealed
class NewTicket:
    """Work to be claimed by anybody who serves its queue and has the code of its run's definition."""

    id: TicketId
    activation: ActivationId
    queue: str = "default"
    priority: int = 0
    pool: str = ""
    """Whose slot is needed to hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitTicket:
    """Something that an activation waits for: never claimed, and taken by whoever answers it."""

    id: TicketId
    activation: ActivationId
    wait: str
    """Names it within the activation."""
    kind: WaitKind
    wait_key: str | None = None
    """What it is found by; `None` for what only a time wakes."""
    delay: float | None = None
    """Seconds from now after which its time is over."""
    until: float | None = None
    """When its time is over, in seconds since 1970; the later of the two where both are said."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What people are shown, as small JSON."""


@sealed
class Holding:
    """A claim as its holder knows it; refused as soon as somebody else has taken over."""

    ticket: TicketId
    worker: WorkerId
    fence: int


NOTHING_HELD = Holding(ticket=TicketId(0), worker=WorkerId(0), fence=0)
"""What whoever only looks has of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of an activation that somebody works on apart from the others."""

    parent: TicketId
    """The ticket of the activation, which waits until its last shard has ended."""
    number: int
    """From 0."""
    of: int
    start: int
    stop: int
    """Its own items: the positions from `start` up to `stop` in the input of the activation."""
    attempt: int = 1

    @property
    def first_chunk(self) -> int:
        """The number of its first chunk; those of a shard stand together, and apart from those of all others."""
        return self.number << 32

    @property
    def chunks(self) -> range:
        """The numbers that its chunks may have."""
        return range(self.first_chunk, self.first_chunk + (1 << 32))

    def given_up(self, lost: int) -> Chunk:
        """Its end when whoever worked on it has died so many times."""
        error = {"type": "Lost", "message": f"shard {self.number + 1} of {self.of}: {GIVEN_UP % lost}"}
        return Chunk(number=self.chunks[-1], items=(), data=b"", error=error)


@sealed
class Claim:
    """A ticket that this worker now holds."""

    holding: Holding
    run: RunId
    activation: ActivationId
    """Empty for a fold ticket, which asks to fold the run's inbox."""
    queue: str = "default"
    priority: int = 0
    fresh: bool = False
    """Whether nobody can have worked on the activation before: the claim was part of what made it due."""
    starts: int = 1
    """How often the activation has been claimed: this claim, and those that ended in a death, but none handed back."""
    shard: Shard | None = None
    """The part that it is about; `None` for a whole activation."""
    joins: bool = False
    """Whether every shard of the activation has ended, and what they have recorded is to be put together."""

    def going_on(self, activation: ActivationId) -> Claim:
        """The claim after a step that went on with another activation on the same ticket."""
        held = self.holding
        return Claim(
            holding=Holding(ticket=held.ticket, worker=held.worker, fence=held.fence + 1),
            run=self.run,
            activation=activation,
            queue=self.queue,
            priority=self.priority,
            fresh=True,
        )

    @property
    def part(self) -> int:
        """The number of the part that it is about; 0 for the whole."""
        return self.shard.number if self.shard else 0

    @property
    def is_fold(self) -> bool:
        """Whether there is no node to run, only signals to fold."""
        return not self.activation


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What a worker serves: a queue, for runs of one definition."""

    queue: str
    digest: str


@sealed
class Chunk:
    """Finished items of an activation that is still under way."""

    number: int
    items: tuple[int, ...]
    """Positions in the input."""
    data: bytes
    error: Mapping[str, Any] | None = None
    """Why the rest of a shard is missing, as small JSON."""

    @property
    def shard(self) -> int:
        """The number of the shard that it is of."""
        return self.number >> 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What a take-over found: tickets that are ready again, and activations that are given up as poison."""

    released: int = 0
    stopped: tuple[RunId, ...] = ()
    """Runs under cancellation whose dead workers no longer hold anything."""
    poisoned: tuple[tuple[RunId, ActivationId, int], ...] = ()


class Tickets(Protocol):
    """Live work: who may do what next."""

    def claim(
        self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None = None, *, pools: bool = False
    ) -> Claim | None:
        """Claim the most urgent ready ticket of these lanes, or just `ticket`; `None` when there is nothing.

        What needs a slot is claimed only with `pools`, and only while a slot of its pool is free. Whoever holds such a
        ticket has the slot, for just as long as it is held, however that ends.

        Urgent is what has the highest priority, then what has been ready for longest. Fold tickets are in everybody's
        lanes. The buried claim nothing.
        """
        ...

    def claim_some(self, worker: WorkerId, lanes: Sequence[Lane], many: int) -> tuple[Claim, ...]:
        """Claim at once what so many calls of `claim` would, perhaps fewer, but none only if that would give none.

        Nothing that needs a slot is among them, and nothing while something more urgent is left that nobody takes.
        `many` is 1 or more.
        """
        ...

    def remind(self, limit: int = 100) -> tuple[Hint, ...]:
        """The most urgent tickets of each lane that have been ready for a while, and that nobody has claimed.

        They count as told of from now on: after five seconds a ticket is given once, and after each time twice as long
        passes until the next, a minute at most. Folds, which anybody may do, are among them. At most `limit` a lane.
        """
        ...

    def hand_back(self, holdings: Sequence[Holding]) -> int:
        """Give tickets back unworked, without counting it as a death; says how many were still held.

        Those of a run that was asked to stop are done with instead, but for its fold ticket, and so are those of a run
        that is over, here and wherever else tickets come back: it may have ended under those who worked for it.
        """
        ...

    def take_over(self, dead: Sequence[WorkerId], poison_after: int = 3) -> TakenOver:
        """Release what the dead held: at once after the first loss, later after more, never again after too many.

        Giving up an activation and leaving the letter that says so, `{"kind": "Lost", "activation": …, "times": …}`,
        are one. Tickets of a run that was asked to stop are done with. A fold ticket is released however often it is
        lost. A shard that is given up leaves no letter: it ends with an error, and after the last one its activation is
        ready.
        """
        ...

    def fire(self) -> float | None:
        """Do what a time that has come asks for; seconds until the next such time, if there is one.

        Work and folds become ready. A wait is over: its ticket is taken, and the letter that says so,
        `{"kind": "TimerFired", "activation": …, "wait": …}`, is left in the same moment.
        """
        ...

    def postpone(self, holding: Holding, delay: float) -> bool:
        """Let a held ticket wait for `delay` seconds without any word in the journal; `False` when it was not held."""
        ...

    def stopping(self, worker: WorkerId) -> tuple[RunId, ...]:
        """The runs that were asked to stop while this worker holds a ticket of theirs."""
        ...

    def held(self, worker: WorkerId, *, folds: bool = False) -> tuple[Holding, ...]:
        """What this worker holds, whether it has heard of it or not; or of that just the `folds`."""
        ...

    def save_progress(self, holding: Holding, activation: ActivationId, chunk: Chunk) -> bool:
        """Record finished items; `False` when somebody else has taken over. A chunk sent twice is recorded once.

        Those of a shard are recorded with the ticket of its activation.
        """
        ...

    def progress(self, ticket: TicketId, activation: ActivationId, shard: Shard | None = None) -> tuple[Chunk, ...]:
        """What was recorded of an activation, or of a shard of it, in order of chunk number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEnd:
    """What the end of a shard led to."""

    left: int
    """Shards of the activation that have not ended."""
    join: Claim | None = None
    """The ticket of the activation, if this was the last of them: whoever ends it puts together what all have given."""


class Shards(Protocol):
    """Parts of activations, joined by a counter on the ticket of the activation.

    Nobody holds that ticket meanwhile, and neither the journal nor the revision of the run knows of them.
    """

    def split(self, claim: Claim, shards: Mapping[TicketId, Shard]) -> bool:
        """Give a held activation up for its shards, which anybody may claim; `False` when it was not held any more.

        So it is when the run was asked to stop: no shard comes to be after that.
        """
        ...

    def end(self, claim: Claim, chunk: Chunk) -> ShardEnd | None:
        """Be done with a shard, record the last that it has to say, and count it; `None` when it was not held any more.

        Counting, and the claim of the activation by whoever ends the last shard, are one. Where the chunk has an error,
        those shards that nobody works on are done with as well. Where the activation is not waited for any more,
        nothing but the ticket of the shard goes.
        """
        ...

    def again(self, claim: Claim, attempt: int, delay: float) -> bool:
        """Let a shard wait for another attempt, without any word in the journal; `False` when it was not held."""
        ...
