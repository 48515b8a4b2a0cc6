"""How far the nodes of a run are, for those who watch: counts and times, held in memory only."""

from __future__ import annotations

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
    """The nodes of one run that this process works on now.

    Nothing is guarded: each method does one thing to a dictionary, which threads of Python do one after the other.
    """

    def __init__(self) -> None:
        self._gauges: dict[tuple[NodeId, int], _Gauge] = {}

    def begin(self, node: NodeId, total: int | None, *, part: int = 0) -> None:
        """A node, or a part of its work, is begun."""
        self._gauges[node, part] = _Gauge(time.monotonic(), total)

    def move(self, node: NodeId, done: int, total: int | None = None, *, part: int = 0) -> None:
        """It has got so far."""
        gauge = self._gauges.get((node, part))
        if gauge is not None:
            gauge.done, gauge.total = done, total or gauge.total

    def end(self, node: NodeId, *, part: int = 0) -> None:
        """Nobody works on it any more."""
        self._gauges.pop((node, part), None)

    def readings(self) -> dict[NodeId, Reading]:
        """Every node at work, all its parts together."""
        parts: dict[NodeId, list[_Gauge]] = {}
        for (node, _), gauge in list(self._gauges.items()):
            parts.setdefault(node, []).append(gauge)
        return {node: _reading(gauges) for node, gauges in parts.items()}


def _reading(gauges: Sequence[_Gauge]) -> Reading:
    totals = [gauge.total for gauge in gauges]
    known = [total for total in totals if total is not None]
    return Reading(
        started=min(gauge.started for gauge in gauges),
        done=sum(gauge.done for gauge in gauges),
        total=sum(known) if len(known) == len(totals) else None,
    )
