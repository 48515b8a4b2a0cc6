"""Threads that wait for work, and how they are woken: one by one, the last to fall asleep first.

So what can be done by few threads is done by few, and those that nobody needs come to their end. Waking a thread costs
as much as performing a quick node does, and then both are in each other's way.
"""

from __future__ import annotations

import threading


class Sleepers:
    """Those who wait; whoever asks holds the lock that they were made with, once, and so does whoever falls asleep."""

    def __init__(self, guard: threading.RLock) -> None:
        self._guard = guard
        self._asleep: list[tuple[threading.Lock, object]] = []
        """What each waits for, and what it is woken for in any case."""

    def __len__(self) -> int:
        return len(self._asleep)

    def sleep(self, seconds: float, concern: object = None) -> None:
        """Wait until somebody wakes this thread, or the time is over; `concern` is what it is woken for in any case."""
        bell = threading.Lock()
        bell.acquire()
        own = (bell, concern)
        self._asleep.append(own)
        self._guard.release()
        try:
            bell.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))
        finally:
            self._guard.acquire()
            if own in self._asleep:
                self._asleep.remove(own)

    def wake(self, many: int = 1) -> None:
        """Wake so many, as far as there are."""
        for _ in range(min(many, len(self._asleep))):
            self._asleep.pop()[0].release()

    def wake_all(self) -> None:
        """Wake everybody."""
        self.wake(len(self._asleep))

    def wake_for(self, concern: object) -> None:
        """Wake those who are concerned."""
        for one in [one for one in self._asleep if one[1] is concern]:
            self._asleep.remove(one)
            one[0].release()
