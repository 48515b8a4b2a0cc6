"""A world of two processes and an operator that share a database, and a chooser that says who moves next.

Theory of operation. Nothing here runs at once: a process makes one move after the other, and before any of its calls
reaches the database the chooser may let the other process move first, whose calls may be overtaken in turn. So every
statement of one process may fall between any two of the other's. A call may be lost on its way there or back, and a
process may be killed before a call or after it; another one is then born. The number of faults is bounded, so that
the run has an end to come to.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from codemation.core.definition import Definition, NodePlan
from codemation.core.facts import Delta, decode_delta
from codemation.core.ids import NodeId, RunId, TicketId, WorkerId
from codemation.core.ports import Commit, GoOn, NewRun, Reopening, WorkerRow
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, NodeStatus, RunStatus
from codemation.host.memory import memory_stores
from tests.core.checkpointing import from_checkpoint
from tests.core.simulation.faults import Fault, Killed
from tests.core.simulation.labour import PLANNED, planned_breaks
from tests.core.simulation.process import Process
from tests.core.simulation.strategies import FOR_EVER, Behaviour, Story

T = TypeVar("T")
MOST = 5_000
"""Moves after which a world is taken for one that never ends."""


class Troubles:
    """What goes wrong in a world, drawn from a seed."""

    def __init__(
        self, seed: int, *, faults: int = 0, overtaking: float = 0.0, cancels: int = 0, deaths: int = 0
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311 - interleavings, not secrets
        self.overtaking = overtaking
        self.cancels = cancels
        self.deaths = deaths
        """How often somebody who lives is taken for dead."""
        self.calls = 0
        self._faults = faults

    def fate(self) -> Fault | None:
        """What befalls the next call."""
        self.calls += 1
        if not self._faults or self.random.random() > 0.05:
            return None
        self._faults -= 1
        return self.random.choice(list(Fault))


class OneTrouble(Troubles):
    """A single fault, at one call."""

    def __init__(self, at: int, fault: Fault) -> None:
        super().__init__(seed=at)
        self._at = at
        self._fault = fault

    def fate(self) -> Fault | None:
        """The fault, when its time has come."""
        self.calls += 1
        return self._fault if self.calls == self._at else None


class World:
    """The database, the processes and the truth."""

    def __init__(self, story: Story, troubles: Troubles, *, processes: int = 2, with_changes: bool = False) -> None:
        self.story = story
        self.troubles = troubles
        self.with_changes = with_changes
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.stores = memory_stores(lambda: self.now)
        self.run = RunId("")
        self.dead: set[WorkerId] = set()
        self.acknowledged = False
        self.statuses: dict[int, RunStatus] = {}
        self.effects: dict[tuple[str, int], int] = {}
        self.deeds = 0
        """Moves that came to something, those in between included."""
        self._depth = 0
        self._serial = 0
        self.processes = [Process(self) for _ in range(processes)]

    # --- what processes ask of their world ---

    def number(self) -> int:
        """A number that was never given before."""
        self._serial += 1
        return self._serial

    def pick(self, among: Sequence[T]) -> T:
        """The chooser's choice."""
        return self.troubles.random.choice(among)

    def entered(self) -> WorkerId:
        """The id of a process that is entered as living."""
        worker = WorkerId(self.number())
        self.stores.workers.register(WorkerRow(id=worker, name="w", place="here", pid=1, pid_started=1))
        return worker

    def behaviour(self, node: NodePlan) -> Behaviour:
        """What a node does."""
        return self.story.behaviours.get(node.id, Behaviour(counts={"main": 1}))

    def breaks(self, node: NodeId) -> int:
        """How often a node has failed for good as the story wants it."""
        _, entries = self.stores.journal.load(self.run)
        return planned_breaks([entry.delta for entry in entries], node)

    def worked_on(self, activation: str, position: int) -> None:
        """An item has been worked on, with an effect on the world."""
        self.effects[activation, position] = self.effects.get((activation, position), 0) + 1

    def meanwhile(self) -> None:
        """Let somebody else move first, now and then."""
        if self._depth < 3 and self.troubles.random.random() < self.troubles.overtaking:
            self._depth += 1
            self._move()
            self._depth -= 1

    def fate(self, name: str) -> Fault | None:
        """What befalls a call."""
        return self.troubles.fate()

    def witness(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        """See what the database was asked and what it answered."""
        if name == "tickets.claim" and answer is not None:
            assert answer.is_fold or not self.acknowledged, f"{answer.activation} is claimed after the cancel"
        if name == "journal.step" and answer:
            commit: Commit = args[0]
            self.statuses[commit.revision + 1] = commit.status
            assert not (isinstance(commit.then, GoOn) and self.acknowledged), "a chain goes on after the cancel"
        if name == "journal.start" and answer == args[0].id:
            started: NewRun = args[0]
            self.statuses[1] = started.status
        if name == "journal.reopen" and answer:
            reopening: Reopening = args[0]
            self.statuses[reopening.revision + 1] = reopening.status

    # --- the course of events ---

    def play(self) -> World:
        """Let everybody move until there is nothing left to do."""
        while not self.run:
            self._made(self.processes[0], lambda process: process.start(RunId(f"run-{self.number()}")))
        for move in range(MOST):
            if self._over():
                return self
            before = self.deeds
            self._move() if move % 10 else self._every_move()
            if not move % 10 and self.deeds == before:
                assert self.stores.runs.unattended() == ()
                assert self._pass_time(), "nobody can do anything, and the run has not ended"
        raise AssertionError(f"no end after {MOST} moves")

    @property
    def journal(self) -> list[Delta]:
        """The truth."""
        _, entries = self.stores.journal.load(self.run)
        return [decode_delta(entry.delta) for entry in entries]

    def snapshot(self, upto: int | None = None) -> Snapshot:
        """The fold of the truth."""
        plan = self.story.definition.plan
        return Snapshot.of(plan, self.journal[:upto], lambda digest: self.definition(digest).plan)

    def from_checkpoint(self, revision: int) -> Snapshot:
        """The fold of what came after a checkpoint at this revision."""
        plan = self.story.definition.plan
        return from_checkpoint(plan, self.journal, revision, lambda digest: self.definition(digest).plan)

    def definition(self, digest: str) -> Definition:
        """A stored definition."""
        return self.stores.definitions.get(digest)

    def result(self) -> Mapping[NodeId, tuple[NodeStatus, Mapping[str, tuple[int, bytes]]]]:
        """What became of each node of the story, and what it gave."""
        snapshot = self.snapshot()
        return {
            node: (
                record.status,
                {
                    port: (batch.count, self.stores.payloads.get(self.run, batch))
                    for port, batch in record.outputs.items()
                },
            )
            for node, record in snapshot.nodes.items()
            if node in self.story.definition.plan.nodes
        }

    def _over(self) -> bool:
        row, _ = self.stores.journal.load(self.run)
        if row.status not in FINISHED or any(process.claims for process in self.processes):
            return False
        return row.status is RunStatus.SUCCEEDED or not self._worth_resuming(row.status)

    def _worth_resuming(self, status: RunStatus) -> bool:
        if status is RunStatus.CANCELLED:
            return True
        snapshot = self.snapshot()
        return any(
            (error := snapshot.nodes[node].error) is None
            or error.type != PLANNED.type
            or self.story.behaviours[node].breaks != FOR_EVER
            for node in snapshot.failed()
        )

    def _move(self) -> None:
        """One move of somebody who is not in the middle of one."""
        free = [process for process in self.processes if not process.busy]
        if free and self.run:
            self._made(self.pick(free), self.pick(self._moves()))

    def _moves(self) -> list[Callable[[Process], bool]]:
        usual: list[Callable[[Process], bool]] = [Process.work, Process.work, Process.work, Process.take, Process.take]
        rare: list[Callable[[Process], bool]] = [Process.fold, Process.look, Process.beat, Process.recover]
        row, _ = self.stores.journal.load(self.run)
        if row.status in FINISHED:
            return [*usual, *rare, self._resumed] if row.status is not RunStatus.SUCCEEDED else [*usual, *rare]
        if self.troubles.cancels and self.troubles.random.random() < 0.1:
            return [self._cancelled]
        if self.troubles.deaths and self.troubles.random.random() < 0.1:
            return [self._taken_for_dead, Process.give_back]
        return [*usual, *usual, *rare]

    def _resumed(self, process: Process) -> bool:
        row, _ = self.stores.journal.load(self.run)
        if not self._worth_resuming(row.status):
            return False
        with_changes, self.with_changes = self.with_changes, False
        return process.resume(with_changes=with_changes)

    def _cancelled(self, process: Process) -> bool:
        self.troubles.cancels -= 1
        return process.cancel()

    def _taken_for_dead(self, process: Process) -> bool:
        self.troubles.deaths -= 1
        unlucky = self.pick(self.processes)
        self.dead.add(unlucky.engine.worker)
        return process.recover()

    def _made(self, process: Process, move: Callable[[Process], bool]) -> None:
        process.busy = True
        try:
            done = move(process)  # moves in between count by themselves
            self.deeds += done
        except Killed:
            self.deeds += 1
            self.dead.update(process.ids)
            self.processes[self.processes.index(process)] = Process(self)
        finally:
            process.busy = False

    def _every_move(self) -> None:
        """Let everybody try everything once."""
        moves = [Process.work, Process.take, Process.fold, Process.look, Process.beat, Process.recover, self._resumed]
        for at, move in itertools.product(range(len(self.processes)), moves):
            self._made(self.processes[at], move)

    def _pass_time(self) -> bool:
        later = self.stores.tickets.fire()
        if later is None:
            return False
        self.now += timedelta(seconds=later)
        self.stores.tickets.fire()
        return True


def held_tickets(world: World) -> set[TicketId]:
    """What is left of live work."""
    return {row.id for row in world.stores.runs.tickets(world.run)}
