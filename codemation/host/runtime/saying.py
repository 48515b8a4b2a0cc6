"""What nodes say is recorded when they end, and every second while they work, so that others can follow it.

Most say nothing, so they are listened to from their first line on.
"""

from __future__ import annotations

import logging
import threading

from codemation.core.engine import Engine
from codemation.core.ids import ActivationId, RunId
from codemation.core.ports import LogLine
from codemation.host.runtime.capture import Sink
from codemation.host.threads import started

EVERY = 1.0
"""Seconds between two looks at what was said."""
PATIENT = 10
"""Looks that find no node at work, after which nobody looks any more until one is."""
_log = logging.getLogger("codemation.saying")


class Saying(Sink):
    """What one activation says, on its way into the store; nothing of it overtakes another."""

    def __init__(
        self, activation: ActivationId, attempt: int, run: RunId, engine: Engine, listening: Listening
    ) -> None:
        super().__init__(activation, attempt, run)
        self._engine = engine
        self._listening = listening
        self._order = threading.Lock()
        self.over = False
        """Whether its node has ended; a call that was left to itself may go on and say something."""

    def heard(self) -> None:
        """Be looked after from now on."""
        self._listening.begin(self)

    def end(self) -> None:
        """Nothing more is said; record what was said last."""
        self.over = True
        if not self.silent:
            self._listening.end(self)
            self.keep(last=True)

    def keep(self, *, last: bool = False) -> None:
        """Record what has been said, however long the database is away."""
        with self._order:
            lines = self.take(last=last)
            if lines:
                self._engine.persist(self._engine.stores.logs.append, self._run, lines)

    def keep_if_possible(self) -> None:
        """Record what has been said, or leave it for later."""
        if not self._order.acquire(blocking=False):
            return  # somebody is at it
        try:
            lines = self.take()
            if lines:
                self._append(lines)
        finally:
            self._order.release()

    def _append(self, lines: list[LogLine]) -> None:
        try:
            self._engine.stores.logs.append(self._run, lines)
        except Exception as error:  # noqa: BLE001  # the node records them at its end, or fails then
            self.take_back(lines)
            _log.info("what a node of run %s said is recorded later: %s", self._run, error)


class Listening:
    """Looks after everything that is being said in this process."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._guard = threading.Lock()
        self._open: set[Saying] = set()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, saying: Saying) -> None:
        """Record from now on what is said."""
        with self._guard:
            if saying.over:
                return
            self._open.add(saying)
            if self._thread is None or not self._thread.is_alive():
                self._thread = started(self._listen, name="codemation-logs")  # else it is recorded in the end

    def end(self, saying: Saying) -> None:
        """Nothing more is said; what was said last is for its owner to record."""
        with self._guard:
            self._open.discard(saying)

    def close(self) -> None:
        """Listen no longer."""
        self._over.set()

    def _listen(self) -> None:
        idle = 0
        while not self._over.wait(self._every):
            with self._guard:
                sayings = list(self._open)
                idle = 0 if sayings else idle + 1
                if idle > PATIENT:
                    self._thread = None
                    return
            for saying in sayings:
                saying.keep_if_possible()
