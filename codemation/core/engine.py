"""Fold and ports together: start a run, deliver a signal, fold an inbox, cancel, resume.

A process keeps the snapshot of each run that it works on (`OpenRun`) and folds one signal after the other under the
run's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from codemation.core.advance import advance
from codemation.core.beginning import Scribe, Start, Stored, known_run, started
from codemation.core.cancelling import Cancels
from codemation.core.definition import Definition
from codemation.core.delivery import Courier
from codemation.core.errors import RunError
from codemation.core.folding import Inboxes
from codemation.core.grouping import Groups
from codemation.core.ids import RunId, TicketId, WorkerId
from codemation.core.items import Batch
from codemation.core.means import Means
from codemation.core.opening import Opener, OpenRun
from codemation.core.outcome import SESSION, Outcome, priorities, queues
from codemation.core.ports import Claim, Holding, Lane, NewTicket, Reopening, Stores, nothing
from codemation.core.settling import Step
from codemation.core.sharding import Splitter
from codemation.core.signals import Rearranged, Resumed
from codemation.core.snapshot import Snapshot
from codemation.core.states import RunStatus

__all__ = ["INLINE_LIMIT", "Engine", "Start", "Stored"]

INLINE_LIMIT = 8 * 1024
"""Bytes of output that lie in the journal itself; what is larger is stored before the step and named by it."""


class Engine:
    """Drives runs of one database for one worker."""

    def __init__(self, stores: Stores, worker: WorkerId, means: Means) -> None:
        self.stores = stores
        self.worker = worker
        self.opener = Opener(stores, means.lock, means.patience, means.tell)
        self._means = means
        self._courier = Courier(stores, self.opener, means)
        self._scribe = Scribe(self._courier, means)
        self.open = self.opener.open
        self.open_some = self.opener.open_some
        self.persist = self.opener.persist
        self.deliver = self._courier.deliver
        self.delivery = self._courier.delivery
        self.settle = self._courier.settle
        self.write_together = Groups(stores, self._courier).write
        self.cancel = Cancels(self.opener, self._courier, means).cancel
        self.fold_inbox = Inboxes(stores, self.opener, self._courier).fold
        self.settle_shards = Splitter(stores, self.opener, self._courier.new_ticket).settle

    def start(self, definition: Definition, start: Start, *, alone: bool = False) -> tuple[OpenRun, Outcome]:
        """Record a new run and its first activations; with a used key, the run that is there already.

        `alone` says that no other work of this process waits.

        Raises:
            InputError: the key was used with other params or another input.
            RunInTheWay: there are as many runs as there may be, and no more are wanted.
            UnwantedChild: nobody waits for the child any more, or somebody else has started it.
        """
        plan = definition.plan  # what is broken is not stored
        self.persist(self.stores.definitions.put, definition)
        given, output = (start.given, None) if start.given else self._stored(start)
        snapshot = Snapshot(plan, self.opener.plan)
        step = advance(snapshot, started(start, given)) or _NOTHING
        run = self._scribe.new_run(definition, start, step, output, self.worker)

        def begin() -> None:
            if not snapshot.revision:
                snapshot.apply(step.delta)

        known = self.persist(self.stores.journal.start, run, begin if alone else nothing)
        if known != start.id:
            return known_run(self.opener, known, start), Outcome()
        begin()
        opened = self.opener.begun(run, definition, snapshot)
        self._means.publish(opened.news(), step.events)
        if run.turnstile is not None:
            return opened, self._let_in(opened, run.tickets)
        return opened, self._first(opened, run.tickets, claimed=run.claimed_by is not None)

    def claim(self, run: OpenRun, ticket: TicketId) -> Claim | None:
        """Claim a ticket of a run, if it is ready by now, and know all that its activation stands on."""
        queues = dict.fromkeys(node.policy.queue for node in run.definition.nodes)
        if run.snapshot.session:
            queues[SESSION] = None
        lanes = [Lane(queue=queue, digest=run.definition.digest) for queue in queues]
        pools = any(node.policy.pool for node in run.definition.nodes)
        claim = self.persist(self.stores.tickets.claim, self.worker, lanes, ticket, pools=pools)
        if claim is None:
            self.persist(self.stores.tickets.fire)
            claim = self.persist(self.stores.tickets.claim, self.worker, lanes, ticket, pools=pools)
        if claim is not None and run.queued:  # it has been let in meanwhile
            run.row = replace(run.row, status=RunStatus.RUNNING)
        if claim is None or claim.activation in run.snapshot.live:
            return claim
        with run.lock:  # another process has made it due
            self.opener.look(run, claim.holding)
        if claim.activation in run.snapshot.live:
            return claim
        self.persist(self.stores.tickets.hand_back, [claim.holding])
        return None

    def catch_up(self, run: OpenRun, claim: Claim) -> bool:
        """Bring a run up to date with a claim that was made beside it; whether its activation is due still."""
        with run.lock:
            self.opener.look(run, claim.holding)
        return claim.activation in run.snapshot.live

    def refresh(self, run: OpenRun, known: Collection[TicketId] = ()) -> Outcome:
        """Bring a run up to date; what there is to do in it.

        What this worker holds beyond what is `known` is handed back: the answer to its claim was lost.
        """
        self.persist(self.stores.tickets.fire)
        self.opener.follow(run)
        rows = [row for row in self.persist(self.stores.runs.tickets, run.id) if row.id not in known]
        mine = [Holding(ticket=row.id, worker=self.worker, fence=0) for row in rows if row.worker == self.worker]
        looks = [self.persist(self.stores.journal.look, run.id, one, run.snapshot.revision) for one in mine]
        lost = [look.claim.holding for look in looks if look.claim is not None]
        if lost:
            self.persist(self.stores.tickets.hand_back, lost)
        free = {holding.ticket for holding in lost} | {row.id for row in rows if row.state == "ready"}
        return Outcome(ready=tuple(row.id for row in rows if row.kind in ("work", "shard") and row.id in free))

    def resume(
        self, run: OpenRun, *, who: str = "", definition: Definition | None = None, wait: TicketId | None = None
    ) -> Outcome:
        """Let a failed or cancelled run go on, with another definition if one is given; its work is claimed at once.

        The end of a child answers `wait`.

        Raises:
            RunError: the run is neither, or somebody else was faster.
        """
        return self._turn(run, Resumed(who=who), definition, ("to resume", wait))

    def rearrange(self, run: OpenRun, change: Rearranged, *, definition: Definition | None = None) -> Outcome:
        """Change what stands in a run, which goes on from there; the first of its work is claimed at once.

        Whoever works on the run holds nothing any more.

        Raises:
            RunError: it has succeeded and is no session, is being stopped, or somebody else was faster.
        """
        return self._turn(run, change, definition, ("to change", None))

    def _turn(
        self,
        run: OpenRun,
        signal: Resumed | Rearranged,
        definition: Definition | None,
        wish: tuple[str, TicketId | None],
    ) -> Outcome:
        """Let a run go on anew."""
        what, wait = wish
        with run.lock:
            latest = definition or run.definition
            if latest.digest != run.definition.digest:
                self.persist(self.stores.definitions.put, latest)
                signal = replace(signal, digest=latest.digest, was=run.definition.digest)
            step = advance(run.snapshot, signal)
            if step is None:
                stands = "being cancelled" if run.snapshot.cancelling else run.snapshot.status
                raise RunError(f"run {run.id} is {stands}, so there is nothing {what}")
            reopening = replace(self._scribe.reopening(run, latest, step, self.worker), wait=wait)
            if not self._reopened(reopening):
                raise RunError(f"run {run.id} has changed meanwhile", way_out=f"codemation runs show {run.id}")
            run.apply(step.delta, reopening.new_head, len(reopening.delta))
            run.definition, run.stopping = latest, False
            if reopening.placeless:
                run.row = replace(run.row, turnstile=None)
            self._means.publish(run.news(), step.events)
            if reopening.turnstile is not None:
                return self._let_in(run, reopening.tickets)
            return self._first(run, reopening.tickets, claimed=reopening.claimed_by is not None)

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

    def _stored(self, start: Start) -> tuple[Batch, bytes | None]:
        batches, inline = self.store_outputs(start.id, {"main": start.input})
        return batches["main"], inline

    def _reopened(self, reopening: Reopening) -> bool:
        """Write a reopening, by this call or by one whose answer was lost."""
        if self.persist(self.stores.journal.reopen, reopening):
            return True
        _, entries = self.persist(self.stores.journal.load, reopening.run)
        return any(entry.head == reopening.new_head for entry in entries)

    def _let_in(self, run: OpenRun, tickets: tuple[NewTicket, ...]) -> Outcome:
        """What there is to do in a run that was let in; nothing if it is queued."""
        run.row, _ = self.persist(self.stores.journal.load, run.id)
        if run.queued:
            return Outcome()
        ready = tuple(ticket.id for ticket in tickets)
        return Outcome(ready=ready, priorities=priorities(tickets), queues=queues(tickets))

    def _first(self, run: OpenRun, tickets: tuple[NewTicket, ...], *, claimed: bool) -> Outcome:
        """What there is to do at the beginning; the first ticket is held from the start if it was claimed."""
        ids = tuple(ticket.id for ticket in tickets)
        if not tickets or not claimed:
            return Outcome(ready=ids, priorities=priorities(tickets), queues=queues(tickets))
        first = tickets[0]
        claim = Claim(
            holding=Holding(ticket=first.id, worker=self.worker, fence=1),
            run=run.id,
            activation=first.activation,
            queue=first.queue,
            priority=first.priority,
            fresh=True,
        )
        return Outcome(next=claim, ready=ids[1:], priorities=priorities(tickets), queues=queues(tickets))


_NOTHING = Step(delta=())
