"""Walking a chain: perform an activation, record it, go on with the next one of the same ticket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from codemation.core.engine import Engine
from codemation.core.ids import ActivationId, TicketId, node_of
from codemation.core.items import Batch
from codemation.core.opening import OpenRun
from codemation.core.outcome import Outcome, Refusal
from codemation.core.ports import Claim
from codemation.core.sharding import Ending
from codemation.host.runtime.agenda import Ready
from codemation.host.runtime.chain import Chain
from codemation.host.runtime.committing import Committer
from codemation.host.runtime.performing import Performance
from codemation.host.runtime.slots import SlotQueues, pool_of
from codemation.host.runtime.trouble import Interrupted
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import Workbench


class Told(Protocol):
    """Who is told on the way."""

    @property
    def recorded(self) -> Callable[[OpenRun, ActivationId], None]:
        """Told of each result that stands."""
        ...

    @property
    def has_work(self) -> bool:
        """Whether something waits for a thread to take it."""
        ...

    def submit(self, watched: Watched, outcome: Outcome, /) -> None:
        """Told of what else becomes ready."""
        ...


class Walker:
    """What the threads of a process do with the tickets that they take up."""

    def __init__(
        self,
        engine: Engine,
        bench: Workbench,
        told: Told,
        resume: Callable[[Watched, Claim | None], None],
        rouse: Callable[[], bool],
    ) -> None:
        """`told` hears what stands and what else becomes ready, `resume` how a walk that was left goes on.

        `rouse` sees that somebody takes what was resumed; see `Committer`.
        """
        self._engine = engine
        self._bench = bench
        self._listener = told
        self._resume = resume
        self._committer = Committer(engine, rouse)
        self._slots = SlotQueues(engine, told.submit)
        self.looks_soon = self._committer.looks_soon
        self._hands: dict[TicketId, Chain] = {}
        self._guard = threading.Lock()
        """For what is held, here and in the runs."""
        self.tired: Callable[[Chain], bool] = lambda chain: False
        """Whether a chain has been walked for long enough, so that its ticket is left to anybody."""
        self.freed: Callable[[], None] = lambda: None
        """Told when the slot of a pool was given back."""

    def hands(self) -> frozenset[TicketId]:
        """The tickets that are worked on now."""
        return frozenset(self._hands)

    def walk(self, watched: Watched, ready: Ready) -> bool:
        """Walk the chain that begins with a ready ticket; `False` if a result is left to be recorded by others."""
        claim = ready.claim
        try:
            if ready.ticket is not None and watched.run.definition.digest == watched.digest:
                ready.since = time.monotonic()
                claim = self._claimed(watched, ready, ready.ticket)
            while claim is not None:
                step = self._step(watched, claim, self._held(watched, claim, ready.since))
                if step is None:
                    return False
                claim = self._recorded(watched, *step)
        except BaseException as error:
            if not self._seen_to(watched, claim, error):
                raise
        return True

    def _held(self, watched: Watched, claim: Claim, since: float) -> Chain:
        """Take note that a claim is worked on, which was held at some time; the chain that it belongs to.

        Who claims a ticket anew begins a chain, also where somebody here is in a call still that he had it for before.
        """
        ticket = claim.holding.ticket
        with self._guard:
            watched.holding[ticket] = claim
            chain = self._hands.get(ticket)
            if chain is None or not claim.fresh:
                chain = self._hands[ticket] = Chain(self._engine, watched, claim, since)
            chain.steps += 1
            chain.claim = claim
            return chain

    def _claimed(self, watched: Watched, ready: Ready, ticket: TicketId) -> Claim | None:
        claim = self._engine.claim(watched.run, ticket)
        if claim is None:
            self._slots.refused(watched, ready)
        else:
            self._slots.claimed(watched, claim)
        return claim

    def _seen_to(self, watched: Watched, claim: Claim | None, error: BaseException) -> bool:
        """See to a claim when something has gone wrong; whether that is all there is to do about it."""
        if isinstance(error, Exception):  # the engine's own trouble reaches whoever waits for the run
            watched.error = error
            if claim is not None:
                self._drop(claim)
            return True
        over = isinstance(error, Interrupted)
        watched.pausing |= not over
        self._give_back(watched, claim)
        return over

    def _step(self, watched: Watched, claim: Claim, chain: Chain) -> tuple[Performance, Claim, Outcome] | None:
        """Perform one activation and record it; `None` if that was left to others."""
        if chain.stop():
            raise Interrupted
        work = chain.taken(claim) or Performance(self._bench, watched.run, watched.code, claim, watched.meter)
        signal, output = work.perform(chain.stop, splits=True)
        if work.error is not None:
            watched.errors[node_of(claim.activation)] = work.error
        if isinstance(signal, Ending):
            return work, claim, self._engine.settle_shards(claim, signal)

        def meanwhile(following: Claim, outputs: Mapping[str, Batch]) -> None:
            chain.prepared = work.following(following, outputs, chain.stop)

        delivery = self._engine.delivery(watched.run, claim, signal, output)
        delivery.progressed, delivery.leaves = work.progressed, self.tired(chain)
        if len(self._hands) == 1:  # else this thread had better work on others
            delivery.meanwhile = meanwhile
        told = partial(self._told, watched, work, claim)
        chain.sure = time.monotonic()
        outcome = self._committer.record(delivery, told, busy=self._listener.has_work)
        return None if outcome is None else (work, claim, outcome)

    def _told(self, watched: Watched, work: Performance, claim: Claim, told: Outcome | Exception) -> None:
        """Go on with what others have recorded."""
        following = None
        try:
            following = self._following(watched, work, claim, told)
        except Exception as error:  # noqa: BLE001  # nobody stands above this thread: whoever waits is told
            watched.error = error
        finally:
            self._resume(watched, following)

    def _following(self, watched: Watched, work: Performance, claim: Claim, told: Outcome | Exception) -> Claim | None:
        """What a ticket goes on with after what was told, if with anything."""
        if isinstance(told, Exception):
            self._seen_to(watched, claim, told)
            return None
        try:
            return self._recorded(watched, work, claim, told)
        except BaseException as error:
            if not self._seen_to(watched, claim, error):
                raise
            return None

    def _recorded(self, watched: Watched, work: Performance, claim: Claim, outcome: Outcome) -> Claim | None:
        """What the same ticket goes on with, after a result was recorded or refused."""
        if outcome.refusal is Refusal.STOPPING:
            raise Interrupted
        if outcome.refusal is None:
            work.keep()
        if outcome.ready or outcome.later:
            self._listener.submit(watched, replace(outcome, next=None))
        if outcome.refusal is None:
            self._listener.recorded(watched.run, claim.activation)
        if outcome.next is None or outcome.next.holding.ticket != claim.holding.ticket:
            self._let_go(watched, claim)
        return outcome.next

    def _give_back(self, watched: Watched, claim: Claim | None) -> None:
        """Hand a ticket back as it is held now: a step that was cut short may have gone on with it.

        Another thread of this process may have it by now, which is nobody's business but its own.
        """
        if claim is None:
            return
        engine, run = self._engine, watched.run
        look = engine.persist(engine.stores.journal.look, run.id, claim.holding, run.snapshot.revision)
        chain = self._hands.get(claim.holding.ticket)
        if look.claim is not None and (chain is None or chain.fence <= claim.holding.fence):
            engine.persist(engine.stores.tickets.hand_back, [look.claim.holding])
        self._let_go(watched, claim)

    def _let_go(self, watched: Watched, claim: Claim) -> None:
        self._drop(claim, watched)
        self._slots.released(watched, claim)
        if pool_of(watched, claim):
            self.freed()

    def _drop(self, claim: Claim, watched: Watched | None = None) -> None:
        """Forget a claim, but not what another thread has come to hold of the same ticket since."""
        ticket, fence = claim.holding.ticket, claim.holding.fence
        with self._guard:
            if watched is not None and (held := watched.holding.get(ticket)) and held.holding.fence <= fence:
                del watched.holding[ticket]
            if (chain := self._hands.get(ticket)) and chain.fence <= fence:
                del self._hands[ticket]
