"""Runs that come and go with their tickets: what a worker has in memory of runs that others have started.

Theory of operation. A run is opened when a ticket of it is claimed, and let go of when nothing of it is here any more;
the last ones are kept for when they come again. What was in memory before the claim may have been overtaken, so it is
brought up to date first. A run that cannot be worked on here, or in which the engine itself fails, is left for a while:
one run stops no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Protocol

from codemation.core.engine import Engine
from codemation.core.errors import CodemationError, HostError, StoreUnavailable
from codemation.core.ids import RunId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, Hint, Lane
from codemation.host.runtime.agenda import Ready
from codemation.host.runtime.scheduler import InlineScheduler
from codemation.host.runtime.watched import Watched
from codemation.host.runtime.workbench import RunCode, Workbench

_log = logging.getLogger("codemation.worker")
KEPT = 64
"""Runs that are kept in memory after their last ticket has left."""
ODD = 60.0
"""Seconds until somebody tries again what cannot be worked on here."""
FULL = 0.2
"""Seconds until somebody tries again what had no room in its run."""


class CodeMissing(HostError):
    """The code of a run cannot be had in this process."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"the code of definition {digest[:12]} is not at hand")
        self.digest = digest


class Desk(Protocol):
    """What a worker asks of its app."""

    def lanes(self) -> Sequence[Lane]:
        """What it serves."""
        ...

    def needs_slots(self) -> bool:
        """Whether anything of that needs the slot of a pool."""
        ...

    def code(self, run: OpenRun) -> RunCode:
        """The code of a run.

        Raises:
            CodeMissing: it is not at hand.
            InputError: the params of the run do not fit it.
        """
        ...

    def fold(self, claim: Claim) -> None:
        """Fold the inbox that a claim is about."""
        ...

    def dispatch(self, hints: Sequence[Hint]) -> None:
        """Let the fleet know of tickets."""
        ...

    def rouse(self) -> None:
        """Let somebody of each queue look, since nobody knows who is waiting."""
        ...

    def is_alone(self) -> bool:
        """Whether no hints come through."""
        ...

    def is_mixed(self) -> bool:
        """Whether other workers have code that is not at hand here."""
        ...

    def look(self) -> None:
        """Look for what no hint tells of."""
        ...


class VisitingScheduler(InlineScheduler):
    """Adopts the runs of the tickets that were claimed here."""

    def __init__(self, engine: Engine, bench: Workbench, threads: int, desk: Desk) -> None:
        super().__init__(engine, bench, threads)
        self._desk = desk
        self._kept: OrderedDict[RunId, OpenRun] = OrderedDict()
        self._stuck = 0
        """Threads that do not come back."""
        self._adopting = [threading.Lock() for _ in range(16)]

    def _begun(self, claim: Claim, read: OpenRun | None, since: float) -> tuple[Watched, Ready] | None:
        """What there is to do for what was claimed `since`, if anything is left; its run may have been `read` later."""
        if claim.is_fold:
            self._desk.fold(claim)
            return None
        watched = self._adopted(claim, read)
        return None if watched is None else (watched, Ready(-claim.priority, claim.run, None, claim, since))

    def _adopted(self, claim: Claim, read: OpenRun | None) -> Watched | None:
        """The run of a claim, with one more activation under way; `None` where that cannot be worked on here."""
        engine = self._engine
        try:
            with self._adopting[hash(claim.run) % len(self._adopting)]:
                watched = self._known(claim) or self._opened(claim, read)
        except StoreUnavailable:
            raise
        except CodeMissing as error:
            self._leave_to_others(claim, error)
            return None
        except Exception as error:  # noqa: BLE001  # one run that cannot be read stops no other
            said = error.message if isinstance(error, CodemationError) else f"{type(error).__name__}: {error}"
            _log.error("run %s cannot be worked on here, and is left for %.0f s: %s", claim.run, ODD, said)
            engine.persist(engine.stores.tickets.postpone, claim.holding, ODD)
            return None
        if watched is None:
            engine.persist(engine.stores.tickets.postpone, claim.holding, FULL)
        return watched

    def _leave_to_others(self, claim: Claim, error: CodeMissing) -> None:
        """Give back at once what others have the code for; if it would be claimed here again, leave it for a while."""
        if any(lane.digest == error.digest for lane in self._desk.lanes()):
            _log.error("run %s cannot be worked on here, and is left for %.0f s: %s", claim.run, ODD, error.message)
            self._engine.persist(self._engine.stores.tickets.postpone, claim.holding, ODD)
            return
        _log.warning("run %s is left to workers that have its code: %s", claim.run, error.message)
        self._engine.persist(self._engine.stores.tickets.hand_back, [claim.holding])
        self._desk.dispatch([Hint(ticket=claim.holding.ticket, queue=claim.queue, passed=1)])

    def _known(self, claim: Claim) -> Watched | None:
        """The run of a claim, if something of it is under way here."""
        with self._guard:
            watched = self._runs.get(claim.run)
            if watched is None or watched.settled or not watched.has_room:
                return None
            watched.active += 1
        try:
            if self._engine.catch_up(watched.run, claim) and watched.run.definition.digest == watched.digest:
                return watched
        except BaseException:
            self._resume(watched, None)
            raise
        self._resume(watched, None)
        return None

    def _opened(self, claim: Claim, read: OpenRun | None) -> Watched | None:
        """The run of a claim, as it was read since then, or brought up to date, or read anew."""
        with self._guard:
            if claim.run in self._runs and self._runs[claim.run].active:  # it has no room, or is about to stop
                return None
            run = self._kept.pop(claim.run, None)
        if read is not None and claim.activation in read.snapshot.live:
            run = read
        elif run is None or not self._engine.catch_up(run, claim):
            run = self._engine.open(claim.run)
        if claim.activation not in run.snapshot.live:
            return None
        watched = self.watch(run, self._desk.code(run))
        with self._guard:
            watched.served = True
            watched.active += 1
        return watched

    def _part(self, watched: Watched) -> None:
        """Let go of a run of which nothing is here any more."""
        run = watched.run
        if watched.error is not None and not watched.active:
            self._give_up(watched, watched.error)
            return
        with self._guard:
            if watched.active or self._agenda.knows(run.id) or self._runs.get(run.id) is not watched:
                return
            if not run.finished:
                self._kept[run.id] = run
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        self.release(watched)

    def _give_up(self, watched: Watched, error: BaseException) -> None:
        """Leave a run in which the engine itself has failed, for a while."""
        _log.error("run %s could not be gone on with here, and is left for %.0f s", watched.run.id, ODD, exc_info=error)
        with self._guard:
            held = [claim.holding for claim in watched.holding.values()] + self._agenda.held(watched.run.id)
        self.release(watched)
        for holding in held:
            self._engine.persist(self._engine.stores.tickets.postpone, holding, ODD)

    def _resume(self, watched: Watched, claim: Claim | None) -> None:
        super()._resume(watched, claim)
        if claim is None:
            self._part(watched)

    def stop(self, runs: Collection[RunId]) -> None:
        """Let runs stop that were asked to, and forget what was kept of them."""
        super().stop(runs)
        with self._guard:
            for run in runs:
                self._kept.pop(run, None)
                if run in self._runs and self._runs[run].stop_at is None:
                    self._runs[run].stop_at = time.monotonic()

    @property
    def load(self) -> int:
        """Activations that are worked on now."""
        return sum(watched.active for watched in self.watched())

    def deaf(self, grace: float) -> list[Watched]:
        """The runs that were asked to stop so long ago, and that somebody here works on still."""
        now = time.monotonic()
        return [one for one in self.watched() if one.active and one.stop_at is not None and now - one.stop_at > grace]

    def fence_off(self, watched: Watched) -> None:
        """Give back what of a run is held here, whoever is still at it: nothing that he brings counts any more."""
        with self._guard:
            held = [claim.holding for claim in list(watched.holding.values())] + self._agenda.held(watched.run.id)
        self._engine.persist(self._engine.stores.tickets.hand_back, held)
        with self._guard:
            watched.stop_at = None
            self._stuck += watched.active
        self.release(watched)
