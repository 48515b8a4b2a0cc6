"""Hears the news of other processes while somebody here listens, and comes back when the broker was away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from codemation.host.bus.carrier import BrokerAway, Carrier, Line, read
from codemation.host.memory.bus import MemoryBus
from codemation.host.threads import started

_log = logging.getLogger("codemation.bus")
LINGER = 30.0
"""Seconds for which it goes on when nobody listens any more: somebody may do so again."""
LOOK = 5.0
"""Seconds between two looks whether anybody listens."""
PATIENCE = 2.0
"""Seconds that a first subscriber waits until it is sure that he hears everything."""
LONGEST = 5.0
"""Seconds between two tries to reach a broker that is away."""


class Receiver:
    """Puts what a carrier brings into the mailboxes of a process."""

    def __init__(self, carrier: Carrier, bus: MemoryBus, *, linger: float = LINGER, look: float = LOOK) -> None:
        self._carrier = carrier
        self._bus = bus
        self._linger = linger
        self._look = look
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._line: Line | None = None
        self._tried = threading.Event()
        """Set when it listens, and when it could not."""
        self._over = threading.Event()
        self._away = self._gap = False
        """Whether the broker did not answer lately, and whether there was a time in which nothing was heard."""

    def begin(self) -> None:
        """Listen from now on; returns when it does, or when the broker is away."""
        with self._guard:
            if self._thread is None and not self._over.is_set():
                self._tried.clear()
                self._thread = started(self._listen_on, name="codemation-hears")
        self._tried.wait(PATIENCE)

    def close(self) -> None:
        """Hear no more."""
        self._over.set()
        with self._guard:
            thread, line = self._thread, self._line
            if line is not None:
                line.wake()
        if thread is not None:
            thread.join(PATIENCE)

    def _listen_on(self) -> None:
        pause = 0.1
        while not self._done():
            try:
                line = self._carrier.listen()
                pause = 0.1
                with self._used(line):
                    self._hear(line)
            except Exception as error:  # noqa: BLE001  # a carrier that breaks costs time, and no more than that
                self._lose(error)
                self._over.wait(pause)
                pause = min(LONGEST, pause * 2)

    def _hear(self, line: Line) -> None:
        quiet_since = time.monotonic()
        self._begin()
        while not self._over.is_set():
            messages = line.receive(self._look)
            for message in messages:
                self._take(message)
            if not self._bus.quiet:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > self._linger:
                return

    def _take(self, message: str) -> None:
        try:
            told = read(message)
        except ValueError as error:
            _log.debug("a message over %s was not understood: %s", self._carrier.describes, error)
            return
        for news in told:
            self._bus.publish(news)

    @contextmanager
    def _used(self, line: Line) -> Iterator[None]:
        with self._guard:
            self._line = line
        try:
            yield
        finally:
            with self._guard:
                self._line = None  # nobody wakes it from now on
            line.close()

    def _done(self) -> bool:
        """Whether nobody needs this thread any more; it has ended then for whoever comes next."""
        with self._guard:
            if not self._over.is_set() and not (self._bus.quiet and self._tried.is_set()):
                return False
            self._thread, self._gap = None, False
            return True

    def _begin(self) -> None:
        """From now on everything is heard."""
        if self._away:
            _log.info("news are heard over %s again", self._carrier.describes)
        if self._gap:
            self._bus.miss()
        self._away, self._gap = False, True
        self._tried.set()

    def _lose(self, error: Exception) -> None:
        if not isinstance(error, BrokerAway):
            _log.error("hearing news over %s failed and begins anew", self._carrier.describes, exc_info=error)
        elif not self._away:
            _log.warning("no news are heard over %s: %s; runs are looked for instead", self._carrier.describes, error)
        self._away = self._gap = True
        self._tried.set()
