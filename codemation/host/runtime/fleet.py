"""The scheduler of a worker: it takes work from the table, whoever has started the run that it belongs to.

Theory of operation. A worker has slots. Whoever lends it a thread (`shift`: a task of Celery's, which is only a hint)
takes a slot, claims the most urgent ticket that the worker can serve, walks its chain, and claims the next one, until
there is nothing; only then it gives the slot back. A worker holds no more tickets than it has slots, those included
whose result is being written by others: what it cannot go on with soon is for other workers. The runs come and go with
their tickets. What becomes ready beside a chain is worked on here if there are slots that nobody uses, and is left to
the fleet otherwise. A thread of its own looks at the table now and then, because hints may be lost, and at once where a
time has come that was noted here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import takewhile

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import ActivationId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.outcome import DEFAULT, Outcome
from codemation.core.ports import Claim, Hint
from codemation.host.runtime.agenda import Ready
from codemation.host.runtime.chain import Chain
from codemation.host.runtime.intake import Intake
from codemation.host.runtime.soon import Soon
from codemation.host.runtime.visiting import Desk, VisitingScheduler
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import Workbench

_log = logging.getLogger("codemation.worker")
NEAR = 2.0
"""A ticket whose time comes within so many seconds is waited for here."""
SOON = 5.0
"""As `NEAR`, of what is waited for otherwise."""
NET = 10.0
"""Seconds between looks at the table where hints come through."""
LONGEST, MOST = 5.0, 200
"""Seconds and steps after which a chain is left to whoever takes what is most urgent."""
ALONE = 1.0
"""Seconds between looks at the table where they do not."""
ROOM = 1.0
"""Seconds between looks of a thread that waits for room, should nobody have woken it."""


class FleetScheduler(VisitingScheduler):
    """Works on what the table gives, so many activations at a time."""

    def __init__(self, engine: Engine, bench: Workbench, slots: int, desk: Desk) -> None:
        super().__init__(engine, bench, slots, desk)
        self._soon = Soon()
        self._leaving = False
        self._intake = Intake(engine, self._guard)
        self._called = False
        """Whether a thread was woken because there is room, and has not come yet."""
        self.worn: Callable[[], bool] = lambda: False
        """Whether the process should take up nothing more, because it is to be replaced."""
        self._walker.tired = self._tired
        self._walker.freed = desk.rouse
        self._looker: threading.Thread | None = None
        self._slot = threading.Condition(self._guard)
        """For those who wait for a slot."""

    @property
    def claimed(self) -> int:
        """Tickets that were taken from the table."""
        return self._intake.claimed

    @property
    def has_work(self) -> bool:
        """Whether something waits for a thread to take it."""
        return bool(self._agenda or self._intake.spare)

    def begin(self) -> None:
        """Look at the table from now on."""
        self._looker = threading.Thread(target=self._look_on, name="codemation-look", daemon=True)
        self._looker.start()

    def shift(self) -> bool:
        """Work in this thread, with a slot of the worker, until there is nothing left that could be claimed.

        Says whether a hint that led here may be passed on: it came to nothing, and others have code that is not here.
        """
        with self._guard:
            self._slot.wait_for(lambda: self._alive < self._threads or self._leaving)
            if self._leaving:
                return False
            self._alive += 1
            before = self.claimed
        self._labour()
        return self.claimed == before and self._desk.is_mixed()

    def submit(self, watched: Watched, outcome: Outcome, *, driven: bool = False) -> None:
        """Take up what a delivery led to, as far as there are slots; the rest is left to the fleet."""
        if outcome.next is not None:
            super().submit(watched, Outcome(next=outcome.next), driven=driven)
        ready = list(outcome.ready)
        if outcome.later is not None:
            ticket, delay = outcome.later
            if not delay:
                ready.append(ticket)
            elif delay <= NEAR:
                self._soon.add(delay, Hint(ticket=ticket, queue=outcome.queues.get(ticket, DEFAULT)))
        if ready:
            self._share([Hint(ticket=one, queue=outcome.queues.get(one, DEFAULT)) for one in ready])

    def expect(self, run: OpenRun, activation: ActivationId) -> None:
        """Be there when the waits of an activation are over that was just recorded here, if that is soon."""
        for wait in run.snapshot.waits.get(activation, {}).values():
            if wait.delay is not None and wait.delay <= SOON:
                self._soon.add(wait.delay, Hint(ticket=TicketId(0)))

    @property
    def idle(self) -> bool:
        """Whether nobody works here."""
        return self._alive <= self._stuck and not self.has_work

    def known(self) -> frozenset[TicketId]:
        """The tickets that are held here, as far as anybody here knows."""
        with self._guard:
            found = {ticket for watched in self._runs.values() for ticket in watched.holding}
            found |= self._intake.tickets()
            found |= {holding.ticket for run in self._runs for holding in self._agenda.held(run)}
        return self._walker.hands() | found

    def leave(self) -> None:
        """Take up nothing more; whoever has a ticket comes to the end of its activation and leaves the next one."""
        with self._guard:
            self._leaving = True
            self._changed.notify_all()
            self._slot.notify_all()
            self._sleepers.wake_all()
        self._soon.rouse()
        try:
            self._intake.end()
        except StoreUnavailable as error:  # they are free when this process has ended
            _log.warning("tickets that nobody has begun could not be given back: %s", error.message)

    def rest(self, grace: float) -> bool:
        """Wait until nobody works any more, at most so many seconds; whether that is so."""
        with self._guard:
            return self._changed.wait_for(lambda: self.idle and not self.load, timeout=grace)

    def _tired(self, chain: Chain) -> bool:
        return self._leaving or self.worn() or chain.steps >= MOST or time.monotonic() - chain.began >= LONGEST

    def _share(self, hints: Sequence[Hint]) -> None:
        """Let free slots look for what is ready, and the fleet know of the rest."""
        with self._guard:
            free = 0 if self._leaving else min(len(hints), self._threads - self._alive)
            taken = sum(takewhile(bool, (self._labours() for _ in range(free))))
        if hints[taken:]:
            self._desk.dispatch(hints[taken:])

    def _labour(self) -> None:
        try:
            while (taken := self._next()) is not None:
                try:
                    self._work(*taken)
                except BaseException as error:  # noqa: BLE001  # nobody stands above this thread
                    taken[0].error = error
                    self._part(taken[0])
                if taken[1].claim is not None:
                    self._intake.arrived(taken[1].claim)
        except StoreUnavailable as error:
            _log.warning("the database is away, and this process ends: %s", error.message)
        finally:
            with self._guard:
                self._alive -= 1
                self._see_to_it()  # something may have come while this thread was about to go
                self._slot.notify()
                self._changed.notify_all()

    def _next(self) -> tuple[Watched, Ready] | None:
        """The next piece of work: what is held here already, else the most urgent of the table."""
        intake = self._intake
        while True:
            with self._guard:
                taken = self._agenda.pop(self._runs)
                if taken is not None:
                    taken[0].active += 1
                    return taken
                if self._leaving:
                    return None
                claim = intake.spare.popleft() if intake.spare else None
                wanted = 0 if claim else intake.room(self._threads, self._walker.hands(), 1 + len(self._sleepers))
                self._called = False
                if not (claim or wanted):
                    self._sleepers.sleep(ROOM)
                    continue
                self._sleepers.wake(bool(intake.spare))
                self._away += 1
                intake.asking += wanted
                self._see_to_it()
            try:
                claim = claim or self._claimed(wanted)
                if claim is None:
                    return None
                since = intake.arriving[claim.holding]
                if (work := self._begun(claim, intake.read(claim.run), since)) is not None:
                    return work
                intake.arrived(claim)
            finally:
                with self._guard:
                    self._away -= 1

    def _claimed(self, many: int) -> Claim | None:
        """The most urgent ticket of the table, which is about to be worked on here; others who wait get the next."""
        if self.worn():
            with self._guard:
                self._intake.asking -= many
            return None
        claim = self._intake.ask(many, self._desk.lanes(), slots=self._desk.needs_slots())
        with self._guard:
            self._sleepers.wake(bool(self._intake.spare))
        return claim

    def _resume(self, watched: Watched, claim: Claim | None) -> None:
        super()._resume(watched, claim)
        if claim is None:
            with self._guard:
                if not self._called:  # there is room for another ticket
                    self._called = bool(self._sleepers)
                    self._sleepers.wake()

    def _look_on(self) -> None:
        """Look at the table from time to time, and when a time has come."""
        looked = 0.0
        while not self._leaving:
            due, now = self._soon.wait(ALONE), time.monotonic()
            try:
                if due:
                    self._engine.persist(self._engine.stores.tickets.fire)
                    self._share(due)
                elif now - looked >= NET or (now - looked >= ALONE and self._desk.is_alone()):
                    looked = now
                    self._desk.look()
                    with self._guard:
                        self._hire(1)
            except StoreUnavailable:
                continue
            except Exception:  # noqa: BLE001  # the next look may fare better
                _log.exception("a look at the table failed")
