"""Split an activation into shards, and join them: so many parts of one batch, worked on side by side.

Theory of operation. Whoever has claimed an activation whose node asks for shards gives it up for them, in one statement
that knows nothing of the journal. Each shard is a ticket that says which items are its own; it is claimed, given back
and taken over like any other, alone. What it finishes is recorded as progress of the activation. Its end is one
statement as well: it records the rest, and counts down on the ticket of the activation; whoever counts down to nothing
holds that ticket from then on and performs the activation as one that was finished item by item before. So shards never
compete for the revision of their run, and to the journal there is one activation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from codemation.core.ids import TicketId
from codemation.core.nodeplan import Policy
from codemation.core.opening import Opener
from codemation.core.outcome import Outcome, Refusal
from codemation.core.ports import Chunk, Claim, Shard, Stores
from codemation.core.signals import ErrorInfo

MOST = 10_000
"""Shards of one activation; where more are asked for, each of them is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Positions from `start` up to `stop` in the input of an activation."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An activation is to be worked on in parts."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEnded:
    """A shard has done what it could; what it has not recorded yet, and why the rest is missing, if it is."""

    number: int = 0
    """Of the chunk, among those of the shard."""
    items: tuple[int, ...] = ()
    data: bytes = b""
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAgain:
    """A shard has recorded what it could, and is tried again later."""

    attempt: int
    retry_in: float


Ending = Split | ShardEnded | ShardAgain
"""How work ends of which the run is not told."""


def is_sharded(policy: Policy) -> bool:
    """Whether a node asks for shards."""
    return bool(policy.shards or policy.shard_size)


def parts(todo: Sequence[int], policy: Policy) -> tuple[Part, ...]:
    """The parts in which so many positions are worked on: at least two, or none where they are not split."""
    wanted = -(-len(todo) // policy.shard_size) if policy.shard_size else min(policy.shards, len(todo))
    if wanted < 2:  # one part is the whole
        return ()
    if policy.shard_size and wanted <= MOST:
        ends = [*range(policy.shard_size, len(todo), policy.shard_size), len(todo)]
    else:
        many = min(wanted, MOST)
        ends = [len(todo) * number // many for number in range(1, many + 1)]
    starts = [0, *ends[:-1]]
    return tuple(Part(start=todo[first], stop=todo[last - 1] + 1) for first, last in zip(starts, ends, strict=True))


class Splitter:
    """Records how work ends of which the run is not told."""

    def __init__(self, stores: Stores, opener: Opener, new_ticket: Callable[[], TicketId]) -> None:
        self._stores = stores
        self._opener = opener
        self._new_ticket = new_ticket

    def settle(self, claim: Claim, ending: Ending) -> Outcome:
        """Record it; what may be done next. What is refused has changed nothing, and the claim is handed back."""
        match ending:
            case Split():
                outcome = self._split(claim, ending)
            case ShardEnded():
                outcome = self._ended(claim, ending)
            case _:
                outcome = self._again(claim, ending)
        if outcome is not None:
            return outcome
        # It was taken over or sent before, or the run was asked to stop: the ticket says which, to whoever asks for it.
        self._opener.persist(self._stores.tickets.hand_back, [claim.holding])
        return Outcome(refusal=Refusal.TAKEN_OVER)

    def _split(self, claim: Claim, split: Split) -> Outcome | None:
        many, parent = len(split.parts), claim.holding.ticket
        shards = {
            self._new_ticket(): Shard(parent=parent, number=number, of=many, start=part.start, stop=part.stop)
            for number, part in enumerate(split.parts)
        }
        if not self._opener.persist(self._stores.shards.split, claim, shards):
            return None
        return Outcome(
            ready=tuple(shards),
            priorities=dict.fromkeys(shards, claim.priority),
            queues=dict.fromkeys(shards, claim.queue),
        )

    def _ended(self, claim: Claim, ended: ShardEnded) -> Outcome | None:
        first = claim.shard.first_chunk if claim.shard else 0
        error = None if ended.error is None else asdict(ended.error)
        chunk = Chunk(number=first + ended.number, items=ended.items, data=ended.data, error=error)
        end = self._opener.persist(self._stores.shards.end, claim, chunk)
        return None if end is None else Outcome(next=end.join)

    def _again(self, claim: Claim, again: ShardAgain) -> Outcome | None:
        if not self._opener.persist(self._stores.shards.again, claim, again.attempt, again.retry_in):
            return None
        ticket = claim.holding.ticket
        return Outcome(later=(ticket, again.retry_in), queues={ticket: claim.queue})
