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
from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import ActivationId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.outcome import DEFAULT, Outcome
from codemation.core.ports import Claim, Hint
from codemation.host.runtime.agenda import Ready
from codemation.host.runtime.soon import Soon
from codemation.host.runtime.visiting import Desk, VisitingScheduler
from codemation.host.runtime.walking import Chain
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
        self._arriving: set[TicketId] = set()
        """Tickets that were claimed, and are not worked on yet."""
        self._spare: deque[Claim] = deque()
        """Those among them that whoever claimed them leaves to other threads, which have asked as well."""
        self._asking = 0
        """Tickets that are asked for now."""
        self._called = False
        """Whether a thread was woken because there is room, and has not come yet."""
        self.claimed = 0
        """Tickets that were taken from the table."""
        self.worn: Callable[[], bool] = lambda: False
        """Whether the process should take up nothing more, because it is to be replaced."""
        self._walker.tired = self._tired
        self._walker.freed = desk.rouse
        self._looker: threading.Thread | None = None
        self._times = threading.Condition(self._guard)
        """For whoever waits for the next of the times."""
        self._slot = threading.Condition(self._guard)
        """For those who wait for a slot."""

    @property
    def busy(self) -> int:
        """Slots that are in use."""
        return self._alive

    @property
    def has_work(self) -> bool:
        """Whether something waits for a thread to take it."""
        return bool(self._agenda or self._spare)

    def begin(self) -> None:
        """Look at the table from now on."""
        self._looker = threading.Thread(target=self._look_on, name="codemation-look", daemon=True)
        self._looker.start()

    def shift(self) -> bool:
        """Work in this thread, with a slot of the worker, until there is nothing left that could be claimed.

        Says whether a hint that led here may be passed on: it came to nothing, and others have code that is not here.
        """
        with self._changed:
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
                self._wake_in(delay, Hint(ticket=ticket, queue=outcome.queues.get(ticket, DEFAULT)))
        if ready:
            self._share([Hint(ticket=one, queue=outcome.queues.get(one, DEFAULT)) for one in ready])

    def expect(self, run: OpenRun, activation: ActivationId) -> None:
        """Be there when the waits of an activation are over that was just recorded here, if that is soon."""
        for wait in run.snapshot.waits.get(activation, {}).values():
            if wait.delay is not None and wait.delay <= SOON:
                self._wake_in(wait.delay, Hint(ticket=TicketId(0)))

    def _wake_in(self, delay: float, hint: Hint) -> None:
        with self._changed:
            self._soon.add(delay, hint)
            self._times.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nobody works here."""
        return self._alive <= self._stuck and not self.has_work

    def known(self) -> frozenset[TicketId]:
        """The tickets that are held here, as far as anybody here knows."""
        with self._changed:
            found = {ticket for watched in self._runs.values() for ticket in watched.holding} | self._arriving
            found |= {holding.ticket for run in self._runs for holding in self._agenda.held(run)}
        return self._walker.hands() | found

    def leave(self) -> None:
        """Take up nothing more; whoever has a ticket comes to the end of its activation and leaves the next one."""
        with self._changed:
            self._leaving = True
            self._changed.notify_all()
            self._slot.notify_all()
            self._sleepers.wake_all()
            self._times.notify_all()
            spare, self._spare = self._spare, deque()
        try:
            self._hand_back(spare)
        except StoreUnavailable as error:  # they are free when this process has ended
            _log.warning("%d tickets could not be given back: %s", len(spare), error.message)

    def rest(self, grace: float) -> bool:
        """Wait until nobody works any more, at most so many seconds; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self.idle and not self.load, timeout=grace)

    def _tired(self, chain: Chain) -> bool:
        return self._leaving or self.worn() or chain.steps >= MOST or time.monotonic() - chain.began >= LONGEST

    def _share(self, hints: Sequence[Hint]) -> None:
        """Let free slots look for what is ready, and the fleet know of the rest."""
        with self._changed:
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
                    self._arriving.discard(taken[1].claim.holding.ticket)
        except StoreUnavailable as error:
            _log.warning("the database is away, and this process ends: %s", error.message)
        finally:
            with self._changed:
                self._alive -= 1
                self._see_to_it()  # something may have come while this thread was about to go
                self._slot.notify()
                self._changed.notify_all()

    def _next(self) -> tuple[Watched, Ready] | None:
        """The next piece of work: what is held here already, else the most urgent of the table."""
        while True:
            with self._changed:
                taken = self._agenda.pop(self._runs)
                if taken is not None:
                    taken[0].active += 1
                    return taken
                if self._leaving:
                    return None
                claim = self._spare.popleft() if self._spare else None
                wanted = 0 if claim else self._wanted()
                self._called = False
                if not (claim or wanted):
                    self._sleepers.sleep(ROOM)
                    continue
                self._sleepers.wake(bool(self._spare))
                self._away += 1
                self._asking += wanted
                self._see_to_it()
            try:
                claim = claim or self._claimed(wanted)
                if claim is None:
                    return None
                if (work := self._begun(claim)) is not None:
                    return work
            finally:
                with self._changed:
                    self._away -= 1

    def _begun(self, claim: Claim) -> tuple[Watched, Ready] | None:
        """What there is to do for a claim, if anything is left of it."""
        if claim.is_fold:
            self._desk.fold(claim)
        elif (watched := self._adopted(claim)) is not None:
            return watched, Ready(-claim.priority, 0, claim.run, None, claim)
        self._arriving.discard(claim.holding.ticket)
        return None

    def _wanted(self) -> int:
        """For how many tickets this thread may ask: for itself and those who wait, as far as there are slots."""
        room = self._threads - len(self._walker.hands() | self._arriving) - self._asking
        return max(0, min(room, 1 + len(self._sleepers)))

    def _claimed(self, many: int) -> Claim | None:
        """The most urgent ticket of the table, which is about to be worked on here; others who asked get the next."""
        claims: Sequence[Claim] = ()
        try:
            if not self.worn():
                claims = self._asked(many)
        finally:
            with self._changed:
                self._asking -= many
                self.claimed += len(claims)
                self._arriving.update(claim.holding.ticket for claim in claims)
                leaving = self._leaving
                if not leaving:
                    self._spare.extend(claims[1:])
                    self._sleepers.wake(bool(claims[1:]))
        if leaving:
            self._hand_back(claims[1:])
        return claims[0] if claims else None

    def _asked(self, many: int) -> Sequence[Claim]:
        """The most urgent tickets of the table; where some need slots, one at a time."""
        engine, lanes, tickets = self._engine, self._desk.lanes(), self._engine.stores.tickets
        if many > 1 and not self._desk.needs_slots():
            return engine.persist(tickets.claim_some, engine.worker, lanes, many)
        claim = engine.persist(tickets.claim, engine.worker, lanes, pools=self._desk.needs_slots())
        return () if claim is None else (claim,)

    def _hand_back(self, claims: Collection[Claim]) -> None:
        """Give back what was claimed here and nobody has begun."""
        if claims:
            self._engine.persist(self._engine.stores.tickets.hand_back, [claim.holding for claim in claims])
            self._arriving.difference_update(claim.holding.ticket for claim in claims)

    def _resume(self, watched: Watched, claim: Claim | None) -> None:
        super()._resume(watched, claim)
        if claim is None:
            with self._changed:
                if not self._called:  # there is room for another ticket
                    self._called = bool(self._sleepers)
                    self._sleepers.wake()

    def _look_on(self) -> None:
        """Look at the table from time to time, and when a time has come."""
        looked = 0.0
        while not self._leaving:
            with self._changed:
                if (pause := self._soon.pause(ALONE)) > 0:
                    self._times.wait(pause)
                due, now = self._soon.due(), time.monotonic()
            try:
                if due:
                    self._engine.persist(self._engine.stores.tickets.fire)
                    self._share(due)
                elif now - looked >= NET or (now - looked >= ALONE and self._desk.is_alone()):
                    looked = now
                    self._desk.look()
                    with self._changed:
                        self._hire(1)
            except StoreUnavailable:
                continue
            except Exception:  # noqa: BLE001  # the next look may fare better
                _log.exception("a look at the table failed")
