"""Slots in memory."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.host.memory.tables import Tables


class MemoryPools:
    """Slots."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        """Say how many slots pools have."""
        with self._tables.lock:
            said = self._tables.pools if default else {}
            self._tables.pools.update({**pools, **said})

    def all(self) -> Mapping[str, tuple[int, int]]:
        """How many slots are taken, and how many there are."""
        with self._tables.lock:
            return {name: (self._tables.taken(name), slots) for name, slots in self._tables.pools.items()}
