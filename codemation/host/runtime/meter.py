"""How far the nodes of a run are, for those who watch: counts and times, held in memory only."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from codemation.core.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A node that is being worked on."""

    started: float
    """On the process's monotonic clock."""
    done: int = 0
    total: int | None = None


class Meter:
    """The nodes of one run that this process works on now."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._readings: dict[NodeId, Reading] = {}

    def begin(self, node: NodeId, total: int | None) -> None:
        """A node starts to work."""
        with self._guard:
            self._readings[node] = Reading(started=time.monotonic(), total=total)

    def move(self, node: NodeId, done: int, total: int | None = None) -> None:
        """A node has got so far."""
        with self._guard:
            if node in self._readings:
                before = self._readings[node]
                self._readings[node] = replace(before, done=done, total=total or before.total)

    def end(self, node: NodeId) -> None:
        """A node has stopped working."""
        with self._guard:
            self._readings.pop(node, None)

    def readings(self) -> dict[NodeId, Reading]:
        """Every node at work."""
        with self._guard:
            return dict(self._readings)
