"""What an inline process does beside its work: beat, notice the dead, wake what is due, fold inboxes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable

from codemation.core.engine import Engine
from codemation.core.errors import StoreUnavailable
from codemation.core.ids import RunId, WorkerId
from codemation.core.opening import OpenRun
from codemation.core.signals import Lost, Signal
from codemation.host.runtime.liveness import Observer, place, this_process

_log = logging.getLogger("codemation.caretaker")
BEAT = 2.5
"""Seconds between two beats."""


def read_letter(body: str) -> Signal:
    """The signal that a letter holds.

    Raises:
        ValueError: this release knows no such signal.
    """
    letter = json.loads(body)
    if letter.get("kind") != "Lost":
        raise ValueError(f"the inbox holds a signal that this release does not know: {letter.get('kind')!r}")
    return Lost(activation=letter["activation"], times=letter["times"])


class Caretaker:
    """Beats for this process while it is open, and looks after the runs that it works on."""

    def __init__(self, engine: Engine, version: str, changed: Callable[[OpenRun], None]) -> None:
        """`changed` is told of runs that were folded here, whoever works on them."""
        self._engine = engine
        self._version = version
        self._changed = changed
        self._observer = Observer(place())
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, new_worker: Callable[[], WorkerId], stopping: Callable[[tuple[RunId, ...]], bool]) -> None:
        """Enter this process and beat from now on.

        `stopping` is told which runs should stop and says whether any run is worked on here.
        """
        self._new_worker, self._stopping = new_worker, stopping
        self._register()
        self._thread = threading.Thread(target=self._beat_on, name="codemation-beat", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave: nothing of this process is waited for any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=BEAT)
        try:
            self._engine.stores.workers.bury([self._engine.worker])
        except StoreUnavailable as error:
            _log.info("could not sign off: %s", error.message)

    def recover(self) -> int:
        """Release what dead workers hold; says how many tickets."""
        workers = self._engine.stores.workers
        others = [row for row in workers.living() if row.id != self._engine.worker]
        return self._take_over(self._observer.dead(others))

    def fold(self) -> bool:
        """Fold every inbox that asks for it; says whether there was one."""
        engine, found = self._engine, False
        engine.stores.tickets.fire()
        while (claim := engine.stores.tickets.claim(engine.worker, [])) is not None:
            run = engine.fold_inbox(claim, read_letter)
            found = True
            if run is None:
                break
            self._changed(run)
        return found

    def _register(self) -> None:
        self._engine.stores.workers.register(this_process(self._engine.worker, self._version))

    def _beat_on(self) -> None:
        while not self._over.wait(BEAT):
            try:
                self._beat()
            except StoreUnavailable as error:
                self._observer.outage()
                _log.info("no beat: %s", error.message)
            except Exception:  # noqa: BLE001  # the next beat may fare better, and without beats others take over
                _log.exception("the caretaker failed and goes on")

    def _beat(self) -> None:
        engine = self._engine
        others = engine.stores.workers.beat(engine.worker)
        if others is None:  # somebody has buried this process: its claims are refused, it goes on under a new id
            engine.worker = self._new_worker()
            self._register()
            return
        self._take_over(self._observer.dead([row for row in others if row.id != engine.worker]))
        if self._stopping(()):
            self._stopping(engine.stores.tickets.stopping(engine.worker))
            self.fold()

    def _take_over(self, dead: list[WorkerId]) -> int:
        if not dead:
            return 0
        self._engine.stores.workers.bury(dead)
        taken = self._engine.stores.tickets.take_over(dead)
        return taken.released + len(taken.poisoned) + len(taken.stopped)
