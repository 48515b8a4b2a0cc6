"""The duty of pruning: what is over is deleted by one of all processes, once an hour, beside its other work."""

from __future__ import annotations

import logging
import threading

from codemation.core.engine import Engine
from codemation.core.errors import HostError

_log = logging.getLogger("codemation.pruning")
EVERY = 3600.0
"""Seconds between two prunings of a database."""
FIRST = 30.0
"""Seconds after its beginning when a process first asks whether it should prune: by then most are over."""


class Pruner:
    """Prunes in a thread of its own, so that nothing waits for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, first: float = FIRST, every: float = EVERY) -> None:
        """Ask from now on, `first` seconds from now and again and again, whether it is time."""
        self._thread = threading.Thread(target=self._ask, args=(first, every), name="codemation-prune", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Begin nothing more; what is under way is one short transaction."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def prune(self) -> int:
        """Delete all that is over, and what belongs to nobody; says how many runs."""
        stores, total = self._engine.stores, 0
        while not self._over.is_set() and (gone := stores.pruning.prune()):
            total += gone
        stores.events.forget()
        swept = stores.pruning.sweep()
        if total or swept.batches or swept.blobs:
            _log.info("pruned %d runs, %d left-over batches, %d blobs", total, swept.batches, swept.blobs)
        return total

    def _ask(self, first: float, every: float) -> None:
        pause = first
        while not self._over.wait(pause):
            pause = every / 10
            try:
                if self._engine.stores.duties.take("prune", self._engine.worker, every):
                    self.prune()
            except HostError as error:
                _log.info("nothing was pruned: %s", error.message)
            except Exception:  # noqa: BLE001  # the next hour may fare better
                _log.exception("pruning failed and goes on later")
