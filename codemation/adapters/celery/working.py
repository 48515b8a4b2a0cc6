"""What a process of a Celery worker does: it opens the engine after the fork, and works when a hint comes."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals

from codemation.adapters.celery.naming import queue_of
from codemation.core.ids import TicketId
from codemation.host.desk import Part
from codemation.host.settings import Settings
from codemation.host.worker import FleetWorker


class _Here:
    """This process, and what its children inherit."""

    worker: FleetWorker | None = None


_here = _Here()


def work(ticket: Any = 0, *_: Any, **__: Any) -> None:
    """Look at the table, because this ticket is ready; whatever the message says beside it is left aside."""
    if _here.worker is not None:
        _here.worker.shift(TicketId(ticket) if isinstance(ticket, int) else None)


def attend(app: Celery, settings: Settings) -> None:
    """Be there when a worker of this app begins, and when it ends."""

    def prepared(sender: Any, **_: Any) -> None:
        if sender.app is not app:
            return
        threads = _pool_name(sender.pool_cls) == "thread"
        queues = tuple(queue_of(name) for name in sender.app.amqp.queues.consume_from)
        part = Part(slots=sender.concurrency if threads else 1, queues=queues)
        _here.worker = FleetWorker(settings, part)
        _here.worker.discover()

    def opened(**_: Any) -> None:
        if _here.worker is not None:
            _here.worker.open()

    def set_up(instance: Any, **_: Any) -> None:
        if instance.app is app and _pool_name(instance.pool_cls) == "thread":
            opened()

    def closed(**_: Any) -> None:
        if _here.worker is not None:
            _here.worker.close()

    signals.worker_init.connect(prepared, weak=False)
    signals.worker_process_init.connect(opened, weak=False)
    signals.celeryd_after_setup.connect(set_up, weak=False)
    signals.worker_process_shutdown.connect(closed, weak=False)
    signals.worker_shutdown.connect(closed, weak=False)


def _pool_name(pool: Any) -> str:
    """`prefork`, `solo` or `thread`, by the name that was given or the class that it stands for."""
    name = pool if isinstance(pool, str) else pool.__module__
    return name.rpartition(".")[2].removesuffix("s")
