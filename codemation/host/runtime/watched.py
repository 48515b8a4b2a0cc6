"""A run that a process works on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from codemation.core.ids import NodeId, TicketId
from codemation.core.opening import OpenRun
from codemation.core.ports import Claim
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.workbench import RunCode


@dataclass(slots=True)
class Watched:
    """A run that this process works on."""

    run: OpenRun
    code: RunCode
    digest: str
    """Of the definition that the code belongs to; a run that moves to another one is not worked on here any more."""
    limit: int
    """Activations at a time."""
    meter: Meter = field(default_factory=Meter)
    served: bool = False
    """Nobody waits for it here, so it is let go of when it is settled."""
    active: int = 0
    """Threads that work on it now."""
    looked_at: float = field(default_factory=time.monotonic)
    """When it was last looked for in the database, on the process's monotonic clock."""
    holding: dict[TicketId, Claim] = field(default_factory=dict)
    stop_at: float | None = None
    """When it was noticed that the run was asked to stop, on the process's monotonic clock."""
    pausing: bool = False
    error: BaseException | None = None
    """What broke the engine itself while it worked on this run."""
    errors: dict[NodeId, BaseException] = field(default_factory=dict)
    """What nodes have raised here, with their tracebacks."""

    def stop(self) -> bool:
        """Whether its nodes should give up."""
        return self.pausing or self.run.stopping

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen here."""
        return self.run.finished or self.error is not None or (self.stop() and not self.active)

    @property
    def has_room(self) -> bool:
        """Whether one more activation of it may be worked on."""
        return self.active < self.limit and not self.pausing
