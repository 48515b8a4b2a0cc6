"""Sends the news of a process: after the commit, apart from whoever works, few messages for many revisions.

Theory of operation. News wait in a table by run, where a newer one takes the place of an older one. A thread sends what
is there: at once if it has not sent anything lately, else when a tenth of a second is over, so that a busy run costs
ten messages a second and a lone step none of its time. That a run has ended is sent at once. Where nobody listened at
the last try, the next ones wait longer; nobody misses anything by that, since who subscribes in between is there when
it comes. What cannot be sent is tried again, longer apart each time, and forgotten after some tries.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from codemation.core.ids import RunId
from codemation.core.ports import News
from codemation.core.states import FINISHED
from codemation.host.bus.carrier import BrokerAway, Carrier, written
from codemation.host.threads import started

_log = logging.getLogger("codemation.bus")
PACE = 0.1
"""Seconds between two messages about runs that go on."""
UNHEARD = (0.25, 0.5, 1.0)
"""Seconds until the next look whether anybody listens, when nobody did once, twice, and more often."""
IDLE = 5.0
"""Seconds after which a thread without news ends."""
ROOM = 10_000
"""Runs of which something waits to be sent."""
BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries to reach a broker that is away."""


class Notifier:
    """The news that a process has for others."""

    def __init__(self, carrier: Carrier, *, idle: float = IDLE, clock: Callable[[], float] = time.monotonic) -> None:
        self._carrier = carrier
        self._longest_idle = idle
        self._clock = clock
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)
        self._pending: dict[RunId, News] = {}
        self._urgent = self._closed = self._rests = False
        self._thread: threading.Thread | None = None
        self._not_before = float("-inf")
        self._unheard = 0
        """How often nobody has listened by now."""
        self._failed = 0

    def put(self, news: News) -> None:
        """Send this soon, unless something newer of the run waits."""
        with self._guard:
            waiting = self._pending.get(news.run)
            if self._closed or (waiting is not None and waiting.revision >= news.revision):
                return
            self._pending[news.run] = news
            if len(self._pending) > ROOM:
                del self._pending[next(iter(self._pending))]
            urgent = news.status in FINISHED and not (self._unheard or self._failed)
            self._urgent |= urgent
            if self._thread is None:
                self._thread = started(
                    self._send_on, name="codemation-news"
                )  # if there is none, the next news try again
            elif urgent or self._rests:
                self._changed.notify()

    def close(self, patience: float = 1.0) -> None:
        """Send what there is, if that is done soon, and send nothing more."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify()
        if thread is not None:
            thread.join(patience)

    def _send_on(self) -> None:
        while (batch := self._next()) is not None:
            heard = self._sent(batch)
            with self._changed:
                self._urgent &= bool(heard)  # what came meanwhile is no more urgent than what comes now
                if heard is None:
                    self._keep(batch)
                else:
                    self._unheard = 0 if heard else self._unheard + 1
                    pause = UNHEARD[min(self._unheard, len(UNHEARD)) - 1] if self._unheard else PACE
                    self._not_before = self._clock() + pause

    def _next(self) -> list[News] | None:
        """What is to be sent now; `None` when the thread is not needed any more."""
        with self._changed:
            while not self._pending:
                self._rests = True
                news = not self._closed and self._changed.wait(self._longest_idle)
                self._rests = False
                if not (news or self._pending):
                    self._carrier.rest()  # now, for the next thread has it to itself
                    self._thread = None
                    return None
            while not (self._urgent or self._closed) and (left := self._not_before - self._clock()) > 0:
                self._changed.wait(left)
            batch = list(self._pending.values())
            self._pending.clear()
            self._urgent = False
            return batch

    def _sent(self, batch: Sequence[News]) -> bool | None:
        """Whether anybody has heard it; `None` when it could not be sent."""
        try:
            heard = self._carrier.send(list(written(batch, self._carrier.most)))
        except Exception as error:  # noqa: BLE001  # a carrier that breaks costs time, and no more than that
            if not isinstance(error, BrokerAway):
                _log.error("sending news over %s failed", self._carrier.describes, exc_info=error)
            elif not self._failed:
                _log.warning(
                    "no news can be sent over %s: %s; others look for themselves", self._carrier.describes, error
                )
            self._failed += 1
            return None
        if self._failed:
            _log.info("news are sent over %s again", self._carrier.describes)
        self._failed = 0
        return heard

    def _keep(self, batch: Sequence[News]) -> None:
        """Try again later, but not for ever."""
        if self._closed or self._failed % (len(BACK_OFF) + 1) == 0:
            return
        for news in batch:
            self._pending.setdefault(news.run, news)
        self._not_before = self._clock() + BACK_OFF[self._failed % (len(BACK_OFF) + 1) - 1]
