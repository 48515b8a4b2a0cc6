"""Calls of a node begin no faster than its rate says, counted over all processes.

Theory of operation. The moments at which a call may begin lie `spacing` seconds apart on a row of the database. Whoever
wants to call books some of them at once, waits for the first, and uses them one after the other, so that a fast node
costs a statement for half a second of calls and not for each. A moment that has gone by unused is lost: used later, it
would fall together with what another process has booked. So whoever calls more slowly than the rate books fewer.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from codemation.core.rates import spacing
from codemation.host.runtime.activity import Activity, Stop
from codemation.host.runtime.clock import Clock
from codemation.host.runtime.trouble import Interrupted

AHEAD = 0.5
"""Seconds of calls that are booked at once at the most."""
LATE = 0.05
"""Seconds after which a moment is lost, where the rate leaves no more between two of them."""
_LOOK = 0.05


class Pace:
    """When the calls of one activation may begin."""

    def __init__(self, book: Callable[[int], float], spacing: float, clock: Clock, stop: Stop) -> None:
        """`book` is given a number of moments, and says in how many seconds the first of them is."""
        self._book = book
        self._spacing = spacing
        self._clock = clock
        self._stop = stop
        self._moments: deque[float] = deque()
        self._most = max(1, int(AHEAD / spacing))
        self._some = 1
        self._guard = threading.Lock()

    def wait(self) -> None:
        """Wait until a call may begin.

        Raises:
            Interrupted: the run stops, or goes on elsewhere.
        """
        moment = self._next()
        while (left := self._left(moment)) > 0:
            self._clock.pause(min(left, _LOOK))

    async def rest(self) -> None:
        """Do what `wait` does, without blocking the loop."""
        moment = await asyncio.to_thread(self._next)
        while (left := self._left(moment)) > 0:
            await self._clock.rest(min(left, _LOOK))

    def _left(self, moment: float) -> float:
        if self._stop():
            raise Interrupted
        return moment - self._clock.monotonic()

    def _next(self) -> float:
        with self._guard:
            lost, now = 0, self._clock.monotonic()
            while self._moments and self._moments[0] < now - max(self._spacing, LATE):
                self._moments.popleft()
                lost += 1
            if lost:
                self._some = max(1, self._some // 2)
            if not self._moments:
                first = self._clock.monotonic() + self._book(self._some)
                self._moments.extend(first + number * self._spacing for number in range(self._some))
                self._some = min(self._most, self._some * 2)
            return self._moments.popleft()


def pace_of(activity: Activity, stop: Stop) -> Pace | None:
    """When the calls of an activation may begin; `None` where its node has no rate."""
    rate = activity.node.policy.rate
    if not rate:
        return None
    engine, apart = activity.bench.engine, spacing(rate)
    name = f"{activity.run.definition.workflow}/{activity.node.id}"
    return Pace(
        lambda calls: engine.persist(engine.stores.rates.book, name, calls, apart), apart, activity.bench.clock, stop
    )
