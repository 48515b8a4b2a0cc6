"""The threads of a scheduler: how many there are, who of them sleeps, and who is woken for what has become ready.

While nodes are quick, whoever is awake comes by soon, and anybody else would only be in the way: two threads of Python
take turns. So what is resumed is left to those who are awake. What has waited for longer than a moment is another
matter: then all of them are busy with nodes that take their time, and others are woken or started.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from codemation.host.runtime.agenda import Agenda
from codemation.host.runtime.sleepers import Sleepers
from codemation.host.threads import started

LONG = 0.003
"""Seconds that work waits at the most before others are woken for it than those who are awake."""


class Workforce(ABC):
    """Threads that take what is ready from an agenda."""

    def __init__(self, threads: int, agenda: Agenda) -> None:
        """`threads` is the number of those that may be started, beside whoever comes to work by itself."""
        self._threads = threads
        self._agenda = agenda
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)
        """For those who wait for a run."""
        self._sleepers = Sleepers(self._guard)
        """Those who wait for work."""
        self._alive = self._drivers = 0
        """Threads that were started, and those that came by themselves."""
        self._away = 0
        """Those among them that are about to take up something else, from a store."""
        self.starved = False
        """Whether no thread could be started when one was wanted."""

    @property
    def has_work(self) -> bool:
        """Whether something waits for a thread to take it."""
        return bool(self._agenda)

    def held_still(self) -> AbstractContextManager[object]:
        """Let nobody take up work or be done with it for the length of a `with`."""
        return self._guard

    @abstractmethod
    def _labour(self) -> None:
        """What a thread does that was started."""

    def _hire(self, pieces: int) -> None:
        """Start threads for so many pieces of work, as far as there are not enough that are free."""
        for _ in range(min(pieces - len(self._sleepers), self._threads - self._alive)):
            if not self._labours():
                return

    def _labours(self) -> bool:
        """Start a thread that works; whether there could be one. Without it those that there are do more."""
        self._alive += 1
        self.starved = started(self._labour, name="codemation-worker") is None
        self._alive -= self.starved
        return not self.starved

    def _rouse(self) -> bool:
        """See that somebody takes what was resumed; whether something waits still, to be asked for again soon.

        While nodes are quick whoever is awake comes by at once, and anybody else would only be in the way.
        """
        with self._guard:
            if self._agenda and self._agenda.oldest() > LONG:
                self._hire(len(self._agenda))
                self._sleepers.wake(len(self._agenda))
            else:
                self._see_to_it()
            return bool(self._agenda)

    def _see_to_it(self) -> None:
        """Let somebody come for what is ready, unless a thread is awake and will."""
        if self.has_work and not self._somebody_is_awake:
            self._hire(1)
            self._sleepers.wake()

    @property
    def _somebody_is_awake(self) -> bool:
        """Whether a thread is at work, and will come for more when it is done with what it has."""
        return self._alive + self._drivers > len(self._sleepers) + self._away
