"""The inline scheduler: runs are worked on by threads of this process, and by whoever waits for them.

Theory of operation. A ticket that is ready is put into a queue; a thread takes it, claims it, and walks the chain:
perform, record, go on with the next activation of the same ticket, for as long as there is one. Whatever else became
ready goes into the queue. Threads are started when there is more to do than threads to do it, and end when they are
idle. The thread that called `run()` works too, and so Ctrl-C reaches the node that it is in. Tickets that wait for a
time are kept in a heap and claimed when it has come. The database stays the truth: what this process forgets by dying
is found there.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from codemation.core.delivery import Outcome, Refusal
from codemation.core.engine import Engine
from codemation.core.ids import NodeId, RunId, TicketId, node_of
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, Lane
from codemation.host.runtime.activity import RunCode, Workbench
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.performing import Performance
from codemation.host.runtime.trouble import Interrupted

IDLE = 5.0
"""Seconds after which a thread without work ends."""
GRACE = 5.0
"""Seconds that nodes get to notice that their run stops, before their tickets are handed back under them."""


@dataclass(slots=True)
class Watched:
    """A run that this process works on."""

    run: OpenRun
    code: RunCode
    limit: int
    """Activations at a time."""
    meter: Meter = field(default_factory=Meter)
    served: bool = False
    """Nobody waits for it here, so it is let go of when it is settled."""
    active: int = 0
    """Threads that work on it now."""
    holding: dict[TicketId, Claim] = field(default_factory=dict)
    pausing: bool = False
    error: BaseException | None = None
    """What broke the engine itself while it worked on this run."""
    errors: dict[NodeId, BaseException] = field(default_factory=dict)
    """What nodes have raised here, with their tracebacks."""

    def stop(self) -> bool:
        """Whether its nodes should give up."""
        return self.pausing or self.run.stopping

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen here."""
        return self.run.finished or self.error is not None or (self.stop() and not self.active)


@dataclass(order=True, slots=True)
class _Ready:
    priority: int
    number: int
    run: RunId = field(compare=False)
    ticket: TicketId | None = field(compare=False)
    claim: Claim | None = field(compare=False, default=None)


class InlineScheduler:
    """Works on runs with the threads of this process."""

    def __init__(self, engine: Engine, bench: Workbench, threads: int) -> None:
        self._engine = engine
        self._bench = bench
        self._threads = threads
        self._changed = threading.Condition()
        self._ready: list[_Ready] = []
        self._later: list[tuple[float, int, RunId, TicketId]] = []
        self._runs: dict[RunId, Watched] = {}
        self._number = itertools.count()
        self._alive = 0
        self._idle = 0

    def watch(self, run: OpenRun, code: RunCode) -> Watched:
        """Adopt a run: from now on this process works on what becomes ready in it."""
        limit = run.definition.max_parallel or self._threads + 1
        watched = Watched(run, code, limit)
        with self._changed:
            self._runs[run.id] = watched
        self._bench.capture.enter()
        return watched

    def watched(self) -> list[Watched]:
        """The runs that this process works on."""
        with self._changed:
            return list(self._runs.values())

    def release(self, watched: Watched) -> None:
        """Have nothing more to do with a run."""
        with self._changed:
            if self._runs.get(watched.run.id) is not watched:
                return
            del self._runs[watched.run.id]
            self._ready = [one for one in self._ready if one.run != watched.run.id]
            self._later = [one for one in self._later if one[2] != watched.run.id]
            heapq.heapify(self._ready)
            heapq.heapify(self._later)
        self._bench.capture.leave()

    def submit(self, watched: Watched, outcome: Outcome, *, driven: bool = False) -> None:
        """Take up what a delivery led to; `driven` says that the caller is about to work on some of it itself."""
        with self._changed:
            run, claim = watched.run.id, outcome.next
            if claim is not None:
                heapq.heappush(self._ready, _Ready(-claim.priority, next(self._number), run, None, claim))
            for ticket in outcome.ready:
                heapq.heappush(self._ready, _Ready(0, next(self._number), run, ticket))
            self._hire(len(outcome.ready) if driven else len(self._ready))
            if outcome.later is not None:
                ticket, delay = outcome.later
                heapq.heappush(self._later, (time.monotonic() + delay, next(self._number), run, ticket))
            self._changed.notify_all()

    def serve(self, watched: Watched) -> None:
        """Let threads of the process work on a run that nobody waits for."""
        with self._changed:
            watched.served = True
            self._hire(len(self._ready))

    def drive(self, watched: Watched, until: Callable[[], bool] = lambda: False, patience: float | None = None) -> None:
        """Work on a run, and on whatever else is ready, until the run is settled, `until` says so or time is up."""
        deadline = None if patience is None else time.monotonic() + patience
        while not (watched.settled or until()):
            if deadline is not None and time.monotonic() >= deadline:
                return
            taken = self._take(lambda: watched.settled or until(), deadline)
            if taken is not None:
                self._work(*taken)

    def wait(self, watched: Watched, patience: float | None = None) -> None:
        """Wait until other threads have settled the run, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: watched.settled, timeout=patience)

    def pause(self, watched: Watched, grace: float = GRACE) -> None:
        """Stop working on a run and hand its tickets back, so that anybody may go on with it at once."""
        with self._changed:
            watched.pausing = True
            self._changed.wait_for(lambda: not watched.active, timeout=grace)
            held = [claim.holding for claim in watched.holding.values()]
            held += [one.claim.holding for one in self._ready if one.run == watched.run.id and one.claim]
        if held:
            self._engine.persist(self._engine.stores.tickets.hand_back, held)
        self.release(watched)

    def _hire(self, pieces: int) -> None:
        """Start threads for so many pieces of work, as far as there are not enough that are free."""
        for _ in range(min(pieces - self._idle, self._threads - self._alive)):
            self._alive += 1
            threading.Thread(target=self._labour, name="codemation-worker", daemon=True).start()

    def _labour(self) -> None:
        while True:
            taken = self._take(lambda: False, time.monotonic() + IDLE)
            if taken is not None:
                self._work(*taken)
                continue
            with self._changed:
                if not self._ready:
                    self._alive -= 1
                    return

    def _take(self, enough: Callable[[], bool], deadline: float | None) -> tuple[Watched, _Ready] | None:
        """The next piece of work, waiting for one until it is enough or the deadline has come."""
        with self._changed:
            while not enough():
                now = time.monotonic()
                self._awake(now)
                taken = self._pop()
                if taken is not None:
                    return taken
                if deadline is not None and now >= deadline:
                    return None
                self._idle += 1
                try:
                    self._changed.wait(self._nap(now, deadline))
                finally:
                    self._idle -= 1
            return None

    def _nap(self, now: float, deadline: float | None) -> float:
        times = [now + 1.0]
        times += [self._later[0][0]] if self._later else []
        times += [deadline] if deadline is not None else []
        return max(0.0, min(times) - now)

    def _awake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, run, ticket = heapq.heappop(self._later)
            heapq.heappush(self._ready, _Ready(0, next(self._number), run, ticket))

    def _pop(self) -> tuple[Watched, _Ready] | None:
        """The most urgent work of a run that may have one more activation under way."""
        left: list[_Ready] = []
        found = None
        while self._ready and found is None:
            one = heapq.heappop(self._ready)
            watched = self._runs.get(one.run)
            if watched is None or watched.pausing:
                continue
            if watched.active >= watched.limit:
                left.append(one)
                continue
            watched.active += 1
            found = (watched, one)
        for one in left:
            heapq.heappush(self._ready, one)
        return found

    def _work(self, watched: Watched, ready: _Ready) -> None:
        """Walk the chain that begins with a ready ticket."""
        claim = ready.claim
        try:
            if claim is None:
                claim = self._claim(watched, ready)
            while claim is not None:
                watched.holding[claim.holding.ticket] = claim
                following = self._step(watched, claim)
                if following is None:
                    watched.holding.pop(claim.holding.ticket, None)
                claim = following
        except Interrupted:
            self._give_back(watched, claim)
        except Exception as error:  # noqa: BLE001  # the engine's own trouble reaches whoever waits for the run
            watched.error = error
        except BaseException:
            watched.pausing = True
            self._give_back(watched, claim)
            raise
        finally:
            with self._changed:
                watched.active -= 1
                self._changed.notify_all()
            if watched.served and watched.settled and not watched.active:
                self.release(watched)

    def _claim(self, watched: Watched, ready: _Ready) -> Claim | None:
        """Claim a ticket by its id; `None` if somebody else was faster, or it is not time yet."""
        tickets, engine = self._engine.stores.tickets, self._engine
        definition = watched.run.definition
        queues = dict.fromkeys(node.policy.queue for node in definition.nodes)
        lanes = [Lane(queue=queue, digest=definition.digest) for queue in queues]
        claim = engine.persist(tickets.claim, engine.worker, lanes, ready.ticket)
        if claim is None:
            engine.persist(tickets.fire)
            claim = engine.persist(tickets.claim, engine.worker, lanes, ready.ticket)
        return claim

    def _step(self, watched: Watched, claim: Claim) -> Claim | None:
        """Perform one activation and record it; what the same ticket goes on with."""
        if watched.stop():
            raise Interrupted
        work = Performance(self._bench, watched.run, watched.code, claim, watched.meter)
        signal, output = work.perform(watched.stop)
        if work.error is not None:
            watched.errors[node_of(claim.activation)] = work.error
        outcome = self._engine.deliver(watched.run, claim, signal, output)
        if outcome.refusal is Refusal.STOPPING:
            raise Interrupted
        if outcome.refusal is None:
            work.keep()
        if outcome.ready or outcome.later:
            self.submit(watched, replace(outcome, next=None))
        return outcome.next

    def _give_back(self, watched: Watched, claim: Claim | None) -> None:
        """Hand a ticket back as it is held now: a step that was cut short may have gone on with it."""
        if claim is None:
            return
        engine, run = self._engine, watched.run
        look = engine.persist(engine.stores.journal.look, run.id, claim.holding, run.snapshot.revision)
        if look.claim is not None:
            engine.persist(engine.stores.tickets.hand_back, [look.claim.holding])
        watched.holding.pop(claim.holding.ticket, None)
