"""A process that works on a run with the real engine, one move at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codemation.core.engine import Engine, Start
from codemation.core.errors import RunError
from codemation.core.ids import RunId
from codemation.core.means import Means
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim
from codemation.core.states import FINISHED
from codemation.host.letters import read_letter
from tests.core.simulation.faults import befallen, reached
from tests.core.simulation.labour import perform
from tests.core.simulation.strategies import changed

if TYPE_CHECKING:
    from tests.core.simulation.world import World


class Process:
    """One incarnation: what it knows is gone when it is killed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.busy = False
        self.run: OpenRun | None = None
        self.claims: list[Claim] = []
        self.ids = [world.entered()]
        means = Means(entropy=world.number, lock=threading.RLock, patience=lambda tries, error: None)
        self.engine = Engine(reached(world.stores, self._ask), self.ids[0], means)

    def _ask(self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.world.meanwhile()

        def call() -> Any:
            answer = method(*args, **kwargs)
            self.world.witness(name, args, answer)
            return answer

        return befallen(self.world.fate(name), call)

    def opened(self) -> OpenRun:
        """The run as this process last saw it."""
        if self.run is None:
            self.run = self.engine.open(self.world.run)
        return self.run

    def take_up(self, outcome: Outcome) -> None:
        """Go on with what a delivery led to."""
        if outcome.next is not None:
            self.claims.append(outcome.next)

    # --- moves: each says whether it did anything ---

    def start(self, run: RunId) -> bool:
        """Start the run of this world, or find it started."""
        wanted = Start(id=run, params="{}", input=(b"input", 1, "items"), key="once")
        self.run, outcome = self.engine.start(self.world.story.definition, wanted)
        self.world.run = self.run.id
        self.take_up(outcome)
        return True

    def work(self) -> bool:
        """Perform an activation that is held, or fold."""
        if not self.claims:
            return False
        claim = self.claims.pop(0)
        if claim.is_fold:
            self.engine.fold_inbox(claim, read_letter)
        else:
            signal, output = perform(self.world, self.engine, self.opened(), claim)
            self.take_up(self.engine.deliver(self.opened(), claim, signal, output))
        return True

    def take(self) -> bool:
        """Claim a ticket."""
        run = self.opened()
        rows = self.engine.persist(self.engine.stores.runs.tickets, run.id)
        ready = [row.id for row in rows if row.activation and row.state == "ready"]
        claim = self.engine.claim(run, self.world.pick(ready)) if ready else None
        if claim is not None:
            self.claims.append(claim)
        return claim is not None

    def fold(self) -> bool:
        """Claim a fold."""
        claim = self.engine.persist(self.engine.stores.tickets.claim, self.engine.worker, [])
        if claim is not None:
            self.claims.append(claim)
        return claim is not None

    def look(self) -> bool:
        """See what has become of the run, and hand back what is held unknowingly."""
        before, known = self.opened().snapshot.revision, [claim.holding.ticket for claim in self.claims]
        rows = self.world.stores.runs.tickets(self.world.run)
        unknown = any(row.worker == self.engine.worker and row.id not in known for row in rows)
        self.engine.refresh(self.opened(), known)
        return unknown or self.opened().snapshot.revision != before

    def beat(self) -> bool:
        """Say that the process lives; the buried go on under another id."""
        if self.engine.persist(self.engine.stores.workers.beat, self.engine.worker) is not None:
            return False
        self.engine.worker = self.world.entered()
        self.ids.append(self.engine.worker)
        return True

    def recover(self) -> bool:
        """Release what the dead hold."""
        dead = sorted(self.world.dead)
        self.engine.persist(self.engine.stores.workers.bury, dead)
        taken = self.engine.persist(self.engine.stores.tickets.take_over, dead)
        return bool(taken.released or taken.stopped or taken.poisoned)

    def give_back(self) -> bool:
        """Hand a claim back unworked."""
        if not self.claims:
            return False
        claim = self.claims.pop()
        self.engine.persist(self.engine.stores.tickets.hand_back, [claim.holding])
        return True

    def cancel(self) -> bool:
        """Ask the run to stop."""
        if self.engine.cancel(self.world.run, who="somebody") not in FINISHED:
            self.world.acknowledged = True
        return True

    def resume(self, *, with_changes: bool) -> bool:
        """Let the run go on, with other code if the world wants that."""
        run = self.engine.open(self.world.run)
        self.run = run
        finished = {node for node in run.snapshot.nodes if run.snapshot.reported(node)}
        definition = changed(run.definition, finished) if with_changes else None
        self.world.acknowledged = False
        try:
            self.take_up(self.engine.resume(run, who="somebody", definition=definition))
        except RunError:
            return False
        return True
