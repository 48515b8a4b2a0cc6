"""The latest that a run knows of one of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from codemation.core.ids import ActivationId
from codemation.core.items import EMPTY, Batch
from codemation.core.sealed import sealed
from codemation.core.signals import ErrorInfo
from codemation.core.states import NodeStatus


@sealed
class NodeRecord:
    """The latest that the run knows of a node."""

    status: NodeStatus
    activation: ActivationId
    attempt: int = 1
    outputs: Mapping[str, Batch] = field(default_factory=dict)
    error: ErrorInfo | None = None
    revision: int = 0
    """When this became so."""
    since: int = 0
    """The revision at which the activation became due for the first time."""
    milliseconds: int = 0
    items: int = 0
    failures: int = 0
    partial: Batch = EMPTY
    """Items that a per-item node had finished when it failed, for a resume to begin with."""
    how: str = ""
    """How it came to stand so if it was not executed here: `pinned`, `cached:<run>`, `run:<id>`; why it was skipped."""
