"""A transport that lets go of what is no message; Celery itself ends when something else lies in its queue."""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport.redis import Channel, Transport

_log = logging.getLogger("codemation.redis")


class TolerantChannel(Channel):
    """A channel that takes out of a queue whatever lies there, and forgets what it cannot read."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu has no types
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("a message that cannot be read was dropped: %s: %s", type(error).__name__, error)
            raise Empty from error


class TolerantTransport(Transport):
    """Redis as Celery uses it, but for what is no message."""

    Channel = TolerantChannel
