"""The names that things go by, as distinct types."""

from __future__ import annotations

from functools import lru_cache
from typing import NewType

WorkflowId = NewType("WorkflowId", str)
RunId = NewType("RunId", str)
"""A UUIDv7 in its usual spelling: sorts by the time of the start."""
NodeId = NewType("NodeId", str)
ActivationId = NewType("ActivationId", str)
"""`<node>/<turn>`: one node asked to work once on one batch; the same over retries and redelivery."""
TicketId = NewType("TicketId", int)
WorkerId = NewType("WorkerId", int)
"""Random for each start of a process, so that an old incarnation is never taken for a new one."""
Head = NewType("Head", int)
"""64 random bits that name one revision of one run, made by whoever writes it."""

MAIN = "main"
"""The port of everything that declares no other."""
ERROR = "error"
"""The port that carries `Failure` items of a node with `on_error="port"`."""
AGAIN = "again"
"""The port of a gate through which items go round once more."""
START = NodeId("start")
"""The node that stands for what a run was given; its output is the run's input."""


def activation_id(node: NodeId, turn: int = 1) -> ActivationId:
    """The id of the `turn`-th time that `node` is asked to work in one run."""
    return ActivationId(f"{node}/{turn}")


@lru_cache(maxsize=4096)
def node_of(activation: ActivationId) -> NodeId:
    """The node that an activation belongs to."""
    return NodeId(activation.rpartition("/")[0])


def turn_of(activation: ActivationId) -> int:
    """Which time it is that the node is asked to work."""
    return int(activation.rpartition("/")[2])
