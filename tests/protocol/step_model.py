"""The run's main protocol: hint, claim, step, look, take over.

Theory of operation. Two workers hear of ready tickets through a queue that loses, doubles and reorders hints; a
caretaker hints again, condemns the dead and frees what they hold. The statements are those of `step_statements`;
what a process does between two of them touches nothing but its own memory, so it needs no move of its own.

* A worker can be killed between any two statements, and while one is under way. The statement that it leaves behind
  is an *orphan*: the server executes it at any later moment, or never. A connection that breaks leaves an orphan
  too, and a worker that must look what became of its step. The story begins without a hint: whoever started the run
  died too early.
* A worker can be condemned although it lives (it was frozen). It goes on in good faith until a beat tells it; then
  it takes a new id. Losing a ticket makes it beat at once: else the story has no end, for it could lose one ticket
  after another.
* Claiming from the table needs no move: it is a hint that arrives at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from tests.protocol.exploration import Move
from tests.protocol.step_statements import (
    Database,
    Guard,
    Owner,
    Step,
    Ticket,
    claim,
    condemn,
    execute_step,
    newly_ready,
    take_over,
)
from tests.protocol.step_world import Faults, Phase, Worker, World, forget, holding, idle, step_of, with_worker


class Release(Enum):
    """How the tickets of the condemned are freed."""

    STANDING_QUERY = "whatever a condemned worker holds is freed, whenever it is seen"
    ONCE = "what it holds at the moment of the condemnation is freed, once"


class HeadLife(Enum):
    """How long a client keeps the random head of a step."""

    PER_CLAIM = "every sending of the same step carries the same head"
    PER_SENDING = "a step that is sent again carries a new head"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepModel:
    """The protocol of one run under a budget of faults; the defaults are the protocol as recommended."""

    faults: Faults = field(default_factory=Faults)
    guard: Guard = Guard.FENCE_AND_REVISION
    release: Release = Release.STANDING_QUERY
    head_life: HeadLife = HeadLife.PER_CLAIM
    hints_again: bool = True

    def initial(self) -> World:
        """A started run whose first hint was never sent."""
        return World(
            database=Database(tickets=frozenset({Ticket(id="a", activation="a")})),
            workers=(Worker(), Worker()),
            hints=frozenset(),
            orphans=frozenset(),
            faults=self.faults,
        )

    def moves(self, world: World) -> Iterator[Move[World]]:
        """List everything that workers, caretaker, queue and network can do next."""
        for move in self._moves(world):
            yield Move(label=move.label, after=forget(move.after, self.guard), fault=move.fault)

    def _moves(self, world: World) -> Iterator[Move[World]]:
        for index in range(len(world.workers)):
            yield from self._worker(world, index)
            yield from self._kill(world, index)
            yield from self._condemn(world, index)
        yield from self._caretaker(world)
        yield from self._queue(world)
        yield from self._orphans(world)

    def _worker(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        if worker.untold:
            told = with_worker(world, index, replace(worker, untold=()))
            hinted = replace(told, hints=world.hints | set(worker.untold))
            yield Move(label=f"worker {index} hints {', '.join(worker.untold)}", after=hinted)
            return
        match worker.phase:
            case Phase.DOWN:
                reborn = with_worker(world, index, Worker(life=worker.life + 1))
                yield Move(label=f"worker {index} restarts", after=reborn)
            case Phase.IDLE:
                yield from self._idle(world, index)
            case Phase.WORKING:
                yield from self._step(world, index)
            case Phase.LOOKING:
                yield self._look(world, index)

    def _idle(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        if world.owner(index) in world.database.condemned:
            renamed = with_worker(world, index, Worker(life=worker.life + 1))
            yield Move(label=f"worker {index} learns that it is condemned and takes a new id", after=renamed)
        for hint in sorted(world.hints):
            taken = replace(world, hints=world.hints - {hint})
            ticket = world.database.ticket(hint)
            if ticket is None or ticket.owner is not None:
                yield Move(label=f"worker {index} drops the stale hint {hint}", after=taken)
                continue
            database, claimed = claim(world.database, ticket, world.owner(index))
            folded = len(database.journal)
            after = with_worker(replace(taken, database=database), index, holding(worker, claimed, folded))
            yield Move(label=f"worker {index} claims {hint} ({claimed.activation})", after=after)
            if world.faults.doubled_hints:
                faults = replace(world.faults, doubled_hints=world.faults.doubled_hints - 1)
                label = f"worker {index} claims {hint} ({claimed.activation}), THE HINT STAYS"
                yield Move(label=label, after=replace(after, hints=world.hints, faults=faults), fault=True)

    def _step(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        looking = replace(worker, phase=Phase.LOOKING)
        for walks_on in (True, False):
            step = step_of(world, index, walks_on=walks_on)
            ready = newly_ready(world.database, step)
            if not ready and not walks_on:
                continue
            database, answered = execute_step(world.database, step, self.guard)
            going_on = looking
            if answered:
                going_on = idle(worker)
                if ready and walks_on:
                    held = Ticket(id=worker.ticket, activation=ready[0], fence=worker.fence + 1)
                    going_on = holding(worker, held, worker.folded + 1)
                going_on = replace(going_on, untold=ready[1:] if walks_on else (worker.ticket, *ready[1:]))
            label = f"worker {index} commits {worker.activation}" if answered else f"worker {index} is refused"
            if answered and ready:
                label += f" and walks on to {ready[0]}" if walks_on else f" and leaves {ready[0]} ready"
            yield Move(label=label, after=with_worker(replace(world, database=database), index, going_on))
            if world.faults.lost_connections:
                yield self._lose_connection(world, index, step)
            if not answered:
                return  # what it does not get, it can neither walk on with nor leave

    def _lose_connection(self, world: World, index: int, step: Step) -> Move[World]:
        faults = replace(world.faults, lost_connections=world.faults.lost_connections - 1)
        orphaned = replace(world, orphans=world.orphans | {step}, faults=faults)
        looking = replace(world.workers[index], phase=Phase.LOOKING)
        label = f"worker {index} sends {step.activation}, THE CONNECTION BREAKS"
        return Move(label=label, after=with_worker(orphaned, index, looking), fault=True)

    def _look(self, world: World, index: int) -> Move[World]:
        worker, database = world.workers[index], world.database
        ticket = database.ticket(worker.ticket)
        landed = database.landed(step_of(world, index, walks_on=True).head)
        fence = worker.fence + 1 if landed else worker.fence
        owned = ticket is not None and ticket.owner == world.owner(index) and ticket.fence == fence
        if ticket is None or not (owned or self.guard is Guard.REVISION_ALONE):
            label = f"worker {index} looks: the ticket is not its own, it lets go"
            if world.owner(index) in database.condemned:
                renamed = with_worker(world, index, Worker(life=worker.life + 1))
                return Move(label=f"{label} and takes a new id", after=renamed)
            return Move(label=label, after=with_worker(world, index, idle(worker)))
        folded = len(database.journal)
        if landed:
            label = f"worker {index} looks: its commit had landed, it goes on with {ticket.activation}"
            return Move(label=label, after=with_worker(world, index, holding(worker, ticket, folded)))
        sending = worker.sending + 1 if self.head_life is HeadLife.PER_SENDING else worker.sending
        again = replace(worker, phase=Phase.WORKING, folded=folded, sending=sending)
        label = f"worker {index} looks: it folds up to revision {folded} and will send again"
        return Move(label=label, after=with_worker(world, index, again))

    def _kill(self, world: World, index: int) -> Iterator[Move[World]]:
        worker = world.workers[index]
        if worker.phase is Phase.DOWN or not world.faults.kills:
            return
        faults = replace(world.faults, kills=world.faults.kills - 1)
        orphans = world.orphans
        if worker.phase is Phase.WORKING and not worker.untold:
            orphans = orphans | {step_of(world, index, walks_on=True)}
        dead = Worker(life=worker.life, phase=Phase.DOWN)
        after = with_worker(replace(world, faults=faults, orphans=orphans), index, dead)
        yield Move(label=f"worker {index} IS KILLED", after=after, fault=True)

    def _condemn(self, world: World, index: int) -> Iterator[Move[World]]:
        for life in range(world.workers[index].life + 1):
            owner = Owner(worker=index, life=life)
            alive = world.lives(owner)
            holds = any(ticket.owner == owner for ticket in world.database.tickets)
            if owner in world.database.condemned or not (world.faults.false_condemnations if alive else holds):
                continue
            database = condemn(world.database, owner)
            if self.release is Release.ONCE:
                database = take_over(database, owner)
            after = replace(world, database=database)
            if alive:
                left = world.faults.false_condemnations - 1
                after = replace(after, faults=replace(world.faults, false_condemnations=left))
            label = f"caretaker condemns worker {index}" + (" ALTHOUGH IT LIVES" if alive else f", life {life}")
            yield Move(label=label, after=after, fault=alive)

    def _caretaker(self, world: World) -> Iterator[Move[World]]:
        for ticket in sorted(world.database.tickets, key=lambda ticket: ticket.id):
            if ticket.owner is None and self.hints_again and ticket.id not in world.hints:
                hinted = replace(world, hints=world.hints | {ticket.id})
                yield Move(label=f"caretaker hints {ticket.id} ({ticket.activation})", after=hinted)
            owner = ticket.owner
            if owner in world.database.condemned and owner and self.release is Release.STANDING_QUERY:
                freed = replace(world, database=take_over(world.database, owner))
                yield Move(label=f"caretaker takes over what worker {owner.worker} holds", after=freed)

    def _queue(self, world: World) -> Iterator[Move[World]]:
        if world.faults.dropped_hints:
            faults = replace(world.faults, dropped_hints=world.faults.dropped_hints - 1)
            for hint in sorted(world.hints):
                dropped = replace(world, hints=world.hints - {hint}, faults=faults)
                yield Move(label=f"the queue LOSES the hint {hint}", after=dropped, fault=True)

    def _orphans(self, world: World) -> Iterator[Move[World]]:
        for step in sorted(world.orphans, key=repr):
            database, _ = execute_step(world.database, step, self.guard)
            if database != world.database:
                after = replace(world, database=database, orphans=world.orphans - {step})
                label = f"the server EXECUTES the orphaned step of {step.activation} by worker {step.owner.worker}"
                yield Move(label=label, after=after, fault=True)

    def violation(self, world: World) -> str | None:
        """A result recorded twice, an activation at work on two tickets, or an open run without live work."""
        results = world.database.results()
        for activation in sorted(set(results)):
            if results.count(activation) > 1:
                return f"the result of {activation} is recorded twice"
        if not world.database.finished() and not world.database.tickets:
            return "an unfinished run has no ticket"
        activations = [ticket.activation for ticket in world.database.tickets]
        if len(set(activations)) < len(activations):
            return "two tickets stand for the same activation"
        return None

    def unsettled(self, world: World) -> str | None:
        """A run that nobody will move although it is not finished, or one that ended with something left over."""
        if not world.database.finished():
            waiting = sorted(ticket.activation for ticket in world.database.tickets)
            return f"the run is stuck at {', '.join(waiting)}"
        if sorted(world.database.results()) != ["a", "b", "c", "d"]:
            return "the run ended without every result"
        if world.database.tickets:
            return "the finished run keeps a ticket"
        return None
