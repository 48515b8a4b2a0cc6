"""Pruning: what is over is deleted, by whoever holds the duty, or wishes to."""

from __future__ import annotations

import logging
import threading

from codemation.core.engine import Engine

_log = logging.getLogger("codemation.pruning")


class Pruner:
    """Prunes in short transactions, one after the other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()

    def end(self) -> None:
        """Begin nothing more; what is under way is one short transaction."""
        self._over.set()

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
