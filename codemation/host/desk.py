"""What a worker of the fleet asks of its app: what it serves, whose code it has, how inboxes are folded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from codemation.core.errors import CodemationError, HostError, StoreUnavailable
from codemation.core.ids import WorkerId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim, Hint, Lane
from codemation.core.workflow import Workflow
from codemation.host.fleet import Fleet
from codemation.host.runtime.visiting import ODD, CodeMissing
from codemation.host.runtime.workbench import RunCode

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a worker of the fleet takes on."""

    slots: int = 1
    """Activations at a time."""
    queues: tuple[str, ...] = ("default",)
    name: str = ""
    """What people call it; by default machine and process."""
    beaten: Callable[[WorkerId], None] = lambda worker: None
    """Told of each sign of life."""


class WorkerDesk:
    """Serves queues for all definitions whose code is at hand."""

    def __init__(self, app: App, fleet: Fleet, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)
        self._app = app
        self._fleet = fleet
        self._of: frozenset[str] = frozenset()
        self._lanes: tuple[Lane, ...] = ()
        self._pooled = False

    def lanes(self) -> Sequence[Lane]:
        """Each queue for each definition."""
        digests = self._app.code.digests()
        if digests != self._of:
            pairs = product(sorted(digests), self._queues)
            self._lanes = tuple(Lane(queue=queue, digest=digest) for digest, queue in pairs)
            self._pooled = any(self._names_a_pool(one) for one in digests - self._of) or self._pooled
            self._of = digests
        return self._lanes

    def _names_a_pool(self, digest: str) -> bool:
        """Whether a node of a definition needs a slot; what nobody has run is not loaded to find that out."""
        try:
            definition = self._app.engine.opener.definition(digest)
        except StoreUnavailable:
            raise
        except HostError:  # it is stored when its first run is
            workflow = self._app.known(digest)
            return workflow is not None and any(node.policy.pool for node in workflow.definition.nodes)
        return any(node.policy.pool for node in definition.nodes)

    def needs_slots(self) -> bool:
        """Whether a node of these definitions names a pool."""
        return self._pooled

    def code(self, run: OpenRun) -> RunCode:
        """The code of a run, and its params."""
        workflow: Workflow[Any, ...] | None = self._app.known(run.definition.digest)
        if workflow is None:
            raise CodeMissing(run.definition.digest)
        return RunCode.of(workflow, run)

    def fold(self, claim: Claim) -> None:
        """Fold an inbox; one that cannot be read is left for later, and stops no other."""
        try:
            self._app.caretaker.fold_one(claim)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            said = error.message if isinstance(error, CodemationError) else f"{type(error).__name__}: {error}"
            _log.error("the inbox of run %s could not be folded and is left for %.0f s: %s", claim.run, ODD, said)
            self._app.engine.persist(self._app.stores.tickets.postpone, claim.holding, ODD)

    def dispatch(self, hints: Sequence[Hint]) -> None:
        """Let the fleet know of tickets."""
        self._fleet.scheduler.dispatch(hints)

    def rouse(self) -> None:
        """Let somebody of each queue look, since nobody knows who is waiting."""
        self._fleet.rouse()

    def is_alone(self) -> bool:
        """Whether no hints come through."""
        return self._fleet.scheduler.is_away()

    def is_mixed(self) -> bool:
        """Whether other workers have code that is not at hand here."""
        return self._fleet.crews.is_mixed(self._of)

    def look(self) -> None:
        """Look for what no hint tells of: failures that something of ours follows."""
        self._app.lookout.followers.look()
