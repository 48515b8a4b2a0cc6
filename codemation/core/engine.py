"""Fold and ports together: start a run, deliver a signal, cancel, resume.

Theory of operation. A process keeps the snapshot of each run that it works on (`OpenRun`) and folds one signal after
the other under the run's lock. Folding is free of effects, so the order is: fold, write, apply. What was written is
known by its `head`, random bits chosen before sending: after a lost answer the journal is read, and the own head in it
means that the revision stands. A refused write means that somebody else was faster (apply the tail, fold again), that
the run was asked to stop, or that the ticket was taken over; only the last two give the work up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from codemation.core.advance import Step, advance
from codemation.core.definition import Definition, Plan
from codemation.core.errors import RunError, StoreUnavailable
from codemation.core.facts import encode_delta
from codemation.core.ids import ActivationId, Head, RunId, TicketId, WorkerId, node_of
from codemation.core.items import Batch, BatchKind
from codemation.core.opening import Lock, Opener, OpenRun
from codemation.core.ports import (
    Claim,
    Commit,
    Drop,
    GoOn,
    Holding,
    Leave,
    NewRun,
    NewTicket,
    Reopening,
    Stores,
)
from codemation.core.signals import CancelRequested, Event, Resumed, Signal, Started, Stopped
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus

INLINE_LIMIT = 8 * 1024
"""Bytes of output that lie in the journal itself; what is larger is stored before the step and named by it."""

Stored = tuple[bytes, int, BatchKind]
"""Bytes, count and kind of what a port holds."""


class Refusal(StrEnum):
    """Why a result was not recorded."""

    SILENCE = "silence"
    """It was late or said twice."""
    STOPPING = "stopping"
    """The run was asked to stop."""
    TAKEN_OVER = "taken over"
    """Somebody else holds the ticket now."""
    OVERTAKEN = "overtaken"
    """Another revision was written first; the signal has to be folded again. Never seen outside of the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What delivering a signal led to."""

    next: Claim | None = None
    """What the same worker goes on with."""
    ready: tuple[TicketId, ...] = ()
    """Other tickets that may be claimed now."""
    later: tuple[TicketId, float] | None = None
    """A ticket that waits, and the seconds."""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a run is started with."""

    id: RunId
    params: str
    """JSON."""
    input: Stored
    key: str | None = None
    priority: int | None = None
    """Instead of the definition's."""
    claim: bool = True
    """Whether this process goes on with the first node itself."""


class Engine:
    """Drives runs of one database for one worker."""

    def __init__(
        self,
        stores: Stores,
        worker: WorkerId,
        *,
        entropy: Callable[[], int],
        lock: Callable[[], Lock],
        patience: Callable[[int, StoreUnavailable], None],
        publish: Callable[[RunId, int, tuple[Event, ...]], None] = lambda run, revision, events: None,
    ) -> None:
        """`entropy` gives 63 random bits; `patience` waits before another try to reach the database, or raises."""
        self.stores = stores
        self.worker = worker
        self._entropy = entropy
        self.opener = Opener(stores, lock, patience)
        self.open = self.opener.open
        self.persist = self.opener.persist
        self._publish = publish

    def start(self, definition: Definition, start: Start) -> tuple[OpenRun, Outcome]:
        """Record a new run and its first activations; with a used key, the run that is there already."""
        self.stores.definitions.put(definition)
        batches, output = self.store_outputs(start.id, {"main": start.input})
        plan = definition.plan
        step = advance(Snapshot(plan), Started(input=batches["main"]))
        assert step is not None, "a fresh snapshot accepts Started"
        tickets = self._tickets(plan, step.due)
        head = Head(self._entropy())
        run = NewRun(
            id=start.id,
            workflow=definition.workflow,
            digest=definition.digest,
            params=start.params,
            head=head,
            delta=encode_delta(step.delta),
            output=output,
            tickets=tickets,
            claimed_by=self.worker if start.claim else None,
            status=step.status,
            reason=step.reason,
            priority=definition.priority if start.priority is None else start.priority,
            key=start.key,
            input_digest=sha256(start.params.encode() + b"\n" + start.input[0]).digest(),
        )
        known = self.persist(self.stores.journal.start, run)
        opened = self.open(known, definition if known == start.id else None)
        if known != start.id:
            return opened, Outcome()
        self._publish(known, opened.snapshot.revision, step.events)
        return opened, self._first(opened, tickets, claimed=start.claim)

    def deliver(self, run: OpenRun, claim: Claim, signal: Signal, output: bytes | None = None) -> Outcome:
        """Fold a signal into the run and record it, together with what becomes of the claim.

        Raises:
            StoreUnavailable: the database stayed away for longer than the engine's patience.
        """
        head = Head(self._entropy())  # one for every sending: a first one may still land after a second was sent
        with run.lock:
            while True:
                step = advance(run.snapshot, signal)
                if step is None:
                    return Outcome(refusal=Refusal.STOPPING if run.snapshot.cancelling else Refusal.SILENCE)
                commit = self._commit(run, claim, step, head, output)
                refusal = self._write(run, commit, step)
                if refusal is None:
                    self._publish(run.id, run.snapshot.revision, step.events)
                    return self._outcome(claim, commit, step)
                if refusal is not Refusal.OVERTAKEN:
                    return Outcome(refusal=refusal)

    def fold_inbox(self, claim: Claim, read: Callable[[str], Signal]) -> OpenRun | None:
        """Fold what is in a run's inbox, or end a run that was asked to stop; `None` when it has to wait.

        `claim` is a fold ticket; `read` turns the body of a letter into a signal.
        """
        run = self.open(claim.run)
        if run.snapshot.cancelling:
            others = [ticket for ticket in self.stores.runs.tickets(run.id) if ticket.id != claim.holding.ticket]
            if any(ticket.state == "running" for ticket in others):
                self.stores.tickets.postpone(claim.holding, 0.2)
                return None
            self.deliver(run, claim, Stopped())
            return run
        head = Head(self._entropy())
        while True:
            letters = self.stores.inbox.pending(run.id)
            step = _together(run.snapshot, [read(letter.body) for letter in letters])
            commit = self._commit(run, claim, step, head)
            refusal = self._write(run, replace(commit, consumed=tuple(letter.id for letter in letters)), step)
            if refusal is not Refusal.OVERTAKEN:
                return run if refusal is None else None

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> RunStatus:
        """Ask a run to stop; when this returns, nothing of it is claimed any more. Says where the run stands now."""
        while True:
            opened = self.open(run)
            step = advance(opened.snapshot, CancelRequested(who=who, reason=reason))
            if step is None:
                return opened.snapshot.status
            head, fold = Head(self._entropy()), TicketId(self._entropy())
            delta = encode_delta(step.delta)
            if self.persist(self.stores.journal.cancel, run, opened.row, head, delta, fold):
                self._publish(run, opened.snapshot.revision + 1, step.events)
                return opened.snapshot.status

    def resume(self, run: OpenRun, *, who: str = "", definition: Definition | None = None) -> Outcome:
        """Let a failed or cancelled run go on, with another definition if one is given; its work is claimed at once.

        Raises:
            RunError: the run is neither, or somebody else was faster.
        """
        with run.lock:
            digest = definition.digest if definition and definition.digest != run.definition.digest else ""
            if definition and digest:
                self.stores.definitions.put(definition)
            was = run.definition.digest if digest else ""
            step = advance(run.snapshot, Resumed(who=who, digest=digest, was=was))
            if step is None:
                raise RunError(f"run {run.id} is {run.snapshot.status}, so there is nothing to resume")
            latest = definition or run.definition
            tickets = self._tickets(latest.plan, step.due)
            reopening = Reopening(
                run=run.id,
                revision=run.snapshot.revision,
                head=run.head,
                new_head=Head(self._entropy()),
                delta=encode_delta(step.delta),
                digest=latest.digest,
                tickets=tickets,
                claimed_by=self.worker,
                status=step.status,
                reason=step.reason,
            )
            if not self._reopened(reopening):
                raise RunError(f"run {run.id} has changed meanwhile", way_out=f"codemation runs show {run.id}")
            run.snapshot.apply(step.delta)
            run.head, run.definition, run.stopping = reopening.new_head, latest, False
            self._publish(run.id, run.snapshot.revision, step.events)
            return self._first(run, tickets, claimed=True)

    def store_outputs(self, run: RunId, outputs: Mapping[str, Stored]) -> tuple[dict[str, Batch], bytes | None]:
        """Store what is too large for the journal; the batches, and the bytes that go into the journal itself."""
        room = INLINE_LIMIT
        inline: list[bytes] = []
        batches: dict[str, Batch] = {}
        for port, (data, count, kind) in outputs.items():
            if len(data) <= room:
                room -= len(data)
                inline.append(data)
                batches[port] = Batch(ref="", count=count, kind=kind, size=len(data))
            else:
                batches[port] = self.persist(self.stores.payloads.put, run, data, count, kind)
        return batches, b"".join(inline) or None

    def _reopened(self, reopening: Reopening) -> bool:
        """Write a reopening, by this call or by one whose answer was lost."""
        if self.persist(self.stores.journal.reopen, reopening):
            return True
        row, _ = self.persist(self.stores.journal.load, reopening.run)
        return row.head == reopening.new_head

    def _write(self, run: OpenRun, commit: Commit, step: Step) -> Refusal | None:
        """Write a revision; `None` when it stands and the snapshot has it."""
        try:
            if self.stores.journal.step(commit):
                run.snapshot.apply(step.delta)
                run.head = commit.new_head
                return None
        except StoreUnavailable as error:
            self.opener.patience(1, error)
        look = self.persist(self.stores.journal.look, run.id, commit.holding, run.snapshot.revision)
        landed = any(entry.head == commit.new_head for entry in look.tail)
        self.opener.catch_up(run, look)
        if landed:
            return None
        if look.run.stop and not commit.cancelling:
            return Refusal.STOPPING
        if look.claim is None or look.claim.holding.fence != commit.holding.fence:
            return Refusal.TAKEN_OVER
        return Refusal.OVERTAKEN

    def _commit(
        self, run: OpenRun, claim: Claim, step: Step, head: Head, output: bytes | None = None
    ) -> Commit:
        then, more = self._then(run.snapshot.plan, claim, step)
        return Commit(
            run=run.id,
            holding=claim.holding,
            revision=run.snapshot.revision,
            head=run.head,
            new_head=head,
            delta=encode_delta(step.delta),
            output=output,
            then=then,
            more=more,
            status=step.status,
            reason=step.reason,
            cancelling=run.snapshot.cancelling,
        )

    def _then(self, plan: Plan, claim: Claim, step: Step) -> tuple[GoOn | Leave | Drop, tuple[NewTicket, ...]]:
        """What becomes of the claim's ticket, and the tickets beside it: the first of the same queue is gone on with."""
        if claim.is_fold:
            return Drop(), self._tickets(plan, step.due)
        if step.retry_in is not None:
            queue, priority = claim.queue, claim.priority
            return Leave(activation=claim.activation, queue=queue, priority=priority, delay=step.retry_in), ()
        same = next((one for one in step.due if plan.nodes[node_of(one)].policy.queue == claim.queue), None)
        if same is None:
            return Drop(), self._tickets(plan, step.due)
        return GoOn(activation=same), self._tickets(plan, tuple(one for one in step.due if one != same))

    def _tickets(self, plan: Plan, due: tuple[ActivationId, ...]) -> tuple[NewTicket, ...]:
        policies = [plan.nodes[node_of(activation)].policy for activation in due]
        return tuple(
            NewTicket(
                id=TicketId(self._entropy()), activation=activation, queue=policy.queue, priority=policy.priority
            )
            for activation, policy in zip(due, policies, strict=True)
        )

    def _outcome(self, claim: Claim, commit: Commit, step: Step) -> Outcome:
        ready = tuple(ticket.id for ticket in commit.more)
        match commit.then:
            case GoOn(activation=activation):
                return Outcome(next=claim.going_on(activation), ready=ready)
            case Leave(delay=delay):
                return Outcome(later=(claim.holding.ticket, delay), ready=ready)
            case _:
                return Outcome(ready=ready)

    def _first(self, run: OpenRun, tickets: tuple[NewTicket, ...], *, claimed: bool) -> Outcome:
        ids = tuple(ticket.id for ticket in tickets)
        if not tickets or not claimed:
            return Outcome(ready=ids)
        first = tickets[0]
        claim = Claim(
            holding=Holding(ticket=first.id, worker=self.worker, fence=1),
            run=run.id,
            activation=first.activation,
            queue=first.queue,
            priority=first.priority,
            fresh=True,
        )
        return Outcome(next=claim, ready=ids[1:])


def _together(snapshot: Snapshot, signals: list[Signal]) -> Step:
    """Several signals in one step; those that have nothing to say any more leave no trace."""
    ahead = snapshot.fork()
    steps = []
    for signal in signals:
        step = advance(ahead, signal)
        if step is not None:
            ahead.apply(step.delta)
            steps.append(step)
    return Step(
        delta=tuple(fact for step in steps for fact in step.delta),
        due=tuple(activation for step in steps for activation in step.due),
        status=ahead.status,
        reason=ahead.reason,
        events=tuple(event for step in steps for event in step.events),
    )
