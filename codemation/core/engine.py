"""Fold and ports together: start a run, deliver a signal, fold an inbox, cancel, resume.

A process keeps the snapshot of each run that it works on (`OpenRun`) and folds one signal after the other under the
run's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from codemation.core.advance import advance
from codemation.core.definition import Definition
from codemation.core.delivery import Courier, Means, Outcome, priorities
from codemation.core.errors import RunError, UnknownRun
from codemation.core.facts import encode_delta
from codemation.core.folding import Inboxes
from codemation.core.grouping import Groups
from codemation.core.ids import NodeId, RunId, TicketId, WorkerId
from codemation.core.items import Batch, BatchKind
from codemation.core.limits import UNLIMITED, Limits
from codemation.core.opening import Opener, OpenRun
from codemation.core.ports import Claim, Deadline, Holding, Lane, NewRun, NewTicket, Reopening, Stores
from codemation.core.settling import Step
from codemation.core.signals import CancelRequested, Rearranged, Resumed, Started
from codemation.core.snapshot import Snapshot
from codemation.core.standing import Standing
from codemation.core.states import FINISHED, RunStatus

INLINE_LIMIT = 8 * 1024
"""Bytes of output that lie in the journal itself; what is larger is stored before the step and named by it."""

Stored = tuple[bytes, int, BatchKind]
"""Bytes, count and kind of what a port holds."""


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
    limits: Limits = UNLIMITED
    """What the run may use at the most."""
    claim: bool = True
    """Whether this process goes on with the first node itself."""
    given: Batch | None = None
    """Instead of the input: what is stored for the run already."""
    session: bool = False
    source: str = ""
    standing: tuple[Standing, ...] = ()
    """What is pinned, and what is taken over from the source."""
    unwanted: tuple[NodeId, ...] = ()
    """Nodes that nothing stands on that is asked for."""


class Engine:
    """Drives runs of one database for one worker."""

    def __init__(self, stores: Stores, worker: WorkerId, means: Means) -> None:
        self.stores = stores
        self.worker = worker
        self.opener = Opener(stores, means.lock, means.patience)
        self._means = means
        self._courier = Courier(stores, self.opener, means)
        self.open = self.opener.open
        self.persist = self.opener.persist
        self.deliver = self._courier.deliver
        self.delivery = self._courier.delivery
        self.settle = self._courier.settle
        self.deliver_together = Groups(stores, self._courier).deliver
        self.fold_inbox = Inboxes(stores, self.opener, self._courier).fold

    def start(self, definition: Definition, start: Start) -> tuple[OpenRun, Outcome]:
        """Record a new run and its first activations; with a used key, the run that is there already.

        Raises:
            InputError: the key was used with other params or another input.
        """
        plan = definition.plan  # what is broken is not stored
        self.persist(self.stores.definitions.put, definition)
        batches, output = ({"main": start.given}, None) if start.given else self.store_outputs(start.id, _main(start))
        step = advance(Snapshot(plan), _started(start, batches["main"])) or _NOTHING
        tickets = self._courier.tickets(plan, step.due)
        run = NewRun(
            id=start.id,
            workflow=definition.workflow,
            digest=definition.digest,
            params=start.params,
            head=self._courier.new_head(),
            delta=encode_delta(step.delta),
            output=output,
            tickets=tickets,
            claimed_by=self.worker if start.claim else None,
            status=step.status,
            reason=step.reason,
            priority=definition.priority if start.priority is None else start.priority,
            key=start.key,
            deadline=None if start.session else self._deadline(definition, step.status),
            key_age=self._means.key_age,
            retention={**self._means.retention, **definition.retention},
            input_digest=sha256(start.params.encode() + b"\n" + start.input[0]).digest(),
        )
        known = self.persist(self.stores.journal.start, run)
        if known != start.id:
            return _known(self.opener, known, start), Outcome()
        opened = self.opener.begun(known, run.head, definition, step.delta)
        self._means.publish(known, opened.snapshot.revision, step.events)
        return opened, self._first(opened, tickets, claimed=start.claim)

    def claim(self, run: OpenRun, ticket: TicketId) -> Claim | None:
        """Claim a ticket of a run, if it is ready by now, and know all that its activation stands on."""
        queues = dict.fromkeys(node.policy.queue for node in run.definition.nodes)
        lanes = [Lane(queue=queue, digest=run.definition.digest) for queue in queues]
        claim = self.persist(self.stores.tickets.claim, self.worker, lanes, ticket)
        if claim is None:
            self.persist(self.stores.tickets.fire)
            claim = self.persist(self.stores.tickets.claim, self.worker, lanes, ticket)
        if claim is None or claim.activation in run.snapshot.live:
            return claim
        with run.lock:  # another process has made it due
            self.opener.look(run, claim.holding)
        if claim.activation in run.snapshot.live:
            return claim
        self.persist(self.stores.tickets.hand_back, [claim.holding])
        return None

    def refresh(self, run: OpenRun, known: Collection[TicketId] = ()) -> Outcome:
        """Bring a run up to date; what there is to do in it.

        What this worker holds beyond what is `known` is handed back: the answer to its claim was lost.
        """
        nothing = Holding(ticket=TicketId(0), worker=self.worker, fence=0)
        self.persist(self.stores.tickets.fire)
        with run.lock:
            self.opener.look(run, nothing)
        rows = [row for row in self.persist(self.stores.runs.tickets, run.id) if row.id not in known]
        mine = [replace(nothing, ticket=row.id) for row in rows if row.worker == self.worker]
        looks = [self.persist(self.stores.journal.look, run.id, one, run.snapshot.revision) for one in mine]
        lost = [look.claim.holding for look in looks if look.claim is not None]
        if lost:
            self.persist(self.stores.tickets.hand_back, lost)
        free = {holding.ticket for holding in lost} | {row.id for row in rows if row.state == "ready"}
        return Outcome(ready=tuple(row.id for row in rows if row.kind == "work" and row.id in free))

    def cancel(self, run: RunId, *, who: str = "", reason: str = "") -> RunStatus:
        """Ask a run to stop; when this returns, nothing of it is claimed any more. Says where the run stood before."""
        while True:
            opened = self.open(run)
            step = advance(opened.snapshot, CancelRequested(who=who, reason=reason))
            if step is None:
                return opened.snapshot.status
            head, fold = self._courier.new_head(), self._courier.new_ticket()
            delta = encode_delta(step.delta)
            if self.persist(self.stores.journal.cancel, run, opened.row, head, delta, fold):
                self._means.publish(run, opened.snapshot.revision + 1, step.events)
                return opened.snapshot.status

    def resume(self, run: OpenRun, *, who: str = "", definition: Definition | None = None) -> Outcome:
        """Let a failed or cancelled run go on, with another definition if one is given; its work is claimed at once.

        Raises:
            RunError: the run is neither, or somebody else was faster.
        """
        return self._turn(run, Resumed(who=who), definition, "to resume")

    def rearrange(self, run: OpenRun, change: Rearranged, *, definition: Definition | None = None) -> Outcome:
        """Change what stands in a run, which goes on from there; the first of its work is claimed at once.

        Whoever works on the run holds nothing any more.

        Raises:
            RunError: it has succeeded and is no session, is being stopped, or somebody else was faster.
        """
        return self._turn(run, change, definition, "to change")

    def _turn(self, run: OpenRun, signal: Resumed | Rearranged, definition: Definition | None, what: str) -> Outcome:
        """Let a run go on anew."""
        with run.lock:
            latest = definition or run.definition
            if latest.digest != run.definition.digest:
                self.persist(self.stores.definitions.put, latest)
                signal = replace(signal, digest=latest.digest, was=run.definition.digest)
            step = advance(run.snapshot, signal)
            if step is None:
                stands = "being cancelled" if run.snapshot.cancelling else run.snapshot.status
                raise RunError(f"run {run.id} is {stands}, so there is nothing {what}")
            reopening = self._reopening(run, latest, step)
            if not self._reopened(reopening):
                raise RunError(f"run {run.id} has changed meanwhile", way_out=f"codemation runs show {run.id}")
            run.snapshot.apply(step.delta)
            run.head, run.definition, run.stopping = reopening.new_head, latest, False
            self._means.publish(run.id, run.snapshot.revision, step.events)
            return self._first(run, reopening.tickets, claimed=True)

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

    def _reopening(self, run: OpenRun, latest: Definition, step: Step) -> Reopening:
        return Reopening(
            run=run.id,
            revision=run.snapshot.revision,
            head=run.head,
            new_head=self._courier.new_head(),
            delta=encode_delta(step.delta),
            digest=latest.digest,
            tickets=self._courier.tickets(latest.plan, step.due),
            claimed_by=self.worker,
            status=step.status,
            reason=step.reason,
            of=frozenset({run.snapshot.status}),
            deadline=None if run.snapshot.session else self._deadline(latest, step.status),
        )

    def _deadline(self, definition: Definition, status: RunStatus) -> Deadline | None:
        """The end of a run's time, if it has one and is not over at once; in a session people take their time."""
        if definition.timeout is None or status in FINISHED:
            return None
        return Deadline(ticket=self._courier.new_ticket(), seconds=definition.timeout)

    def _reopened(self, reopening: Reopening) -> bool:
        """Write a reopening, by this call or by one whose answer was lost."""
        if self.persist(self.stores.journal.reopen, reopening):
            return True
        _, entries = self.persist(self.stores.journal.load, reopening.run)
        return any(entry.head == reopening.new_head for entry in entries)

    def _first(self, run: OpenRun, tickets: tuple[NewTicket, ...], *, claimed: bool) -> Outcome:
        """What there is to do at the beginning; the first ticket is held from the start if it was claimed."""
        ids = tuple(ticket.id for ticket in tickets)
        if not tickets or not claimed:
            return Outcome(ready=ids, priorities=priorities(tickets))
        first = tickets[0]
        claim = Claim(
            holding=Holding(ticket=first.id, worker=self.worker, fence=1),
            run=run.id,
            activation=first.activation,
            queue=first.queue,
            priority=first.priority,
            fresh=True,
        )
        return Outcome(next=claim, ready=ids[1:], priorities=priorities(tickets))


def _main(start: Start) -> dict[str, Stored]:
    return {"main": start.input}


def _started(start: Start, given: Batch) -> Started:
    return Started(
        input=given,
        session=start.session,
        source=start.source,
        standing=start.standing,
        unwanted=start.unwanted,
        limits=start.limits,
    )


def _known(opener: Opener, run: RunId, start: Start) -> OpenRun:
    """The run that a key has started before."""
    try:
        return opener.open(run)
    except UnknownRun as error:
        what = f'the key "{start.key}" has started run {run} already, which was pruned since'
        raise RunError(what, way_out="give another key to start another run") from error


_NOTHING = Step(delta=())
