"""A Celery worker in this process, as `codemation serve worker` wants it."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Sequence
from typing import Any

from celery import signals
from celery.apps.worker import Worker
from celery.platforms import EX_OK
from celery.worker import state

from codemation.adapters.celery.application import application
from codemation.adapters.celery.naming import queue_on_broker
from codemation.adapters.celery.working import Manners
from codemation.host.settings import Settings


class _Serving(Worker):  # type: ignore[misc]  # Celery has no types
    """Stops in good order at the first signal, and at once at the second, whichever of the two it is."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Hear the signals that people and supervisors send."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: Any) -> None:
        try:
            signals.worker_shutting_down.send(
                sender=self.hostname, sig=signal.Signals(number).name, how="Warm", exitcode=EX_OK
            )
        finally:
            state.should_stop = EX_OK

    def set_process_status(self, info: str) -> None:
        """The command line says enough."""


def serve(settings: Settings, queues: Sequence[str], *, pool: str, concurrency: int, manners: Manners) -> int:
    """Serve queues until the process is told to stop; the exit code."""
    app = application(settings, queues, manners)
    signals.setup_logging.connect(lambda **_: None, weak=False)  # how we log is settled
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
        worker = _Serving(
            app=app,
            hostname=manners.name,
            pool=pool,
            concurrency=concurrency,
            queues=[queue_on_broker(queue) for queue in queues],
            loglevel="INFO",
            without_gossip=True,
            without_mingle=True,
            optimization="fair",
            quiet=True,
        )
        worker.start()
    return int(worker.exitcode or 0)
