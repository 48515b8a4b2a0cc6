"""The processes of the step model: what each worker remembers, what is on its way, and the faults still to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tests.protocol.step_statements import Database, Guard, Owner, Step, Ticket, execute_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How many faults of each kind may still happen in one story."""

    kills: int = 0
    false_condemnations: int = 0
    dropped_hints: int = 0
    doubled_hints: int = 0
    lost_connections: int = 0


class Phase(Enum):
    """Where a worker stands between two of its statements."""

    DOWN = "down"
    IDLE = "idle"
    WORKING = "working"
    LOOKING = "looking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What one worker process remembers."""

    life: int = 0
    phase: Phase = Phase.IDLE
    ticket: str = ""
    activation: str = ""
    fence: int = 0
    sending: int = 0
    folded: int = 0
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The database, the processes, the queue, the statements without a client, and the faults still to come."""

    database: Database
    workers: tuple[Worker, Worker]
    hints: frozenset[str]
    orphans: frozenset[Step]
    faults: Faults

    def owner(self, index: int) -> Owner:
        """Return the id under which a worker process is known at present."""
        return Owner(worker=index, life=self.workers[index].life)

    def lives(self, owner: Owner) -> bool:
        """Say whether this process start is still running."""
        worker = self.workers[owner.worker]
        return worker.phase is not Phase.DOWN and worker.life == owner.life


def idle(worker: Worker) -> Worker:
    """Return a worker that has forgotten its work."""
    return Worker(life=worker.life)


def holding(worker: Worker, ticket: Ticket, folded: int) -> Worker:
    """Return a worker at work on a ticket that it holds."""
    return Worker(
        life=worker.life,
        phase=Phase.WORKING,
        ticket=ticket.id,
        activation=ticket.activation,
        fence=ticket.fence,
        folded=folded,
    )


def step_of(world: World, index: int, *, walks_on: bool) -> Step:
    """Return the `step` statement that a working worker sends."""
    worker = world.workers[index]
    return Step(
        owner=world.owner(index),
        ticket=worker.ticket,
        fence=worker.fence,
        sending=worker.sending,
        activation=worker.activation,
        folded=worker.folded,
        walks_on=walks_on,
    )


def with_worker(world: World, index: int, worker: Worker) -> World:
    """Return the world with one worker changed."""
    first, second = world.workers
    return replace(world, workers=(worker, second) if index == 0 else (first, worker))


def forget(world: World, guard: Guard) -> World:
    """Drop what can never matter again, so that stories which differ only in their past meet in one state.

    Forgotten are orphans that the database will refuse for ever (revisions and fences only rise), heads that nobody
    can ask for, the fences of tickets that no process remembers, and the earlier lives of a worker that left
    nothing behind.
    """
    orphans = frozenset(
        step for step in world.orphans if execute_step(world.database, step, guard)[0] != world.database
    )
    busy = [index for index, worker in enumerate(world.workers) if worker.ticket]
    heads = {step_of(world, index, walks_on=True).head for index in busy}
    remembered = {worker.ticket for worker in world.workers} | {step.ticket for step in orphans}
    holders = {ticket.owner for ticket in world.database.tickets}
    database = Database(
        journal=tuple((done, head if head in heads else None) for done, head in world.database.journal),
        tickets=frozenset(
            replace(ticket, fence=0) if ticket.fence and ticket.id not in remembered else ticket
            for ticket in world.database.tickets
        ),
        condemned=frozenset(owner for owner in world.database.condemned if world.lives(owner) or owner in holders),
    )
    named = {owner.worker for owner in holders | database.condemned if owner} | {step.owner.worker for step in orphans}
    first, second = (
        replace(worker, life=0) if worker.life and index not in named and index not in busy else worker
        for index, worker in enumerate(world.workers)
    )
    return World(database=database, workers=(first, second), hints=world.hints, orphans=orphans, faults=world.faults)
