"""A transport that stands what Celery itself does not: it ends when no message lies in its queue, or Redis is full."""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport.redis import Channel, Transport
from redis.exceptions import OutOfMemoryError, ResponseError

_log = logging.getLogger("codemation.redis")


class TolerantChannel(Channel):
    """A channel that takes out of a queue whatever lies there, and forgets what it cannot read."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu has no types
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("a message that cannot be read was dropped: %s: %s", type(error).__name__, error)
            raise Empty from error

    def _queue_bind(self, exchange: str, *given: Any) -> None:
        """Note where messages come from, which remote control goes by, and no hint."""
        try:
            super()._queue_bind(exchange, *given)  # type: ignore[no-untyped-call]  # kombu has no types
        except ResponseError as error:
            if not _is_full(error):
                raise
            _log.warning('Redis has no room, so that nobody reaches this worker by "%s": %s', exchange, error)

    def maybe_refresh_binding_expiry(self) -> None:
        """Note now and then that remote control still reaches this worker; tried again when there is room."""
        try:
            super().maybe_refresh_binding_expiry()  # type: ignore[no-untyped-call]  # kombu has no types
        except ResponseError as error:
            if not _is_full(error):
                raise

    def _size(self, queue: str) -> int:
        """How many messages lie in a queue; a Redis that is full does not say."""
        try:
            return int(super()._size(queue))  # type: ignore[no-untyped-call]  # kombu has no types
        except OutOfMemoryError:
            return 0


def _is_full(error: ResponseError) -> bool:
    """Whether Redis has no memory left; of a script it says so in words alone."""
    return isinstance(error, OutOfMemoryError) or "OOM command" in str(error)


class TolerantTransport(Transport):
    """Redis as Celery uses it, but for what is no message."""

    Channel = TolerantChannel
