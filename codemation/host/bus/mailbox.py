"""What a subscriber has not taken yet: bounded, the newest revision of each run, and whether something was missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from codemation.core.ids import RunId
from codemation.core.ports import News

ROOM = 10_000
"""Runs of which something new is kept for a subscriber, and of which he remembers what he has heard."""
ANY = RunId("")
"""Stands for no run in particular."""


def _left(mailbox: Mailbox) -> None:
    """Nobody has to be told that a subscriber is gone."""


class Mailbox:
    """A subscription: the bus puts news in, the subscriber takes them out."""

    def __init__(
        self,
        run: RunId | None = None,
        wake: Callable[[], None] | None = None,
        left: Callable[[Mailbox], None] = _left,
        room: int = ROOM,
    ) -> None:
        """`left` is told when the subscriber closes it."""
        self.run = run
        self._wake = wake
        self._left = left
        self._room = room
        self._waiting: dict[RunId, News] = {}
        self._heard: dict[RunId, int] = {}
        self._missed = self._closed = False
        self._changed = threading.Condition()

    def put(self, news: News) -> None:
        """Keep news, unless newer ones of the run have been here."""
        if self.run not in (None, news.run):
            return
        with self._changed:
            if self._closed or news.revision <= self._heard.get(news.run, 0):
                return
            self._heard.pop(news.run, None)  # what was heard of last is forgotten last
            self._heard[news.run] = news.revision
            self._waiting[news.run] = news
            self._shorten()
            self._changed.notify()
        if self._wake is not None:
            self._wake()

    def miss(self) -> None:
        """Take note that something may have been missed."""
        with self._changed:
            self._missed = True
            self._changed.notify()
        if self._wake is not None:
            self._wake()

    def next(self, timeout: float | None = None) -> News | None:
        """What is new, waited for at most so many seconds; `None` if nothing is, or it is closed."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not (self._missed or self._waiting or self._closed):
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._taken()

    def close(self) -> None:
        """Hear no more."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()
        self._left(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self) -> News | None:
        if self._closed:
            return None
        if self._missed:
            self._missed = False
            return News(run=self.run or ANY, revision=0)
        return self._waiting.pop(next(iter(self._waiting)))

    def _shorten(self) -> None:
        """Keep to the room that there is: the subscriber is too slow, and has to look for himself."""
        if len(self._waiting) > self._room:
            del self._waiting[next(iter(self._waiting))]
            self._missed = True
        if len(self._heard) > self._room:
            del self._heard[next(iter(self._heard))]
