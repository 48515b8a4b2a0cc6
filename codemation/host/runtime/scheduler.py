"""The inline scheduler: runs are worked on by threads of this process, and by whoever waits for them.

Theory of operation. A ticket that is ready is put into a queue; a thread takes it, claims it, and walks the chain:
perform, record, go on with the next activation of the same ticket, for as long as there is one. Whatever else became
ready goes into the queue. Threads are started and woken as `workforce` says, and end when they are idle. The thread
that called `run()` works too, and so Ctrl-C reaches the node that it is in. Tickets that wait for a time are kept in a
heap and claimed when it has come. The database stays the truth: what this process forgets by dying is found there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from codemation.core.engine import Engine
from codemation.core.errors import HostError
from codemation.core.ids import ActivationId, RunId
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome
from codemation.core.ports import Claim, Holding
from codemation.core.states import RunStatus
from codemation.host.runtime.agenda import Agenda, Ready
from codemation.host.runtime.capture import CAPTURE
from codemation.host.runtime.walking import Walker
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import RunCode, Workbench
from codemation.host.runtime.workforce import Workforce

__all__ = ["GRACE", "IDLE", "InlineScheduler", "Watched"]

_log = logging.getLogger("codemation.scheduler")
Recorded = Callable[[OpenRun, ActivationId], None]
IDLE = 5.0
"""Seconds after which a thread without work ends."""
GRACE = 5.0
"""Seconds that nodes get to notice that their run stops, before their tickets are handed back under them."""
LOOK = 2.0
"""Seconds without anything to do after which a run is looked for in the database: others may have worked on it."""


class InlineScheduler(Workforce):
    """Works on runs with the threads of this process."""

    def __init__(
        self, engine: Engine, bench: Workbench, threads: int, *, idle: float = IDLE, look: float = LOOK
    ) -> None:
        super().__init__(threads, Agenda(bench.clock))
        self._engine = engine
        self._bench = bench
        self._longest_idle = idle
        self._look = look
        self.recorded: Recorded = lambda run, activation: None  # told of each result that stands
        self._walker = Walker(engine, bench, self, self._resume, self._rouse)
        self._runs: dict[RunId, Watched] = {}

    def watch(self, run: OpenRun, code: RunCode) -> Watched:
        """Adopt a run: from now on this process works on what becomes ready in it."""
        limit = run.definition.max_parallel or self._threads + 1
        watched = Watched(run, code, run.definition.digest, limit)
        with self._guard:
            if run.id not in self._runs:  # the one before has not left
                CAPTURE.enter()
            self._runs[run.id] = watched
        return watched

    def watched(self) -> list[Watched]:
        """The runs that this process works on."""
        with self._guard:
            return list(self._runs.values())

    def release(self, watched: Watched) -> None:
        """Have nothing more to do with a run."""
        with self._guard:
            if self._runs.get(watched.run.id) is not watched:
                return
            del self._runs[watched.run.id]
            self._agenda.forget(watched.run.id)
        CAPTURE.leave()

    def submit(self, watched: Watched, outcome: Outcome, *, driven: bool = False) -> None:
        """Take up what a delivery led to; `driven` says that the caller is about to work on some of it itself."""
        with self._guard:
            self._agenda.add(watched.run.id, outcome)
            pieces = len(outcome.ready) + (outcome.next is not None)  # for what was there somebody was woken then
            self._hire(len(outcome.ready) if driven else pieces)
            if not (driven and self._somebody_is_awake and self._walker.looks_soon()):
                self._sleepers.wake(pieces or 1)  # a ticket that waits is news as well: it may be the next

    def serve(self, watched: Watched) -> None:
        """Let threads of the process work on a run that nobody waits for."""
        with self._guard:
            watched.served = True
            self._hire(max(1, len(self._agenda)))

    def drive(self, watched: Watched, until: Callable[[], bool] = lambda: False, patience: float | None = None) -> None:
        """Work on a run, and on whatever else is ready, until the run is settled or `until` says so.

        With patience other threads do the work, since a node that has begun here could not be left in time.
        """
        if patience is not None:
            self.serve(watched)
            with self._guard:
                self._changed.wait_for(lambda: watched.settled, timeout=patience)
            return
        with self._guard:
            self._drivers += 1
        try:
            while not (watched.settled or until()):
                taken = self._take(lambda: watched.settled or until(), watched)
                if taken is not None:
                    self._work(*taken)
                elif not (watched.settled or until()):
                    self._look_after(watched)
        finally:
            with self._guard:
                self._drivers -= 1
                self._see_to_it()
                if watched.run.snapshot.status is RunStatus.SUCCEEDED:  # then nobody is in a node any more
                    self._changed.wait_for(lambda: not watched.active, timeout=GRACE)

    def pause(self, watched: Watched, grace: float = GRACE) -> None:
        """Stop working on a run and hand its tickets back, so that anybody may go on with it at once."""
        with self._guard:
            watched.pausing = True
            self._changed.wait_for(lambda: not watched.active, timeout=grace)
            held = [claim.holding for claim in list(watched.holding.values())]
            held += self._agenda.held(watched.run.id)
        try:
            if held:
                self._engine.persist(self._engine.stores.tickets.hand_back, held)
        except HostError as error:  # they are free when this process has ended
            _log.warning("run %s could not be handed back: %s", watched.run.id, error.message)
        finally:
            self.release(watched)

    def stop(self, runs: Collection[RunId]) -> None:
        """Let runs stop that were asked to; what of them is held here and not begun is handed back."""
        held: list[Holding] = []
        with self._guard:
            for watched in self._runs.values():
                if watched.run.id in runs:
                    watched.run.stopping = True
                    held += self._agenda.withdraw(watched.run.id)
            self._changed.notify_all()
            self._sleepers.wake_all()
        if held:
            self._engine.persist(self._engine.stores.tickets.hand_back, held)

    def _labour(self) -> None:
        idle_since = time.monotonic()
        while True:
            taken = self._take(lambda: False)
            if taken is not None:
                try:
                    self._work(*taken)
                except BaseException as error:  # noqa: BLE001  # nobody stands above this thread: whoever waits is told
                    taken[0].error = error
                idle_since = time.monotonic()
                continue
            served = [watched for watched in self.watched() if watched.served and not watched.settled]
            for watched in served:
                self._look_after(watched)
            with self._guard:
                rest = served and self._alive == 1  # somebody has to stay for what becomes ready later
                if not (rest or self._agenda) and time.monotonic() - idle_since >= self._longest_idle:
                    self._alive -= 1
                    return

    def _take(self, enough: Callable[[], bool], concern: Watched | None = None) -> tuple[Watched, Ready] | None:
        """The next piece of work; `None` when it is enough, or nothing has come for a while."""
        with self._guard:
            deadline = time.monotonic() + self._look
            while not enough():
                taken = self._agenda.pop(self._runs)
                if taken is not None:
                    taken[0].active += 1
                    return taken
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                if self._leap():
                    continue
                self._sleepers.sleep(min(left, self._agenda.until_next()), concern)
            if self._agenda:
                self._sleepers.wake()  # what this thread was woken for is for another one
            return None

    def _leap(self) -> bool:
        """Let the time until the next ticket go by at once, where the clock can and nobody is at work."""
        pause = self._agenda.until_next()
        busy = any(watched.active for watched in self._runs.values())
        return not busy and pause != float("inf") and self._bench.clock.leap(pause)

    def _look_after(self, watched: Watched) -> None:
        """See what others have done to a run that nobody here works on, and take up what is ready."""
        with self._guard:
            busy = watched.active or watched.settled or watched.pausing or self._agenda.knows(watched.run.id)
            if busy or time.monotonic() - watched.looked_at < self._look:
                return
            watched.active, watched.looked_at = watched.limit, time.monotonic()
        outcome = None
        try:
            outcome = self._engine.refresh(watched.run, self._walker.hands())
        except Exception as error:  # noqa: BLE001  # as in _work
            watched.error = error
        finally:
            with self._guard:
                watched.active = 0
                self._changed.notify_all()
                self._sleepers.wake_all()
        if outcome is not None:
            self.submit(watched, outcome, driven=True)

    def _work(self, watched: Watched, ready: Ready) -> None:
        left = False
        try:
            left = not self._walker.walk(watched, ready)
        finally:
            if not left:
                self._resume(watched, None)

    def _resume(self, watched: Watched, claim: Claim | None) -> None:
        """Have one activation less under way in a run, which goes on with a claim if there is one."""
        with self._guard:
            watched.active -= 1
            if claim is not None:
                self._agenda.hold(watched.run.id, claim)
            if watched.settled:
                self._sleepers.wake_for(watched)
            self._changed.notify_all()
        if watched.served and watched.settled and not watched.active:
            self.release(watched)
