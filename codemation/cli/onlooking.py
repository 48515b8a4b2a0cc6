"""What is seen of a run while it runs: of one that this process works on from memory, of any other from the database.

News of the bus say when there is something to read; it is read now and then without any, for the last can be lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codemation.core.errors import CodemationError
from codemation.core.ids import ActivationId, NodeId, RunId, WorkflowId
from codemation.core.states import FINISHED
from codemation.host.overview import node_rows, nodes_now
from codemation.host.runtime.meter import Reading
from codemation.views.marks import NodeStatus
from codemation.views.runs import NodeRow

if TYPE_CHECKING:
    from codemation.core.ports import Subscription
    from codemation.core.snapshot import Snapshot
    from codemation.host.handles import RunHandle
    from codemation.host.runtime.scheduler import Watched

LOOK = 1.0
"""Seconds between two looks without any news."""
AT_MOST = 0.2
"""Seconds between two looks, whatever the news."""
_log = logging.getLogger("codemation.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A run as it stands now."""

    run: RunId
    workflow: WorkflowId
    rows: Sequence[NodeRow]
    readings: Mapping[NodeId, Reading]
    """The nodes that are worked on: since when, and how far they are, where that is known."""
    activations: Mapping[NodeId, ActivationId]
    """Which time it is that a node is, or was, worked on."""
    failing: frozenset[NodeId] = frozenset()
    """Nodes that have failed and are tried again."""
    pausing: bool = False


def sight_of(watched: Watched) -> Sight:
    """A run that this process works on."""
    # No lock: whoever holds it may be waiting for the database, and a display that is a moment late harms nobody.
    snapshot, readings = watched.run.snapshot.fork(), watched.meter.readings()
    nodes = snapshot.nodes.items()
    working = {record.activation: readings[node].done for node, record in nodes if node in readings}
    definition = watched.run.definition
    return Sight(
        run=watched.run.id,
        workflow=definition.workflow,
        rows=node_rows(definition, snapshot, working),
        readings=readings,
        activations=_activations(snapshot),
        failing=_failing(snapshot),
        pausing=bool(watched.pausing and watched.active),
    )


def _reading(row: NodeRow, started: float) -> Reading:
    """How far a node is that others work on; of how many is known where any item is finished."""
    if row.done is None:
        return Reading(started=started)
    return Reading(started=started, done=row.done, total=next(iter(row.items_in.values()), None))


def _activations(snapshot: Snapshot) -> dict[NodeId, ActivationId]:
    return {node: one.activation for node, one in snapshot.nodes.items()}


def _failing(snapshot: Snapshot) -> frozenset[NodeId]:
    return frozenset(node for node, one in snapshot.nodes.items() if one.error is not None)


@dataclass(slots=True)
class Onlooker:
    """Looks at a run that others work on, in a thread, until it is over or nobody wants to see any more."""

    handle: RunHandle
    """Its own, for nobody else may read by it."""
    show: Callable[[Sight], None]
    _began: dict[ActivationId, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _news: Subscription | None = None
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Look from now on."""
        self._thread = threading.Thread(target=self._watch, name="codemation-onlooker", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look a last time, and no more after that."""
        self._over.set()
        if self._news is not None:
            self._news.close()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        try:
            with self.handle.app.bus.subscribe(self.handle.id) as self._news:
                while not self._over.is_set() and self.handle.status not in FINISHED:
                    self.show(self.look())
                    self._news.next(LOOK)
                    self._over.wait(AT_MOST)
            self.show(self.look())
        except CodemationError as error:  # whoever waits for the run meets the same, and says it
            _log.info("no longer looking at run %s: %s", self.handle.id, error)

    def look(self) -> Sight:
        """The run as it stands now."""
        rows, snapshot = nodes_now(self.handle)
        now, known = time.monotonic(), _activations(snapshot)
        working = {row.id: known[row.id] for row in rows if row.status is NodeStatus.RUNNING}
        self._began = {one: self._began.get(one, now) for one in working.values()}
        return Sight(
            run=self.handle.id,
            workflow=self.handle.definition.workflow,
            rows=rows,
            readings={row.id: _reading(row, self._began[working[row.id]]) for row in rows if row.id in working},
            activations=known,
            failing=_failing(snapshot),
        )
