"""Deliver a signal to a run: fold, write, apply.

Theory of operation. Folding is free of effects, so the order is: fold, write, apply. What was written is known by its
`head`, random bits chosen before sending: after a lost answer the journal is read, and the own head in it means that
the revision stands. One head serves every sending of a delivery, since a first sending may still land after a second
was sent. A refused write means that somebody else was faster (apply the tail, fold again), that the run was asked to
stop, or that the ticket was taken over; only the last two give the work up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypedDict, Unpack

from msgspec import Struct

from codemation.core.advance import advance
from codemation.core.announcing import announces, written
from codemation.core.errors import StoreUnavailable
from codemation.core.facts import Done, encode_delta
from codemation.core.ids import Head, node_of
from codemation.core.items import Batch
from codemation.core.knowledge import recorded_at
from codemation.core.means import Means
from codemation.core.opening import Opener, OpenRun
from codemation.core.outcome import Outcome, Refusal, outcome_of
from codemation.core.ports import Claim, Commit, GoOn, Leave, Stores, nothing
from codemation.core.settling import Step
from codemation.core.signals import Signal
from codemation.core.states import FINISHED, RunStatus
from codemation.core.ticketing import Ticketing


class Sent(Struct, kw_only=True):
    """A step as it was folded, and as it was sent to be written."""

    step: Step
    commit: Commit
    outcome: Outcome | None = None
    """What follows if it stands, as soon as somebody has asked."""

    def leads_to(self, claim: Claim) -> Outcome:
        """What follows if it stands."""
        if self.outcome is None:
            self.outcome = outcome_of(claim, self.commit)
        return self.outcome


class Delivery(Struct, kw_only=True):
    """A signal on its way into the journal of a run."""

    run: OpenRun
    claim: Claim
    signal: Signal
    output: bytes | None
    head: Head
    """The one that every sending of it has."""
    progressed: bool = True
    """Whether progress of the activation may have been recorded."""
    leaves: bool = False
    """Whether the ticket is left to anybody, whatever it goes on with."""
    meanwhile: Callable[[Claim, Mapping[str, Batch]], object] | None = None
    """Told, while it is being written, what its ticket goes on with if it stands, and what its node has given then."""
    sent: Sent | None = None
    """What was sent of it last without an answer that says that it stands."""


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
        self._tickets = Ticketing(means)
        self.tickets = self._tickets.for_due
        self.new_ticket = self._tickets.new

    def deliver(self, run: OpenRun, claim: Claim, signal: Signal, output: bytes | None = None) -> Outcome:
        """Fold a signal into the run and record it, together with what becomes of the claim.

        What is refused has changed nothing, and the claim is handed back if it is still good.

        Raises:
            StoreUnavailable: the database stayed away for longer than the engine's patience.
        """
        return self.settle(self.delivery(run, claim, signal, output))

    def delivery(self, run: OpenRun, claim: Claim, signal: Signal, output: bytes | None = None) -> Delivery:
        """A signal to be recorded."""
        return Delivery(run=run, claim=claim, signal=signal, output=output, head=self.new_head())

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
                    meanwhile = partial(self._foreseen, delivery, sent) if delivery.meanwhile else nothing
                    refusal = self._written(run, sent.commit, sent.step, meanwhile)
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
        return sent.leads_to(delivery.claim)

    def commit(
        self, run: OpenRun, claim: Claim, step: Step, *, head: Head, leaves: bool = False, **more: Unpack[Enclosed]
    ) -> Commit:
        """The revision that a step makes of what the run is now."""
        then, tickets = self._tickets.then(run.snapshot, claim, step)
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
            waits=self._tickets.waits(run.id, claim, step) if step.waits else (),
            status=RunStatus.QUEUED if run.queued and not ends else step.status,
            reason=step.reason,
            cancelling=run.snapshot.cancelling,
            turnstile=run.turnstile if ends else None,
            follow_up=run.follow_up(step.status) if ends else "",
            announces=ends and announces(run),
            written=written(run, step),
            tells=ends and bool(run.snapshot.parent),
            **more,
        )

    def write(self, run: OpenRun, commit: Commit, step: Step) -> Refusal | None:
        """Write a revision; `None` when it stands and the snapshot has it."""
        refusal = self._written(run, commit, step)
        if refusal is None:
            self._means.publish(run.news(), step.events)
            self._opener.mark(run)
        return refusal

    def new_head(self) -> Head:
        """A name for a revision."""
        return Head(self._means.entropy())

    def _foreseen(self, delivery: Delivery, sent: Sent) -> None:
        """Tell whoever wants to prepare it what the ticket goes on with; a gate may let others begin anew first."""
        snapshot, done, following = delivery.run.snapshot, sent.step.delta[0], sent.leads_to(delivery.claim).next
        if delivery.meanwhile is None or not isinstance(done, Done) or following is None:
            return
        if node_of(done.activation) not in snapshot.plan.loops:
            given = {port: recorded_at(snapshot.revision + 1, port, one) for port, one in done.outputs.items()}
            delivery.meanwhile(following, given)

    def _written(
        self, run: OpenRun, commit: Commit, step: Step, meanwhile: Callable[[], object] = nothing
    ) -> Refusal | None:
        try:
            if self._stores.journal.step(commit, meanwhile):
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
