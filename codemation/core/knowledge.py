"""What a run knows at one revision, as it can be asked and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codemation.core.definition import Plan
from codemation.core.ids import MAIN, ActivationId, NodeId, turn_of
from codemation.core.items import EMPTY, Batch
from codemation.core.limits import UNLIMITED
from codemation.core.record import NodeRecord
from codemation.core.rounds import Rounds, opening, owed
from codemation.core.standing import Pinned
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import Answer, Wait


class Knowledge:
    """What a run knows; its owner alone changes it."""

    __slots__ = (
        "activations",
        "answers",
        "cancelling",
        "closed",
        "delayed",
        "depth",
        "digest",
        "fresh",
        "limits",
        "live",
        "missing",
        "nodes",
        "parent",
        "pins",
        "plan",
        "plans",
        "reason",
        "revision",
        "rounds",
        "session",
        "source",
        "stale",
        "status",
        "turns",
        "waits",
    )

    def __init__(self, plan: Plan, plans: Callable[[str], Plan] | None = None) -> None:
        self.plan = plan
        self.plans = plans
        """Finds the plan of another definition, for runs that move to one."""
        self.revision = 0
        self.status = RunStatus.QUEUED
        self.reason = ""
        self.cancelling = False
        self.digest = ""
        """Of the definition that the run has moved to; empty while it keeps its first."""
        self.nodes: dict[NodeId, NodeRecord] = {}
        self.live: dict[ActivationId, int] = {}
        """Activations that are due or wait for another try, with the number of the coming or current attempt."""
        self.delayed: set[ActivationId] = set()
        """Those of `live` that wait: for their next try, or for the world."""
        self.waits: dict[ActivationId, dict[str, Wait]] = {}
        """What each suspended activation waits for still, by the key of the wait."""
        self.answers: dict[ActivationId, dict[str, Answer]] = {}
        """What the world has answered to activations that have not given their outputs yet, by the key of the wait."""
        self.missing: dict[NodeId, int] = dict(plan.owing)
        """How many of the nodes that a node waits for have not reported yet."""
        self.limits = UNLIMITED
        """What the run may use at the most."""
        self.activations = 0
        """How many activations have become due, since it was reopened if it was."""
        self.turns: dict[NodeId, int] = {}
        """Which time it is that a node works, or will work next, where it is not the first."""
        self.rounds: dict[NodeId, Rounds] = {}
        """The loops that are under way, by gate."""
        self.session, self.fresh = False, False
        """It goes on only when somebody says so, and may go back; and nothing is taken from other runs."""
        self.source, self.parent, self.depth = "", "", 0
        """The run that it replays; of a child, the wait that its end answers, and how many runs stand above it."""
        self.pins: dict[NodeId, Pinned] = {}
        """What nodes give without being executed."""
        self.closed: set[NodeId] = set()
        """Nodes that are never due, whatever reaches them: pinned, or not asked for."""
        self.stale: set[NodeId] = set()
        """Nodes whose outputs were taken back, and that have not given any since."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Knowledge) and all(getattr(self, name) == getattr(other, name) for name in COMPARED)

    __hash__ = None  # type: ignore[assignment]  # mutable

    @property
    def at_rest(self) -> bool:
        """Whether only the world can bring the run further: all that is live waits for it."""
        return bool(self.waits) and self.live.keys() <= self.waits.keys()

    def reported(self, node: NodeId) -> bool:
        """Whether the node has given what it will give, within the turn that it is in."""
        record = self.nodes.get(node)
        if record is None or record.status not in (NodeStatus.SUCCEEDED, NodeStatus.SKIPPED):
            return False
        return node not in self.turns or node in self.closed or turn_of(record.activation) == self.turns[node]

    def turn(self, node: NodeId) -> int:
        """Which time it is that the node works, or will work next."""
        return self.turns.get(node, 1)

    def outputs(self, node: NodeId) -> Mapping[str, Batch]:
        """What a node has given, by port."""
        record = self.nodes.get(node)
        return record.outputs if record else {}

    def output(self, node: NodeId, port: str) -> Batch:
        """What a port held; empty when nothing was given there."""
        return self.outputs(node).get(port, EMPTY)

    def failed(self) -> list[NodeId]:
        """The nodes that failed for good, by rank."""
        broken = [node for node, record in self.nodes.items() if record.status is NodeStatus.FAILED]
        return sorted(broken, key=self.plan.rank.__getitem__)

    def _stored(self, port: str, batch: Batch) -> Batch:
        return recorded_at(self.revision, port, batch)

    def _partial(self, node: NodeId) -> Batch:
        record = self.nodes.get(node)
        return record.partial if record else EMPTY

    def _note(self, node: NodeId, **known: Any) -> None:
        known["revision"] = self.revision
        self.nodes[node] = NodeRecord(**known)

    def _report(self, node: NodeId) -> None:
        for after in self.plan.heard_by(node, self.rounds):
            self.missing[after] -= 1

    def _go_round(self, gate: NodeId) -> None:
        missing, turns = opening(self, gate)
        self.missing |= missing
        self.turns |= turns
        self.rounds[gate] = self.rounds.get(gate, Rounds()).begun(self.output(gate, MAIN))

    def _count_missing(self) -> None:
        self.missing = {node: owed(self, node) for node in self.plan.nodes}


def recorded_at(revision: int, port: str, batch: Batch) -> Batch:
    """What a port was given, as it is known once it is recorded: with bytes and no reference it lies in the journal."""
    if not batch.size or batch.ref:
        return batch
    return Batch(ref=f"j:{revision}:{port}", count=batch.count, kind=batch.kind, size=batch.size)


COMPARED = (
    "revision",
    "status",
    "reason",
    "cancelling",
    "digest",
    "nodes",
    "live",
    "delayed",
    "waits",
    "answers",
    "missing",
    "limits",
    "activations",
    "turns",
    "rounds",
    "session",
    "source",
    "parent",
    "depth",
    "fresh",
    "pins",
    "closed",
    "stale",
)
"""What two snapshots are compared by."""
