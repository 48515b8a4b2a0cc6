"""How far the nodes of a run are, for those who watch: counts and times, held in memory only."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from codemation.core.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A node that is being worked on."""

    started: float
    """On the process's monotonic clock."""
    done: int = 0
    total: int | None = None


@dataclass(slots=True)
class _Gauge:
    """As `Reading`, but moved in place: that happens for each item."""

    started: float
    total: int | None
    done: int = 0


class Meter:
    """The nodes of one run that this process works on now."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._gauges: dict[NodeId, _Gauge] = {}

    def begin(self, node: NodeId, total: int | None) -> None:
        """A node starts to work."""
        with self._guard:
            self._gauges[node] = _Gauge(time.monotonic(), total)

    def move(self, node: NodeId, done: int, total: int | None = None) -> None:
        """A node has got so far."""
        with self._guard:
            gauge = self._gauges.get(node)
            if gauge is not None:
                gauge.done, gauge.total = done, total or gauge.total

    def end(self, node: NodeId) -> None:
        """A node has stopped working."""
        with self._guard:
            self._gauges.pop(node, None)

    def readings(self) -> dict[NodeId, Reading]:
        """Every node at work."""
        with self._guard:
            return {
                node: Reading(started=gauge.started, done=gauge.done, total=gauge.total)
                for node, gauge in self._gauges.items()
            }
