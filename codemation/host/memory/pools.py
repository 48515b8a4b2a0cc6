"""Slots in memory."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.host.memory.tables import Tables


class MemoryPools:
    """Slots."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def declare(self, pools: Mapping[str, int]) -> None:
        """Say how many slots pools have."""
        with self._tables.lock:
            self._tables.pools.update(pools)

    def all(self) -> Mapping[str, tuple[int, int]]:
        """How many slots are taken, and how many there are."""
        with self._tables.lock:
            return {name: (self._tables.taken(name), slots) for name, slots in self._tables.pools.items()}
