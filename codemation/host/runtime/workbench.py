"""What activations are worked on with: one bench for a process, and the code of each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codemation.core.engine import Engine
from codemation.core.ids import NodeId
from codemation.core.names import build_of_any
from codemation.core.params import Params
from codemation.core.ports import NotebookRunner
from codemation.core.signature import NodeCode
from codemation.core.tables import Tables
from codemation.host.credentials import Credentials
from codemation.host.runtime.calling import Loop
from codemation.host.runtime.clock import REAL, Clock
from codemation.host.runtime.recent import Recent
from codemation.host.runtime.resources import Resources
from codemation.host.runtime.saying import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What every activation needs; one for a process."""

    engine: Engine
    tables: Tables
    loop: Loop
    recent: Recent
    credentials: Credentials
    resources: Resources
    notebooks: NotebookRunner
    clock: Clock = REAL
    listening: Listening = field(default_factory=Listening)

    def close(self) -> None:
        """Close what was opened for the nodes."""
        self.listening.close()
        self.resources.close()
        self.loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCode:
    """The code of a run's definition, and the params that the run was started with."""

    nodes: Mapping[NodeId, NodeCode]
    params: Params | None
    cache: bool = True
    """Whether nodes may take what another run has given."""
    build: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "build", build_of_any(code.function for code in self.nodes.values()))
