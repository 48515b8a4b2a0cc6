"""Definitions in memory."""

from __future__ import annotations

from codemation.core.definition import Definition
from codemation.core.errors import HostError
from codemation.host.memory.tables import Tables


class MemoryDefinitions:
    """Definitions."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, definition: Definition) -> None:
        """Keep a definition."""
        with self._tables.lock:
            self._tables.definitions.setdefault(definition.digest, definition)

    def get(self, digest: str) -> Definition:
        """The definition."""
        with self._tables.lock:
            found = self._tables.definitions.get(digest)
        if found is None:
            raise HostError(f"no definition {digest[:12]} is stored")
        return found
