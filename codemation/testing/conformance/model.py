"""What stores must do, as simply as it can be said: runs are lists of deltas, tickets a dict, and time is a number.

The model holds the work of runs. Fold tickets are left out of it, because adapters may differ in how a folder learns
that there is more to fold; whoever drives the model checks what is true of them anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkerId
from codemation.core.ports import Claim, Commit, Drop, GoOn, Holding, Lane, Leave, NewRun, NewTicket, Reopening
from codemation.core.states import FINISHED, RunStatus

BACKOFF = 120.0
"""Seconds within which a ticket that was lost again is due again, in any adapter."""


@dataclass(slots=True)
class ModelRun:
    """One run: the revisions are counted by the deltas."""

    id: RunId
    digest: str
    priority: int
    heads: list[Head]
    deltas: list[bytes]
    status: RunStatus = RunStatus.RUNNING
    stop: bool = False
    letters: list[str] = field(default_factory=list)
    """Bodies of what lies in the inbox."""
    keys: list[str] = field(default_factory=list)

    def write(self, head: Head, delta: bytes) -> None:
        """Go on to the next revision."""
        self.heads.append(head)
        self.deltas.append(delta)

    def knows(self, revision: int, head: Head) -> bool:
        """Whether this is the latest revision."""
        return (revision, head) == (len(self.deltas), self.heads[-1])


@dataclass(slots=True)
class ModelTicket:
    """One ticket of work; `earliest` and `latest` bound the moment since when, or from when, it is due."""

    id: TicketId
    run: RunId
    activation: ActivationId
    lane: Lane
    priority: int
    earliest: float
    latest: float
    state: str = "ready"
    holding: Holding | None = None
    fence: int = 0
    starts: int = 0
    lost: int = 0
    stop: bool = False
    chunks: dict[int, bytes] = field(default_factory=dict)

    def held_by(self, worker: WorkerId, fence: int) -> None:
        """Begin to be held."""
        self.state, self.fence, self.holding = "running", fence, Holding(ticket=self.id, worker=worker, fence=fence)

    def free(self, earliest: float, latest: float, *, waits: bool = False) -> None:
        """Be nobody's any more."""
        self.state, self.holding, self.earliest, self.latest = "waiting" if waits else "ready", None, earliest, latest


class Model:
    """All runs and their work; each method says what the stores must answer, and changes what they must change."""

    def __init__(self) -> None:
        self.now = 0.0
        self.runs: dict[RunId, ModelRun] = {}
        self.tickets: dict[TicketId, ModelTicket] = {}
        self.buried: set[WorkerId] = set()

    def work_of(self, run: RunId) -> list[ModelTicket]:
        """The tickets of a run."""
        return [ticket for ticket in self.tickets.values() if ticket.run == run]

    def holds(self, holding: Holding) -> ModelTicket | None:
        """The ticket, if the holding is still good."""
        ticket = self.tickets.get(holding.ticket)
        return ticket if ticket is not None and ticket.holding == holding else None

    def start(self, new: NewRun) -> None:
        """A run begins."""
        run = ModelRun(new.id, new.digest, new.priority, [new.head], [new.delta])
        self.runs[run.id] = run
        self._add(run, new.tickets, new.claimed_by)

    def candidates(self, worker: WorkerId, lanes: Sequence[Lane], ticket: TicketId | None) -> list[ModelTicket]:
        """The tickets one of which a claim must give."""
        if worker in self.buried:
            return []
        ready = [one for one in self.tickets.values() if one.state == "ready" and not one.stop]
        ready = [one for one in ready if one.lane in lanes and ticket in (None, one.id)]
        top = max((one.priority for one in ready), default=0)
        urgent = [one for one in ready if one.priority == top]
        return [one for one in urgent if not any(other.latest < one.earliest for other in urgent)]

    def claimed(self, claim: Claim) -> None:
        """Somebody has got a ticket."""
        ticket = self.tickets[claim.holding.ticket]
        assert claim.holding.fence > ticket.fence, "a fence must rise with each claim"
        ticket.held_by(claim.holding.worker, claim.holding.fence)
        ticket.starts += 1
        seen = (claim.run, claim.activation, claim.queue, claim.priority, claim.starts)
        assert seen == (ticket.run, ticket.activation, ticket.lane.queue, ticket.priority, ticket.starts)

    def allows(self, commit: Commit) -> bool:
        """Whether a step by a good holder is taken."""
        run = self.runs[commit.run]
        unfinished = run.status not in FINISHED or commit.status in FINISHED
        return run.knows(commit.revision, commit.head) and run.stop == commit.cancelling and unfinished

    def step(self, commit: Commit, answered: Iterable[str]) -> None:
        """A revision is written."""
        run, ends = self.runs[commit.run], commit.status in FINISHED
        run.write(commit.new_head, commit.delta)
        run.status = commit.status
        for body in list(run.letters) if ends else answered:
            at = run.letters.index(body)
            del run.letters[at], run.keys[at]
        if ends:
            run.stop = False
            idle = [one for one in self.work_of(run.id) if one.state != "running" or one.id == commit.holding.ticket]
            for ticket in idle:
                del self.tickets[ticket.id]
        elif commit.holding.ticket in self.tickets:
            self._go_on(self.tickets[commit.holding.ticket], commit)
        self._add(run, commit.more)

    def _go_on(self, ticket: ModelTicket, commit: Commit) -> None:
        if commit.activation != ticket.activation:
            ticket.chunks.clear()
        match commit.then:
            case Drop():
                del self.tickets[ticket.id]
            case GoOn(activation=activation):
                ticket.activation, ticket.starts, ticket.lost = activation, 1, 0
                ticket.held_by(commit.holding.worker, ticket.fence + 1)
            case Leave() as leave:
                ticket.activation, ticket.priority, ticket.starts, ticket.lost = leave.activation, leave.priority, 0, 0
                ticket.lane = Lane(queue=leave.queue, digest=ticket.lane.digest)
                ticket.free(self.now + leave.delay, self.now + leave.delay, waits=leave.delay > 0)

    def cancel(self, run: ModelRun, head: Head, delta: bytes) -> None:
        """A run has to stop."""
        run.write(head, delta)
        run.stop = True
        for ticket in self.work_of(run.id):
            ticket.stop = True

    def reopen(self, reopening: Reopening) -> None:
        """A finished run goes on."""
        run = self.runs[reopening.run]
        run.write(reopening.new_head, reopening.delta)
        run.status, run.digest = RunStatus.RUNNING, reopening.digest
        for ticket in self.work_of(run.id):
            del self.tickets[ticket.id]
        self._add(run, reopening.tickets, reopening.claimed_by)

    def is_over(self, run: RunId) -> bool:
        """Whether nothing of a run is to be done any more: what comes back of it is done with."""
        return self.runs[run].status in FINISHED

    def postpone(self, ticket: ModelTicket, delay: float) -> None:
        """A ticket comes back for a while."""
        if self.is_over(ticket.run):
            del self.tickets[ticket.id]
        else:
            ticket.free(self.now + delay, self.now + delay, waits=True)

    def hand_back(self, ticket: ModelTicket) -> None:
        """A ticket comes back unworked; it may keep its place in the queue."""
        if ticket.stop or self.is_over(ticket.run):
            del self.tickets[ticket.id]
        else:
            ticket.starts -= 1
            ticket.free(ticket.earliest, self.now)

    def take_over(self, dead: Sequence[WorkerId], poison_after: int) -> tuple[int, set[RunId], set[str]]:
        """The dead hold nothing any more: how many tickets are released, which runs may stop, what is given up."""
        held = [one for one in self.tickets.values() if one.holding is not None and one.holding.worker in dead]
        released, stopped, poisoned = 0, set[RunId](), set[str]()
        for ticket in held:
            ticket.lost += 1
            if ticket.stop:
                stopped.add(ticket.run)
                del self.tickets[ticket.id]
            elif self.is_over(ticket.run):
                del self.tickets[ticket.id]
            elif ticket.lost >= poison_after:
                poisoned.add(ticket.activation)
                del self.tickets[ticket.id]
            else:
                released += 1
                again = ticket.lost > 1
                ticket.free(self.now, self.now + (BACKOFF if again else 0.0), waits=again)
        return released, stopped, poisoned

    def fire(self) -> list[ModelTicket]:
        """What is certainly due becomes ready; gives what may be due or not."""
        waiting = [one for one in self.tickets.values() if one.state == "waiting" and not one.stop]
        for ticket in waiting:
            if ticket.latest <= self.now:
                ticket.state = "ready"
        return [one for one in waiting if one.earliest <= self.now < one.latest]

    def _add(self, run: ModelRun, tickets: Sequence[NewTicket], claimed_by: WorkerId | None = None) -> None:
        for number, new in enumerate(tickets):
            lane = Lane(queue=new.queue, digest=run.digest)
            priority = new.priority or run.priority
            ticket = ModelTicket(new.id, run.id, new.activation, lane, priority, self.now, self.now)
            if claimed_by is not None and not number:
                ticket.held_by(claimed_by, 1)
                ticket.starts = 1
            self.tickets[new.id] = ticket
