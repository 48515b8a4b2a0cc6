"""A Celery worker in this process, as `codemation serve worker` wants it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from codemation.adapters.celery.application import application
from codemation.adapters.celery.naming import queue_on_broker
from codemation.host.settings import Settings


def serve(
    settings: Settings, queues: Sequence[str], *, pool: str, concurrency: int | None = None, name: str | None = None
) -> int:
    """Serve queues until the process is told to stop; the exit code."""
    app = application(settings, queues)
    many = 1 if pool == "solo" else concurrency or os.cpu_count() or 1
    worker = app.Worker(
        hostname=f"{name}@%h" if name else f"codemation-{os.getpid()}@%h",
        pool=pool,
        concurrency=many,
        queues=[queue_on_broker(queue) for queue in queues],
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
        optimization="fair",
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
