"""How far the nodes of a run are, for those who watch: counts and times, held in memory only."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
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
        self._gauges: dict[NodeId, dict[int, _Gauge]] = {}

    def begin(self, node: NodeId, total: int | None, *, part: int = 0) -> None:
        """A node, or a part of its work, is begun."""
        with self._guard:
            self._gauges.setdefault(node, {})[part] = _Gauge(time.monotonic(), total)

    def move(self, node: NodeId, done: int, total: int | None = None, *, part: int = 0) -> None:
        """It has got so far."""
        with self._guard:
            gauge = self._gauges.get(node, {}).get(part)
            if gauge is not None:
                gauge.done, gauge.total = done, total or gauge.total

    def end(self, node: NodeId, *, part: int = 0) -> None:
        """Nobody works on it any more."""
        with self._guard:
            parts = self._gauges.get(node, {})
            parts.pop(part, None)
            if not parts:
                self._gauges.pop(node, None)

    def readings(self) -> dict[NodeId, Reading]:
        """Every node at work, all its parts together."""
        with self._guard:
            return {node: _reading(list(parts.values())) for node, parts in self._gauges.items()}


def _reading(gauges: Sequence[_Gauge]) -> Reading:
    totals = [gauge.total for gauge in gauges]
    known = [total for total in totals if total is not None]
    return Reading(
        started=min(gauge.started for gauge in gauges),
        done=sum(gauge.done for gauge in gauges),
        total=sum(known) if len(known) == len(totals) else None,
    )
