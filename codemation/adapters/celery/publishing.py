"""Hints on their way to workers: messages of Celery's protocol, sent by a thread of their own.

Theory of operation. Whoever has something to tell leaves it here and goes on. The thread sends what has gathered, a
queue at a time, and never lets more messages lie in a queue than its workers could take up at once: more would say
nothing new, for a slot that is free takes one of those, and looks at the table before it comes back. What comes for a
queue that was full waits for a moment, so that there is one question for many. A Redis that does not answer within half
a second is left alone for a moment, and what should have been sent is forgotten: workers look by themselves then.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from codemation.adapters.celery.naming import PREFIX, TASK, queue_on_broker
from codemation.core.ports import Hint
from codemation.host.settings import Settings, without_password
from codemation.host.threads import started

_log = logging.getLogger("codemation.redis")
PATIENCE = 0.5
"""Seconds that Redis gets to answer."""
PAUSE = 0.5
"""Seconds for which a Redis that did not answer is left alone."""
BREATH = 0.005
"""Seconds for which what comes for a queue that was full is gathered."""
MOST = 10_000
"""Hints that wait to be sent; older ones are forgotten."""
ALIVE = f"{PREFIX}alive"
"""Set to see whether Redis takes anything."""
USUAL = 8
"""Slots of a queue of whose workers nothing is known."""
_BOUNDED = """
local free = tonumber(ARGV[1]) - redis.call('LLEN', KEYS[1])
for at = 2, #ARGV do
  if free < at - 1 then return at - 2 end
  redis.call('LPUSH', KEYS[1], ARGV[at])
end
return #ARGV - 1
"""


class RedisHints:
    """The scheduler port over the Redis that Celery's workers listen to."""

    def __init__(self, url: str, slots: Callable[[str], int | None] = lambda queue: None) -> None:
        """`slots` says how many activations the workers of a queue do at a time, as far as that is known."""
        self._shown = without_password(url)
        self._slots = slots
        self._client = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        self._send = self._client.register_script(_BOUNDED)
        self._origin = f"{os.getpid()}@{socket.gethostname()}"
        self._news = threading.Condition()
        self._waiting: deque[Hint] = deque(maxlen=MOST)
        self._full: dict[str, float] = {}
        """Until when, on the monotonic clock, what comes for a queue is gathered."""
        self._thread: threading.Thread | None = None
        self._sending = self._closed = False
        self._away_at: float | None = None
        self._heard_at = 0.0

    def dispatch(self, hints: Sequence[Hint]) -> None:
        """Leave hints to be sent."""
        with self._news:
            if self._closed or self._is_left_alone():
                return
            self._waiting.extend(hints)
            if self._thread is None:
                self._thread = started(self._send_on, name="codemation-hints")
            self._news.notify_all()

    def is_away(self) -> bool:
        """Whether Redis does not answer now."""
        with self._news:
            if self._is_left_alone():
                return True
            if time.monotonic() - self._heard_at < PAUSE:
                return False
        self._try(self._client.set, ALIVE, "", px=1000)  # a Redis that is full answers, and takes nothing
        return self._away_at is not None

    def close(self) -> None:
        """Send what has gathered, if that goes quickly, and let go of Redis."""
        with self._news:
            if self._thread is not None:
                self._news.wait_for(lambda: not (self._waiting or self._sending), timeout=PATIENCE)
            self._closed = True
            self._news.notify_all()
        self._client.close()

    def _is_left_alone(self) -> bool:
        return self._away_at is not None and time.monotonic() - self._away_at < PAUSE

    def _send_on(self) -> None:
        while True:
            with self._news:
                self._sending = False
                self._news.notify_all()
                self._news.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                by_queue = self._due()
                if not by_queue:
                    self._news.wait(min(self._full.values()) - time.monotonic())
                    continue
                self._sending = True
            for queue, some in by_queue.items():
                self._try(self._sent, queue, some)

    def _due(self) -> dict[str, list[Hint]]:
        """What is sent now, by queue; the rest is kept."""
        now = time.monotonic()
        self._full = {queue: until for queue, until in self._full.items() if until > now}
        hints = dict.fromkeys(self._waiting)
        self._waiting.clear()
        self._waiting.extend(hint for hint in hints if hint.queue in self._full)
        by_queue = defaultdict[str, list[Hint]](list)
        for hint in hints:
            if hint.queue not in self._full:
                by_queue[hint.queue].append(hint)
        return by_queue

    def _sent(self, queue: str, hints: Sequence[Hint]) -> None:
        limit, key = self._slots(queue) or USUAL, queue_on_broker(queue)
        laid = self._send(keys=[key], args=[limit, *(self._message(hint, key) for hint in hints[:limit])])
        if laid < len(hints):
            self._full[queue] = time.monotonic() + BREATH

    def _try(self, ask: Callable[..., Any], *args: Any, **more: Any) -> None:
        """Ask Redis something, and take note of whether it answers."""
        try:
            ask(*args, **more)
        except (RedisError, OSError) as error:
            if self._away_at is None and not self._closed:
                _log.warning("Redis at %s does not answer; workers look for work by themselves: %s", self._shown, error)
            self._away_at = time.monotonic()
            return
        if self._away_at is not None:
            _log.warning("Redis at %s answers again", self._shown)
        self._away_at, self._heard_at = None, time.monotonic()

    def _message(self, hint: Hint, key: str) -> str:
        """A message of Celery's protocol 2, as kombu lays it into Redis."""
        name = str(uuid.uuid4())
        args = [hint.ticket, hint.passed] if hint.passed else [hint.ticket]
        body = json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
        headers: Mapping[str, Any] = {
            "lang": "py",
            "task": TASK,
            "id": name,
            "root_id": name,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "eta": None,
            "expires": None,
            "timelimit": [None, None],
            "argsrepr": repr(tuple(args)),
            "kwargsrepr": "{}",
            "origin": self._origin,
            "ignore_result": True,
        }
        properties = {
            "correlation_id": name,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        }
        return json.dumps(
            {
                "body": base64.b64encode(body.encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": headers,
                "properties": properties,
            }
        )


def open_scheduler(settings: Settings, slots: Callable[[str], int | None] = lambda queue: None) -> RedisHints:
    """The scheduler of an app; Redis is reached when there is something to send."""
    return RedisHints(settings.redis_url or "", slots)
