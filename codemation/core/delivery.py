"""Deliver a signal to a run: fold, write, apply.

Theory of operation. Folding is free of effects, so the order is: fold, write, apply. What was written is known by its
`head`, random bits chosen before sending: after a lost answer the journal is read, and the own head in it means that
the revision stands. One head serves every sending of a delivery, since a first sending may still land after a second
was sent. A refused write means that somebody else was faster (apply the tail, fold again), that the run was asked to
stop, or that the ticket was taken over; only the last two give the work up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from codemation.core.advance import advance
from codemation.core.announcing import announces, written
from codemation.core.definition import Plan
from codemation.core.errors import StoreUnavailable
from codemation.core.facts import encode_delta
from codemation.core.ids import ActivationId, Head, RunId, TicketId, node_of
from codemation.core.opening import Lock, Opener, OpenRun
from codemation.core.outcome import SESSION, Outcome, Refusal, outcome_of
from codemation.core.ports import Claim, Commit, Drop, GoOn, Leave, News, NewTicket, Stores, WaitTicket
from codemation.core.sealed import sealed
from codemation.core.settling import Step
from codemation.core.signals import Event, Signal
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, RunStatus


def _unheard(news: News, events: tuple[Event, ...]) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the engine has from its host, because the core knows neither chance nor time nor threads."""

    entropy: Callable[[], int]
    """63 random bits."""
    lock: Callable[[], Lock]
    """A lock that its holder may take again."""
    patience: Callable[[int, StoreUnavailable], None]
    """Given the number of the failed try, waits before another one to reach the database, or raises."""
    publish: Callable[[News, tuple[Event, ...]], None] = _unheard
    """Told what became true, after it was recorded."""
    tell: Callable[[str], object] = str
    """Told what is odd and harms nobody."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds for which a run is kept after its end, by outcome, whose workflow does not say it."""
    key_age: float | None = None
    """Seconds for which the key of a start counts at least; `None` for ever."""


@sealed
class Sent:
    """A step as it was folded, and as it was sent to be written."""

    step: Step
    commit: Commit


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A signal on its way into the journal of a run."""

    run: OpenRun
    claim: Claim
    signal: Signal
    output: bytes | None
    progressed: bool
    """Whether progress of the activation may have been recorded."""
    leaves: bool
    """Whether the ticket is left to anybody, whatever it goes on with."""
    head: Head
    sent: Sent | None = None
    """What was sent of it last without an answer that says that it stands."""


class Manner(TypedDict, total=False):
    """How a signal is delivered; see `Delivery`."""

    progressed: bool
    leaves: bool


class Enclosed(TypedDict, total=False):
    """What a commit may carry beside the step."""

    output: bytes | None
    consumed: tuple[int, ...]
    progressed: bool


class Courier:
    """Brings signals to runs, and what follows from them to the journal."""

    def __init__(self, stores: Stores, opener: Opener, means: Means) -> None:
        self._stores = stores
        self._opener = opener
        self._means = means

    def deliver(self, run: OpenRun, claim: Claim, signal: Signal, output: bytes | None = None) -> Outcome:
        """Fold a signal into the run and record it, together with what becomes of the claim.

        What is refused has changed nothing, and the claim is handed back if it is still good.

        Raises:
            StoreUnavailable: the database stayed away for longer than the engine's patience.
        """
        return self.settle(self.delivery(run, claim, signal, output))

    def delivery(
        self, run: OpenRun, claim: Claim, signal: Signal, output: bytes | None = None, **more: Unpack[Manner]
    ) -> Delivery:
        """A signal to be recorded, with the head that every sending of it has."""
        progressed, leaves = more.get("progressed", True), more.get("leaves", False)
        return Delivery(
            run=run,
            claim=claim,
            signal=signal,
            output=output,
            progressed=progressed,
            leaves=leaves,
            head=self.new_head(),
        )

    def settle(self, delivery: Delivery) -> Outcome:
        """Record a delivery that perhaps was sent before, and perhaps stands; raises what `deliver` does."""
        run = delivery.run
        with run.lock:
            sent = delivery.sent
            refusal = Refusal.OVERTAKEN if sent is None else self._looked(run, sent.commit)
            while refusal is Refusal.OVERTAKEN:
                sent = self.prepare(delivery)
                if sent is None:
                    refusal = Refusal.STOPPING if run.snapshot.cancelling else Refusal.SILENCE
                else:
                    refusal = self._written(run, sent.commit, sent.step)
            if refusal is None and sent is not None:
                return self.recorded(delivery, sent)
        self._opener.persist(self._stores.tickets.hand_back, [delivery.claim.holding])
        return Outcome(refusal=refusal)

    def prepare(self, delivery: Delivery) -> Sent | None:
        """What a delivery would write now; `None` when it has nothing to say any more. The run's lock is held."""
        run = delivery.run
        step = advance(run.snapshot, delivery.signal)
        if step is None:
            return None
        commit = self.commit(
            run,
            delivery.claim,
            step,
            head=delivery.head,
            output=delivery.output,
            progressed=delivery.progressed,
            leaves=delivery.leaves,
        )
        return Sent(step=step, commit=commit)

    def recorded(self, delivery: Delivery, sent: Sent) -> Outcome:
        """What follows from a delivery that stands and that the snapshot has; says so to those who watch."""
        run, step = delivery.run, sent.step
        self._means.publish(run.news(), step.events)
        self._opener.mark(run)
        if step.waits and any(wait.kind == "event" for wait in step.waits):  # it may have been sent before
            self._opener.persist(self._stores.events.meet, run.id)
        return outcome_of(delivery.claim, sent.commit)

    def commit(
        self, run: OpenRun, claim: Claim, step: Step, *, head: Head, leaves: bool = False, **more: Unpack[Enclosed]
    ) -> Commit:
        """The revision that a step makes of what the run is now."""
        then, tickets = self._then(run.snapshot, claim, step)
        if leaves and isinstance(then, GoOn):
            urgent = run.snapshot.plan.nodes[node_of(then.activation)].policy.priority or claim.priority
            then = Leave(activation=then.activation, queue=claim.queue, priority=urgent)
        ends = step.status in FINISHED
        return Commit(
            run=run.id,
            holding=claim.holding,
            revision=run.snapshot.revision,
            head=run.head,
            new_head=head,
            delta=encode_delta(step.delta),
            then=then,
            more=tickets,
            waits=self._waits(run.id, claim, step),
            status=RunStatus.QUEUED if run.queued and not ends else step.status,
            reason=step.reason,
            cancelling=run.snapshot.cancelling,
            turnstile=run.turnstile if ends else None,
            follow_up=run.follow_up(step.status),
            announces=announces(run, step.status),
            written=written(run, step),
            tells=bool(run.snapshot.parent) and ends,
            **more,
        )

    def write(self, run: OpenRun, commit: Commit, step: Step) -> Refusal | None:
        """Write a revision; `None` when it stands and the snapshot has it."""
        refusal = self._written(run, commit, step)
        if refusal is None:
            self._means.publish(run.news(), step.events)
            self._opener.mark(run)
        return refusal

    def tickets(self, plan: Plan, due: tuple[ActivationId, ...], *, session: bool) -> tuple[NewTicket, ...]:
        """A ticket for each activation that is due, the most urgent first."""
        policies = [(activation, plan.nodes[node_of(activation)].policy) for activation in due]
        return tuple(
            NewTicket(
                id=self.new_ticket(),
                activation=activation,
                queue=SESSION if session else policy.queue,
                priority=policy.priority,
                pool=policy.pool,
            )
            for activation, policy in sorted(policies, key=lambda one: -one[1].priority)
        )

    def _waits(self, run: RunId, claim: Claim, step: Step) -> tuple[WaitTicket, ...]:
        """A ticket for each thing that the claim's activation waits for."""
        return tuple(
            WaitTicket(
                id=self.new_ticket(),
                activation=claim.activation,
                wait=wait.key,
                kind=wait.kind,
                wait_key=wait.wait_key(run, claim.activation),
                delay=wait.delay,
                until=wait.until,
                detail=wait.detail,
            )
            for wait in step.waits
        )

    def new_head(self) -> Head:
        """A name for a revision."""
        return Head(self._means.entropy())

    def new_ticket(self) -> TicketId:
        """An id for a ticket."""
        return TicketId(self._means.entropy())

    def _written(self, run: OpenRun, commit: Commit, step: Step) -> Refusal | None:
        try:
            if self._stores.journal.step(commit):
                run.apply(step.delta, commit.new_head, len(commit.delta))
                return None
        except StoreUnavailable as error:
            self._means.patience(1, error)
        return self._looked(run, commit)

    def _looked(self, run: OpenRun, commit: Commit) -> Refusal | None:
        """Why a commit does not stand; `None` when it does."""
        look = self._opener.look(run, commit.holding)
        if any(entry.head == commit.new_head for entry in look.tail):
            return None
        if look.run.stop and not commit.cancelling:
            return Refusal.STOPPING
        if look.claim is None or look.claim.holding.fence != commit.holding.fence:
            return Refusal.TAKEN_OVER
        return Refusal.OVERTAKEN

    def _then(self, snapshot: Snapshot, claim: Claim, step: Step) -> tuple[GoOn | Leave | Drop, tuple[NewTicket, ...]]:
        """What becomes of the claim's ticket, and the tickets beside it.

        The most urgent due activation of the same queue is gone on with, among equals the first; but what needs a slot
        is claimed by itself, and whoever has one gives it back.
        """
        plan, session = snapshot.plan, snapshot.session
        if claim.is_fold:
            return Drop(), self.tickets(plan, step.due, session=session)
        if step.retry_in is not None:
            queue, priority = claim.queue, claim.priority
            return Leave(activation=claim.activation, queue=queue, priority=priority, delay=step.retry_in), ()
        policies = {one: plan.nodes[node_of(one)].policy for one in step.due}
        own = plan.nodes.get(node_of(claim.activation))
        mine = [one for one in step.due if session or policies[one].queue == claim.queue]
        mine = [one for one in mine if not policies[one].pool]
        if own is not None and own.policy.pool:
            mine = []
        same = max(mine, key=lambda one: policies[one].priority, default=None)
        rest = self.tickets(plan, tuple([one for one in step.due if one != same]), session=session)
        return (Drop() if same is None else GoOn(activation=same)), rest
