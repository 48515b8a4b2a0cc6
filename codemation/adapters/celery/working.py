"""What a process of a Celery worker does: it opens the engine after the fork, and works when a hint comes.

Theory of operation. The parent of a prefork pool finds the workflows and has two pipes, which its children inherit; it
closes its ends of them when the worker is to stop, of the second one when that cannot wait, so that all children know.
They know as well when the parent is gone. Where the pool is a thread or several, the one process is all of that itself.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery, signals

from codemation.adapters.celery.naming import queue_of
from codemation.adapters.celery.threads import TaskPool
from codemation.core.ids import TicketId
from codemation.core.ports import Hint
from codemation.host.desk import Part
from codemation.host.settings import Settings
from codemation.host.threads import started
from codemation.host.worker import PASSED, FleetWorker, Wear

_log = logging.getLogger("codemation.worker")
RECYCLED = 0x9B
"""The exit code by which the parent of a pool knows that its child is to be replaced, and that nothing is wrong."""
PAUSE = 0.2
"""Seconds that the parent gets to hear that a child has done its task, before the child ends."""
LONGEST_CLOSE = 5.0
"""Seconds that what is open gets to be closed; what a node has opened may not let itself be closed at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a worker comes to its end, and is replaced meanwhile."""

    name: str = ""
    grace: float = 10.0
    """Seconds that nodes have for coming to their end when the worker is told to stop."""
    wear: Wear = field(default_factory=Wear)


class Attendance:
    """The worker in this process, from the moment at which Celery prepares it."""

    def __init__(self, settings: Settings, manners: Manners) -> None:
        self._settings = settings
        self._manners = manners
        self._worker: FleetWorker | None = None
        self._forks = False
        self._soon, self._now = os.pipe(), os.pipe()
        self._told = 0

    def work(self, queue: str, given: Sequence[object]) -> None:
        """Look at the table, because of a message; whatever cannot be understood of it is left aside."""
        ticket, passed = (one if isinstance(one, int) else PASSED for one in (*given, 0, 0)[:2])
        if self._worker is not None:
            self._worker.shift(Hint(ticket=TicketId(ticket), queue=queue, passed=passed))

    def prepare(self, controller: Any) -> None:
        """Find the workflows, before anything is forked."""
        pool, queues = _pool_name(controller.pool_cls), controller.app.amqp.queues.consume_from
        self._forks = pool == "prefork"
        if pool == "thread":
            controller.pool_cls = TaskPool
        part = Part(
            slots=controller.concurrency if pool == "thread" else 1,
            queues=tuple(queue_of(name) for name in queues),
            name=self._manners.name,
        )
        self._worker = FleetWorker(self._settings, part, wear=self._manners.wear, retire=self._retire)
        self._worker.prepare()

    def open(self) -> None:
        """Begin in this process, which may have been forked just now."""
        if self._worker is None:
            return
        if self._forks:
            for _, end in (self._soon, self._now):
                os.close(end)
            for pipe, grace in ((self._soon, self._manners.grace), (self._now, 0.0)):
                threading.Thread(target=self._hear, args=(pipe[0], grace), daemon=True).start()
        self._worker.open()

    def stop(self) -> None:
        """Come to an end, in good order; told so again, at once."""
        self._told += 1
        if self._told > 2 or self._worker is None:
            return
        if self._told == 1:
            _log.info(
                "told to stop: what is under way has %.0f s for its end; told again, it is given back at once",
                self._manners.grace,
            )
        if self._forks:
            os.close((self._soon if self._told == 1 else self._now)[1])
            return
        grace = self._manners.grace if self._told == 1 else 0.0
        threading.Thread(target=self._end, args=(grace,), name="codemation-stop", daemon=True).start()

    def close(self) -> None:
        """Let go of everything, when the process ends; whatever goes wrong with that, it ends."""
        if self._worker is None:
            return
        closing = started(self._worker.close, name="codemation-close")
        if closing is None:  # what is open ends with the process
            return
        closing.join(LONGEST_CLOSE)
        if closing.is_alive():
            _log.warning("something here is not closed after %.0f s; it ends with its process", LONGEST_CLOSE)

    def _hear(self, pipe: int, grace: float) -> None:
        os.read(pipe, 1)  # nothing is ever written: it comes back when the other end is closed
        self._end(grace)

    def _end(self, grace: float) -> None:
        """End what is under way here; a node that does not take notice ends with its process."""
        if self._worker is None:
            return
        self._worker.leave(grace)
        if not self._worker.idle:
            self.close()
            os._exit(RECYCLED if self._forks else 0)

    def _retire(self) -> None:
        """Have a fresh process in the place of this one."""
        if self._forks:
            if started(self._exit, name="codemation-exit") is None:
                self._exit()
            return
        self.close()
        if self._told:  # a fresh process would know nothing of that, and go on for ever
            return
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the very same command once more

    def _exit(self) -> None:
        time.sleep(PAUSE)
        self.close()
        os._exit(RECYCLED)


def attend(app: Celery, settings: Settings, manners: Manners) -> Attendance:
    """Be there when a worker of this app begins, and when it ends."""
    here = Attendance(settings, manners)

    def prepared(sender: Any, **_: Any) -> None:
        if sender.app is app:
            here.prepare(sender)

    def opened(**_: Any) -> None:
        here.open()

    def set_up(instance: Any, **_: Any) -> None:
        if instance.app is app and _pool_name(instance.pool_cls) == "thread":
            here.open()

    def told(**_: Any) -> None:
        here.stop()

    def closed(**_: Any) -> None:
        here.close()

    signals.worker_init.connect(prepared, weak=False)
    signals.worker_process_init.connect(opened, weak=False)
    signals.celeryd_after_setup.connect(set_up, weak=False)
    signals.worker_shutting_down.connect(told, weak=False)
    signals.worker_process_shutdown.connect(closed, weak=False)
    signals.worker_shutdown.connect(closed, weak=False)
    return here


def _pool_name(pool: Any) -> str:
    """`prefork`, `solo` or `thread`, by the name that was given or the class that it stands for."""
    name = pool if isinstance(pool, str) else pool.__module__
    return name.rpartition(".")[2].removesuffix("s")
