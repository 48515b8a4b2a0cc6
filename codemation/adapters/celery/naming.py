"""How things are called on the broker."""

from __future__ import annotations

TASK = "codemation.work"
"""The one task: there is a ticket that is ready, so look at the table."""
PREFIX = "codemation."


def queue_on_broker(queue: str) -> str:
    """The queue of Celery that carries the hints of a queue of ours; other programs may share the Redis."""
    return f"{PREFIX}{queue}"


def queue_of(name: str) -> str:
    """Our queue, by the name that it has on the broker."""
    return name.removeprefix(PREFIX)


def broker_url(redis_url: str) -> str:
    """The URL as Celery spells it."""
    scheme, rest = redis_url.split("://", 1)
    return f"redis+socket://{rest}" if scheme == "unix" else redis_url
