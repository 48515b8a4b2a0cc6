"""What an inline process does beside its work: beat, notice the dead, wake what is due, fold inboxes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from codemation.core.engine import Engine
from codemation.core.errors import CodemationError, HostError, StoreUnavailable
from codemation.core.ids import RunId, TicketId, WorkerId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, Holding
from codemation.host.letters import read_letter
from codemation.host.runtime.liveness import Observer, Presence

_log = logging.getLogger("codemation.caretaker")
LOOK = 0.5
"""Seconds between two looks at the answers of the world, while a run waits for them here."""
DOUBT = 90.0
"""Seconds after an outage for which there may be something here that nobody has heard of; statements end before."""


class Caretaker:
    """Beats for this process while it is open, and looks after the runs that it works on."""

    def __init__(
        self, engine: Engine, version: str, changed: Callable[[OpenRun], None], presence: Presence | None = None
    ) -> None:
        """`changed` is told of runs that were folded here, whoever works on them."""
        self._engine = engine
        self._version = version
        self._changed = changed
        self._presence = presence or Presence()
        self._observer = Observer(self._presence.place, silence=self._presence.silence)
        self._entered: WorkerId | None = None
        self._over = threading.Event()
        self._news = threading.Event()
        self._folding = threading.Lock()
        self._thread: threading.Thread | None = None
        self.died: Callable[[], None] = lambda: None
        """Told when this process has seen deaths, and freed what the dead held."""
        self.known: Callable[[], Collection[TicketId]] | None = None
        """What a worker of a fleet knows to hold; of others only folds are given back that they hold unknowingly."""
        self._unheard: frozenset[Holding] = frozenset()
        """What this process held at the last look, and did not know of."""
        self._in_doubt_until = 0.0
        self._next: float | None = None
        """Seconds from the last look until the next time that something waits for."""

    def begin(
        self,
        new_worker: Callable[[], WorkerId],
        stopping: Callable[[tuple[RunId, ...]], bool],
        at_rest: Callable[[], bool] = lambda: False,
        look_out: Callable[[], None] = lambda: None,
        tend: Callable[[], None] = lambda: None,
    ) -> None:
        """Enter this process and beat from now on.

        `stopping` is told which runs should stop and says whether any run is worked on here; `at_rest` says whether
        something is waited for that is to be looked after more often, by folding inboxes and by `look_out`; `tend`
        looks after children now and then.
        """
        self._new_worker, self._stopping, self._at_rest = new_worker, stopping, at_rest
        self._look_out, self._tend = look_out, tend
        self.enter()
        self._thread = threading.Thread(target=self._beat_on, name="codemation-beat", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave: nothing of this process is waited for any more."""
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=self._presence.beat)
        if self._entered is None:
            return
        try:
            self._engine.stores.workers.bury([self._entered])
        except HostError as error:
            _log.info("could not sign off: %s", error.message)

    def wake(self) -> None:
        """Look at once at what the runs at rest wait for."""
        self._news.set()

    def recover(self) -> int:
        """Release what dead workers hold; says how many tickets."""
        engine = self._engine
        others = [row for row in engine.persist(engine.stores.workers.living) if row.id != engine.worker]
        return self._take_over(self._observer.dead(others))

    def outage(self) -> None:
        """The database does not answer: what was observed of others before says nothing now, nor what is held here."""
        self._observer.outage()
        self._in_doubt_until = time.monotonic() + DOUBT

    def fold(self, waited_for: RunId | None = None) -> bool:
        """Fold every inbox that asks for it; says whether there was one.

        The fold of a run that is waited for here is begun anew if the answer to its claim was lost.
        """
        engine, tickets, found = self._engine, self._engine.stores.tickets, False
        self.enter()
        with self._folding:
            if waited_for is not None:
                self._free_fold(waited_for)
            self._next = engine.persist(tickets.fire)
            while (claim := engine.persist(tickets.claim, engine.worker, [])) is not None:
                found = True
                try:
                    if not self.fold_one(claim):
                        break
                except (CodemationError, ValueError) as error:
                    if isinstance(error, StoreUnavailable) or claim.run == waited_for:
                        raise
                    _log.error("the inbox of run %s could not be folded and is left for later: %s", claim.run, error)
        return found

    def fold_one(self, claim: Claim) -> bool:
        """Fold the inbox that a claim is about; says whether it was still to be folded here."""
        run = self._engine.fold_inbox(claim, read_letter)
        if run is not None:
            self._changed(run)
        return run is not None

    def _free_fold(self, run: RunId) -> None:
        """Hand back the fold of a run that this process holds without knowing: nobody folds here now."""
        engine = self._engine
        for row in engine.persist(engine.stores.runs.tickets, run):
            if row.worker == engine.worker and not row.activation:
                unknown = Holding(ticket=row.id, worker=engine.worker, fence=0)
                held = engine.persist(engine.stores.journal.look, run, unknown, 0).claim
                if held is not None:
                    engine.persist(engine.stores.tickets.hand_back, [held.holding])

    def enter(self, *, anew: bool = False) -> None:
        """Enter this process, once: whoever holds something has to be known. `anew` tells what it serves by now."""
        engine = self._engine
        if anew or self._entered != engine.worker:
            engine.persist(engine.stores.workers.register, self._presence.row(engine.worker, self._version))
            self._entered = engine.worker
            self._presence.beaten(engine.worker)

    def _beat_on(self) -> None:
        beaten = time.monotonic()
        while True:
            woken = self._news.wait(self._pause(beaten))
            self._news.clear()
            if self._over.is_set():
                return
            try:
                if time.monotonic() - beaten >= self._presence.beat:
                    beaten = time.monotonic()
                    self._beat()
                elif woken or self._at_rest():
                    self._look_out()
                    self.fold()
            except HostError as error:
                self.outage()
                _log.info("no beat: %s", error.message)
            except Exception:  # noqa: BLE001  # the next beat may fare better, and without beats others take over
                _log.exception("the caretaker failed and goes on")

    def _pause(self, beaten: float) -> float:
        """Seconds until there is something to do: a beat, or a look at what the world has answered."""
        left = max(0.0, self._presence.beat - (time.monotonic() - beaten))
        if not self._at_rest():
            return left
        return min(left, LOOK, LOOK if self._next is None else max(0.02, self._next))

    def _beat(self) -> None:
        engine = self._engine
        others = engine.stores.workers.beat(engine.worker, load=self._presence.load())
        if others is None:  # somebody has buried this process: its claims are refused, it goes on under a new id
            engine.worker = self._new_worker()
            self.enter()
            return
        self._presence.beaten(engine.worker)
        if time.monotonic() < self._in_doubt_until:
            self._own_up()
        self._take_over(self._observer.dead([row for row in others if row.id != engine.worker]))
        if self._stopping(()):
            self._stopping(engine.persist(engine.stores.tickets.stopping, engine.worker))
            engine.persist(engine.stores.events.meet)  # what a crash has left between an event and its waits
            engine.persist(engine.stores.events.forget)
            self._look_out()
            self._tend()
            self.fold()

    def _own_up(self) -> None:
        """Give back what was claimed here without anybody hearing of it: the answers were lost, and others wait for it.

        It is what this process has held and not known of at two looks, a beat apart: an answer may be on its way.
        """
        engine = self._engine
        with self._folding:
            held = engine.stores.tickets.held(engine.worker, folds=self.known is None)
            known = self.known() if self.known is not None else ()
        unheard = frozenset(one for one in held if one.ticket not in known)
        lost = unheard & self._unheard
        self._unheard = unheard - lost
        if lost and engine.stores.tickets.hand_back(list(lost)):
            _log.warning("%d tickets were claimed here whose answers were lost; they are given back", len(lost))
            self.died()

    def _take_over(self, dead: list[WorkerId]) -> int:
        if not dead:
            return 0
        engine = self._engine
        engine.persist(engine.stores.workers.bury, dead)
        taken = engine.persist(engine.stores.tickets.take_over, dead)
        engine.persist(engine.stores.firings.free)
        self.died()
        return taken.released + len(taken.poisoned) + len(taken.stopped)
