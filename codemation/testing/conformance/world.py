"""A small world to try an adapter in: workers, definitions, runs and claims, with ids that are the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from codemation.core.definition import Definition, NodeKind, NodePlan
from codemation.core.facts import Due, encode_delta
from codemation.core.ids import START, ActivationId, Head, RunId, TicketId, WorkerId, WorkflowId
from codemation.core.ports import (
    Chunk,
    Claim,
    Commit,
    Drop,
    Entry,
    Holding,
    Lane,
    Letter,
    NewRun,
    NewTicket,
    RunRow,
    Stores,
    TicketRow,
    WaitTicket,
    WorkerRow,
)
from codemation.core.states import RunStatus
from codemation.core.waits import WaitKind, address


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything that the ports tell of one run: equal before and after whatever was refused."""

    row: RunRow
    entries: tuple[Entry, ...]
    tickets: tuple[TicketRow, ...]
    progress: tuple[tuple[Chunk, ...], ...]
    letters: tuple[Letter, ...]


class World:
    """Makes what a test needs; every id is new, and the same in each repetition of the test."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self._random = random.Random(7)  # noqa: S311 - ids, not secrets
        self._runs = 0
        self.flow = self.definition()

    def number(self) -> int:
        """Random bits for an id or a head."""
        return self._random.getrandbits(62)

    def head(self) -> Head:
        """A name for a revision."""
        return Head(self.number())

    def run_id(self) -> RunId:
        """An id that sorts after all earlier ones."""
        self._runs += 1
        return RunId(f"{self._runs:08x}-0000-7000-8000-{self._random.getrandbits(48):012x}")

    def definition(self, workflow: str = "flow", code: str = "1") -> Definition:
        """A stored definition; it has a digest of its own for each workflow and code."""
        start = NodePlan(id=START, kind=NodeKind.START, inputs=(), code=code)
        definition = Definition(workflow=WorkflowId(workflow), nodes=(start,))
        self.stores.definitions.put(definition)
        return definition

    def worker(self, name: str = "") -> WorkerId:
        """A worker that is entered."""
        worker = WorkerId(self.number())
        self.stores.workers.register(WorkerRow(id=worker, name=name or "w", place="here", pid=1, pid_started=1))
        return worker

    def lane(self, queue: str = "default") -> Lane:
        """Where the work of this world's runs stands."""
        return Lane(queue=queue, digest=self.flow.digest)

    def tickets(self, *names: str, queue: str = "default", priority: int = 0) -> tuple[NewTicket, ...]:
        """New work, a ticket for each activation."""
        return tuple(
            NewTicket(id=TicketId(self.number()), activation=ActivationId(name), queue=queue, priority=priority)
            for name in names
        )

    def delta(self, *names: str) -> bytes:
        """A revision that says something."""
        return encode_delta((Due(activations=tuple(ActivationId(name) for name in names)),))

    def new_run(self, *names: str, **changes: Any) -> NewRun:
        """A run that can be started, with a ready ticket for each activation."""
        run = NewRun(
            id=self.run_id(),
            workflow=self.flow.workflow,
            digest=self.flow.digest,
            params="{}",
            head=self.head(),
            delta=self.delta(*names),
            output=None,
            tickets=self.tickets(*names),
        )
        return replace(run, **changes)

    def start(self, *names: str, **changes: Any) -> RunId:
        """A run that has started."""
        return self.stores.journal.start(self.new_run(*names, **changes))

    def held(self, *names: str, **changes: Any) -> Claim:
        """A claim on the first ticket of a new run, by a new worker."""
        worker = self.worker()
        run = self.new_run(*(names or ("a/1",)), **{"claimed_by": worker, **changes})
        self.stores.journal.start(run)
        first = run.tickets[0]
        return Claim(
            holding=Holding(ticket=first.id, worker=worker, fence=1),
            run=run.id,
            activation=first.activation,
            queue=first.queue,
            priority=first.priority or run.priority,
        )

    def claim(self, worker: WorkerId, ticket: TicketId | None = None, *, queue: str = "default") -> Claim:
        """A claim that must succeed, on work of this world's runs."""
        claim = self.stores.tickets.claim(worker, [self.lane(queue)], ticket)
        assert claim is not None, "there is a ready ticket, and nobody gets it"
        return claim

    def take(self, run: RunId, activation: str, worker: WorkerId | None = None, *, queue: str = "default") -> Claim:
        """A claim on the ready ticket of one activation, which there must be."""
        found = [ticket.id for ticket in self.stores.runs.tickets(run) if ticket.activation == activation]
        assert len(found) == 1, f"there should be one ticket of {activation}"
        return self.claim(worker or self.worker(), found[0], queue=queue)

    def claim_fold(self, run: RunId, worker: WorkerId | None = None) -> Claim:
        """A claim on the run's fold ticket, which there must be, ready."""
        folds = [ticket for ticket in self.stores.runs.tickets(run) if not ticket.activation]
        assert len(folds) == 1, "the run should have one fold ticket"
        claim = self.stores.tickets.claim(worker or self.worker(), [], folds[0].id)
        assert claim is not None, "nobody can claim the fold ticket"
        assert claim.is_fold
        assert claim.run == run
        return claim

    def row(self, run: RunId) -> RunRow:
        """The run as it is now."""
        return self.stores.journal.load(run)[0]

    def commit(self, claim: Claim, **changes: Any) -> Commit:
        """A commit that knows the latest revision, and is done with its ticket unless `changes` say otherwise."""
        row = self.row(claim.run)
        commit = Commit(
            run=claim.run,
            holding=claim.holding,
            revision=row.revision,
            head=row.head,
            new_head=self.head(),
            delta=self.delta("x/1"),
            then=Drop(),
        )
        return replace(commit, **changes)

    def step(self, claim: Claim, **changes: Any) -> None:
        """A step that must stand."""
        assert self.stores.journal.step(self.commit(claim, **changes)), "a good step was refused"

    def wait(self, activation: str, key: str, kind: WaitKind = "approval", **changes: Any) -> WaitTicket:
        """Something to wait for; a name that is not used twice makes its address, so runs do not share it."""
        wait = WaitTicket(id=TicketId(self.number()), activation=ActivationId(activation), wait=key, kind=kind)
        return replace(wait, **changes)

    def event(self, activation: str, key: str, about: str = "7", *, name: str = "paid") -> WaitTicket:
        """A wait for an event."""
        return self.wait(activation, key, "event", wait_key=f"{name}:{about}")

    def suspended(self, *waits: WaitTicket) -> RunId:
        """A run whose first activation waits."""
        claim = self.held(waits[0].activation)
        return self._suspend(claim, waits)

    def suspend_again(self, run: RunId, *waits: WaitTicket) -> None:
        """Let a fold lead to an activation that waits, which one step does here."""
        self._suspend(self.claim_fold(run), waits)

    def _suspend(self, claim: Claim, waits: tuple[WaitTicket, ...]) -> RunId:
        addressed = [
            wait
            if wait.wait_key or wait.kind == "timer"
            else replace(wait, wait_key=address(claim.run, wait.activation, wait.wait))
            for wait in waits
        ]
        self.step(claim, waits=tuple(addressed), status=RunStatus.WAITING)
        return claim.run

    def answer(self, run: RunId, activation: str, key: str, body: str = "{}") -> bool:
        """Answer a wait."""
        return self.stores.waits.answer(address(run, ActivationId(activation), key), body, TicketId(self.number()))

    def cancel(self, run: RunId) -> None:
        """A cancel that must succeed."""
        fold = TicketId(self.number())
        assert self.stores.journal.cancel(run, self.row(run), self.head(), self.delta(), fold)

    def post(self, run: RunId, key: str = "k", body: str = "{}") -> bool:
        """Leave a letter."""
        return self.stores.inbox.post(run, key, body, TicketId(self.number()))

    def save(self, claim: Claim, number: int = 0) -> None:
        """Record progress, which must succeed."""
        chunk = Chunk(number=number, items=(number,), data=b"%d" % number)
        assert self.stores.tickets.save_progress(claim.holding, claim.activation, chunk)

    def truth(self, run: RunId) -> Truth:
        """Everything that is known of a run."""
        row, entries = self.stores.journal.load(run)
        tickets = sorted(self.stores.runs.tickets(run), key=lambda ticket: ticket.id)
        progress = (self.stores.tickets.progress(ticket.id, ticket.activation) for ticket in tickets)
        return Truth(
            row=row,
            entries=entries,
            tickets=tuple(tickets),
            progress=tuple(progress),
            letters=self.stores.inbox.pending(run),
        )


class Contract:
    """What every contract has: a world on the adapter's `stores`."""

    @pytest.fixture
    def world(self, stores: Stores) -> World:
        """A world on empty stores."""
        return World(stores)


def gone_on(claim: Claim, activation: str) -> Claim:
    """The claim after a step that went on with the same ticket."""
    holding = replace(claim.holding, fence=claim.holding.fence + 1)
    return replace(claim, holding=holding, activation=ActivationId(activation), starts=1)


def states(rows: Iterable[TicketRow]) -> dict[str, str]:
    """The state of each ticket, by activation."""
    return {row.activation: row.state for row in rows}
