"""One committer for a process: what comes while revisions are being written is written with the next ones, together.

Theory of operation. A thread that has something to record, meets few who are recording and nobody in the same run, and
has no other work that waits, does it at once and alone; so a lone run never waits, and neither do two or three. All
others leave their deliveries here and go on to other work instead of waiting for an answer. The committer's own thread
writes what was left as one group, one of each run, and again for as long as there is any. The next group is sent before
the last one is taken up, so that the server has something to do while the runs of that go on. Groups wait for nobody:
what cannot be written at once is settled by a thread of its own, and a lone writer who has to wait for a lock is not
waited for. What a group led to is left to the threads that are awake; the committer looks whether they come for it,
since it is about to wait anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from codemation.core.delivery import Delivery
from codemation.core.engine import Engine
from codemation.core.grouping import Written
from codemation.core.ids import RunId
from codemation.core.outcome import Outcome
from codemation.host.threads import started

_log = logging.getLogger("codemation.scheduler")
MOST = 64
"""Revisions in one group."""
IDLE = 5.0
"""Seconds after which a committer without work ends."""
WRITERS = 3
"""So many write at a time. More of them would be in each other's way, and write less together."""
LONG = 0.02
"""Seconds after which those who write are not waited for any more."""
QUICK = 0.002
"""Seconds in which a group is written where commits are cheap: two halves in turn keep server and threads at work both,
where all of it at once would have each wait for the other. A commit that costs more is worth sharing among all."""
FEW = 4
"""Revisions that are worth a statement of their own in any case."""
AGAIN, LONGEST = 0.002, 0.5
"""Seconds after which it is seen again, at first and at the most, to what was told and is not taken up yet."""
Told = Callable[[Outcome | Exception], None]
"""Called with what followed from a delivery that was left, in another thread."""
_Deliveries = dict[RunId, tuple[Delivery, Told]]
"""By run, and who is told of each."""


@dataclass(slots=True)
class _Group:
    """What was written together."""

    deliveries: _Deliveries
    written: Written
    taken: bool = False
    """Whether it was taken up."""


class Committer:
    """Records what the threads of a process bring."""

    def __init__(
        self,
        engine: Engine,
        rouse: Callable[[], bool] = lambda: False,
        *,
        idle: float = IDLE,
        writers: int = WRITERS,
    ) -> None:
        """`rouse` lets threads go on with what was told, and says whether to ask again soon because something waits."""
        self._engine = engine
        self._rouse = rouse
        self._idle = idle
        self._writers = writers
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)
        self._left: list[tuple[Delivery, Told]] = []
        self._writing: list[Collection[RunId]] = []
        """The runs of each who is recording."""
        self._alive = False
        self._rests = False
        self._asked = False
        """Whether somebody counts on a look that has not begun."""
        self._usual = 0.0
        """Seconds that groups have taken of late."""

    def record(self, delivery: Delivery, told: Told, *, busy: bool = False) -> Outcome | None:
        """What follows from a delivery; `None` if it was left here, and `told` will be called.

        Whoever is `busy` has other work that waits, and leaves it here in any case.
        """
        runs = (delivery.run.id,)
        with self._guard:
            if (busy or self._left or not self._may_be_written(delivery)) and self._wakes():
                self._left.append((delivery, told))
                return None
            self._writing.append(runs)
        try:
            return self._engine.settle(delivery)
        finally:
            self._done(runs)

    def looks_soon(self) -> bool:
        """Whether the committer is at work, and will see to it that what waits now is taken up when that is done."""
        with self._guard:
            self._asked = self._alive and not self._rests
            return self._asked

    def _look(self) -> bool:
        self._asked = False  # whoever asks from now on asks for the next look
        return self._rouse()

    def _may_be_written(self, delivery: Delivery) -> bool:
        """Whether there is room for one more who writes, and nobody who does so for the same run."""
        if not self._writing:
            return True
        return len(self._writing) < self._writers and not any(delivery.run.id in runs for runs in self._writing)

    def _done(self, runs: Collection[RunId]) -> None:
        with self._guard:
            self._writing.remove(runs)
            if self._left:
                self._changed.notify()

    def _wakes(self) -> bool:
        """Have a thread write what is left; whether there is one."""
        if not self._alive:
            self._alive = started(self._commit, name="codemation-committer") is not None
        elif self._rests:
            self._changed.notify()
        return self._alive

    def _commit(self) -> None:
        pause, before = self._idle, None
        while True:
            group = self._awaited(pause) if before is None else self._at_hand()
            if group:
                before = self._write(group, before)
                continue
            if before is not None:
                waits, pause = self._take_up(before), AGAIN
            elif group is not None:
                waits, pause = self._look(), AGAIN
            elif pause != self._idle:
                waits = self._look()
            else:
                return
            before, pause = None, min(2 * pause, LONGEST) if waits else self._idle

    def _write(self, group: _Deliveries, before: _Group | None) -> _Group:
        """Write a group; the one before it is taken up while the server works on this one, or first if it has to be."""

        def meanwhile() -> None:
            if before is not None and not before.taken:
                self._take_up(before)

        if before is not None and before.written.concerns_others:
            meanwhile()
        began = time.monotonic()
        written = self._engine.write_together([delivery for delivery, _ in group.values()], meanwhile)
        self._usual += (min(time.monotonic() - began, 4 * QUICK) - self._usual) / 8
        meanwhile()
        return _Group(group, written)

    def _take_up(self, group: _Group) -> bool:
        """Tell what a group has led to; whether something waits for a thread then."""
        group.taken = True
        outcomes = group.written.take_up()
        for (delivery, told), outcome in zip(group.deliveries.values(), outcomes, strict=True):
            if outcome is not None:
                self._tell(delivery, told, outcome)
            elif not started(partial(self._settle, delivery, told), name="codemation-alone"):
                self._settle(delivery, told)
        self._done(group.deliveries)
        return self._look()

    def _tell(self, delivery: Delivery, told: Told, outcome: Outcome | Exception) -> None:
        """Tell of one; what is wrong with whoever hears it keeps nothing from the others of its group."""
        try:
            told(outcome)
        except Exception:  # noqa: BLE001  # as above
            _log.exception("what followed in run %s was not taken up", delivery.run.id)

    def _at_hand(self) -> _Deliveries:
        """What may be written at once."""
        with self._guard:
            group = self._next(waited=False)
            if group:
                self._writing.append(group)
            return group

    def _awaited(self, pause: float) -> _Deliveries | None:
        """What is to be written next, by run; `None` when nothing has come for a while, nothing to look first."""
        with self._guard:
            if self._asked:
                return {}
            self._rests = True
            came = self._changed.wait_for(lambda: self._left, timeout=pause)
            self._rests = False
            if not came:
                self._alive = pause != self._idle
                return None
            waited = not self._changed.wait_for(
                lambda: any(self._may_be_written(delivery) for delivery, _ in self._left), timeout=LONG
            )
            group = self._next(waited)
            self._writing.append(group)
            return group

    def _next(self, waited: bool) -> _Deliveries:
        """What is written next: one delivery of each run, the oldest first; of any run if that was `waited` for."""
        group: _Deliveries = {}
        rest: list[tuple[Delivery, Told]] = []
        most = MOST
        if self._usual < QUICK:
            most = min(MOST, max(FEW, (len(self._left) + sum(map(len, self._writing)) + 1) // 2))
        for one in self._left:
            run = one[0].run.id
            if run in group or len(group) == most or not (waited or self._may_be_written(one[0])):
                rest.append(one)
            else:
                group[run] = one
        self._left = rest
        return group

    def _settle(self, delivery: Delivery, told: Told) -> None:
        try:
            outcome: Outcome | Exception = self._engine.settle(delivery)
        except Exception as error:  # noqa: BLE001  # it is told to whoever works on the run
            outcome = error
        told(outcome)
        self._rouse()
