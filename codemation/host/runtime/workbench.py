"""What activations are worked on with: one bench for a process, and the code of each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codemation.core.engine import Engine
from codemation.core.ids import NodeId
from codemation.core.opening import OpenRun
from codemation.core.params import Params
from codemation.core.ports import NotebookRunner
from codemation.core.signature import NodeCode
from codemation.core.tables import Tables
from codemation.core.workflow import Workflow
from codemation.host.credentials import Credentials
from codemation.host.launching import decoded_params
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
    build: str = ""
    """What the names of its modules begin with, if they are those of a build."""

    @classmethod
    def of(cls, workflow: Workflow[Any, ...], run: OpenRun) -> RunCode:
        """The code that a run is worked on with.

        Raises:
            InputError: the params of the run do not fit (any more).
        """
        params = decoded_params(workflow, run.params)
        return cls(nodes=workflow.code, params=params, cache=not run.snapshot.fresh, build=workflow.build)
