"""Cancelling a run while workers claim, step, die and are taken over.

Theory of operation. Here a statement is not atomic: it waits for row locks, one at a time, and holds what it has
until it commits (READ COMMITTED). A statement chooses its rows by the snapshot of its start; once it holds a row it
checks its condition again, on the newest version of that row. So a lock is a fact of the phase of an actor, and a
move is either "gets the next lock" or "commits". Claims pass over locked rows (SKIP LOCKED), everybody else waits.

The run has a ticket at work (`held`, whose next step also makes the ticket `born`) and a ready one (`other`). The
operator may cancel at any moment, or not at all. The promise: after the acknowledgement nothing is claimed and no
step commits; the run ends, cancelled or succeeded, and leaves no ticket. A client killed inside a statement is not
a story of its own: the server completes the statement (killed just after) or rolls it back (killed just before).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from tests.protocol.cancel_statements import Marking, cancel_moves
from tests.protocol.cancel_world import (
    CANCEL,
    RUN,
    Phase,
    Stage,
    Status,
    Ticket,
    Worker,
    World,
    snapshot,
    with_ticket,
    with_worker,
)
from tests.protocol.exploration import Move


class LockOrder(Enum):
    """Which row a step locks first."""

    RUN_THEN_TICKET = "the order that the cancel follows too"
    TICKET_THEN_RUN = "the opposite order"


class TakeOver(Enum):
    """What a take-over does with a ticket that a cancel has marked."""

    DELETES_AND_WAKES_FOLD = "the ticket is deleted, and the same statement asks for the fold"
    DELETES = "the ticket is deleted, and nobody is told"
    FREES = "the ticket becomes ready and keeps its mark"
    FREES_AND_FORGETS = "the ticket becomes ready and loses its mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelModel:
    """One run, two workers, one cancel; the defaults are the protocol as recommended."""

    marking: Marking = Marking.SECOND_STATEMENT
    lock_order: LockOrder = LockOrder.RUN_THEN_TICKET
    take_over: TakeOver = TakeOver.DELETES_AND_WAKES_FOLD
    kills: int = 0
    false_take_overs: int = 0

    def initial(self) -> World:
        """Worker 0 works on one ticket, and another one is ready."""
        return World(
            tickets=frozenset({Ticket(id="held", owner=0, bears=True), Ticket(id="other")}),
            workers=(Worker(phase=Phase.WORKING, ticket="held"), Worker()),
            kills=self.kills,
            false_take_overs=self.false_take_overs,
        )

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List everything that workers, caretaker, fold and operator can do next."""
        for index, worker in enumerate(world.workers):
            yield from self._worker(world, index)
            yield from self._take_over(world, index)
            if world.kills and worker.phase in (Phase.IDLE, Phase.WORKING, Phase.STOPPING):
                dead = with_worker(replace(world, kills=world.kills - 1), index, Phase.DOWN)
                yield Move(label=f"worker {index} IS KILLED", after=dead, fault=True)
        yield from cancel_moves(world, self.marking, self._locks(world))
        yield from self._fold(world)

    def _locks(self, world: World) -> dict[str, str]:
        """Return who holds which row."""
        locks = dict.fromkeys(world.cancel.locked, CANCEL)
        if world.cancel.stage in (Stage.HOLDS_RUN, Stage.MARKING):
            locks[RUN] = CANCEL
        for index, worker in enumerate(world.workers):
            name = f"worker {index}"
            if worker.phase is Phase.CLAIMING:
                locks[worker.ticket] = name
            elif worker.phase is Phase.STEPPING:
                locks[self._step_rows(worker)[0]] = name
            elif worker.phase is Phase.COMMITTING:
                locks.update(dict.fromkeys(self._step_rows(worker), name))
        return locks

    def _step_rows(self, worker: Worker) -> tuple[str, str]:
        in_order = self.lock_order is LockOrder.RUN_THEN_TICKET
        return (RUN, worker.ticket) if in_order else (worker.ticket, RUN)

    def _worker(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        match worker.phase:
            case Phase.DOWN:
                return
            case Phase.IDLE:
                yield from self._claim(world, index)
            case Phase.CLAIMING:
                yield self._commit_claim(world, index)
            case Phase.WORKING:
                yield from self._next_lock(world, index, self._step_rows(worker)[0], Phase.STEPPING)
                yield from self._hear(world, index)
            case Phase.STEPPING:
                yield from self._next_lock(world, index, self._step_rows(worker)[1], Phase.COMMITTING)
            case Phase.COMMITTING:
                yield self._commit_step(world, index)
            case Phase.STOPPING:
                yield from self._stop(world, index)
            case _:
                assert_never(worker.phase)

    def _claim(self, world: World, index: int) -> Iterator[Move[World]]:
        locks = self._locks(world)
        for ticket in snapshot(world):
            if ticket.owner is None and not ticket.marked and ticket.id not in locks:
                claiming = with_worker(world, index, Phase.CLAIMING, ticket.id)
                yield Move(label=f"worker {index} locks {ticket.id} to claim it", after=claiming)

    def _hear(self, world: World, index: int) -> Iterator[Move[World]]:
        ticket = world.ticket(world.workers[index].ticket)
        if ticket is not None and ticket.owner == index and ticket.marked:
            stopping = with_worker(world, index, Phase.STOPPING, ticket.id)
            yield Move(label=f"worker {index} hears of the cancel by its beat", after=stopping)

    def _commit_claim(self, world: World, index: int) -> Move[World]:
        worker = world.workers[index]
        ticket = world.ticket(worker.ticket)
        after = with_worker(world, index, Phase.IDLE)
        if ticket is not None:
            claimed = with_ticket(world, ticket, replace(ticket, owner=index))
            after = with_worker(claimed, index, Phase.WORKING, ticket.id)
            if world.cancel.stage is Stage.ACKNOWLEDGED:
                after = replace(after, late=f"{ticket.id} was claimed after the cancel was acknowledged")
        return Move(label=f"worker {index} commits its claim of {worker.ticket}", after=after)

    def _next_lock(self, world: World, index: int, row: str, phase: Phase) -> Iterator[Move[World]]:
        worker = world.workers[index]
        if row in self._locks(world):
            return
        ticket = world.ticket(worker.ticket)
        if row == RUN and world.status is not Status.RUNNING:
            refused = with_worker(world, index, Phase.STOPPING, worker.ticket)
            yield Move(label=f"worker {index} finds the run stopped, its step is refused", after=refused)
        elif row != RUN and (ticket is None or ticket.owner != index):
            refused = with_worker(world, index, Phase.IDLE)
            yield Move(label=f"worker {index} finds its ticket taken, its step is refused", after=refused)
        else:
            yield Move(
                label=f"worker {index} locks {row} to step", after=with_worker(world, index, phase, worker.ticket)
            )

    def _commit_step(self, world: World, index: int) -> Move[World]:
        worker = world.workers[index]
        ticket = world.ticket(worker.ticket)
        after = with_worker(world, index, Phase.IDLE)
        if ticket is not None and ticket.bears:
            gone_on = with_ticket(world, ticket, replace(ticket, bears=False))
            after = replace(gone_on, tickets=gone_on.tickets | {Ticket(id="born")})
            after = with_worker(after, index, Phase.WORKING, ticket.id)
        elif ticket is not None:
            after = with_ticket(after, ticket, None)
            if not after.tickets:
                after = replace(after, status=Status.SUCCEEDED)
        if world.cancel.stage is Stage.ACKNOWLEDGED:
            after = replace(after, late=f"a step of {worker.ticket} committed after the cancel was acknowledged")
        return Move(label=f"worker {index} commits its step of {worker.ticket}", after=after)

    def _stop(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        ticket = world.ticket(worker.ticket)
        if worker.ticket in self._locks(world):
            return
        after = with_worker(world, index, Phase.IDLE)
        if ticket is not None and ticket.owner == index:
            after = replace(with_ticket(after, ticket, None), fold_due=True)
        yield Move(label=f"worker {index} stops, deletes {worker.ticket} and asks for the fold", after=after)

    def _take_over(self, world: World, index: int) -> Iterator[Move[World]]:
        dead = world.workers[index].phase is Phase.DOWN
        if not dead and not world.false_take_overs:
            return
        left = world.false_take_overs if dead else world.false_take_overs - 1
        for ticket in snapshot(world):
            if ticket.owner != index or ticket.id in self._locks(world):
                continue
            after = replace(self._taken_over(world, ticket), false_take_overs=left)
            label = f"caretaker takes over {ticket.id}" + ("" if dead else f" ALTHOUGH WORKER {index} LIVES")
            yield Move(label=label, after=after, fault=not dead)

    def _taken_over(self, world: World, ticket: Ticket) -> World:
        if not ticket.marked:
            return with_ticket(world, ticket, replace(ticket, owner=None))
        match self.take_over:
            case TakeOver.DELETES_AND_WAKES_FOLD:
                return replace(with_ticket(world, ticket, None), fold_due=True)
            case TakeOver.DELETES:
                return with_ticket(world, ticket, None)
            case TakeOver.FREES:
                return with_ticket(world, ticket, replace(ticket, owner=None))
            case TakeOver.FREES_AND_FORGETS:
                return with_ticket(world, ticket, replace(ticket, owner=None, marked=False))
            case _:
                assert_never(self.take_over)

    def _fold(self, world: World) -> Iterator[Move[World]]:
        locks = self._locks(world)
        ready = {ticket for ticket in world.tickets if ticket.owner is None}
        if not world.fold_due or RUN in locks or any(ticket.id in locks for ticket in ready):
            return
        after = replace(world, tickets=world.tickets - ready, fold_due=False)
        if not after.tickets:
            after = replace(after, status=Status.CANCELLED)
        yield Move(label=f"the fold deletes {len(ready)} ready tickets, the run is {after.status.value}", after=after)

    def violation(self, world: World) -> str | None:
        """Name work that was begun or committed after the acknowledgement, or a deadlock."""
        if world.late is not None:
            return world.late
        locks = self._locks(world)
        wanted = (
            {CANCEL: world.cancel.chosen[0].id} if world.cancel.stage is Stage.MARKING and world.cancel.chosen else {}
        )
        for index, worker in enumerate(world.workers):
            if worker.phase is Phase.STEPPING:
                wanted[f"worker {index}"] = self._step_rows(worker)[1]
        for actor, row in wanted.items():
            holder = locks.get(row, actor)
            if holder != actor and locks.get(wanted.get(holder, "")) == actor:
                return f"{actor} and {holder} are in a deadlock"
        return None

    def unsettled(self, world: World) -> str | None:
        """Name a run that nobody will end, or one that ended and left something behind."""
        if world.status in (Status.RUNNING, Status.CANCELLING):
            return f"the run stays {world.status.value} for ever"
        if world.tickets:
            return f"the {world.status.value} run keeps a ticket"
        return None
