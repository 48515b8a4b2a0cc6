"""What follows in a run when a node reports, breaks, or nothing is left to do.

Readiness has one rule: a node is due when every node that it waits for has reported. A node has reported when it
succeeded or was skipped, and it is skipped when all its inputs are empty (unless it says `run_on_empty`, or a node that
ran and gave it nothing says `continue_when_empty`). Skipping reports at once, so dead paths are eliminated within the
step that finds them. The work of a step is proportional to the edges that leave what has reported, never to the graph.

A node that fails for good reports nothing: whatever stands on it stays where it is, everything else goes on, and the
run ends as failed when nothing is live. So a resume has the least to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from codemation.core.definition import NodePlan
from codemation.core.facts import Began, Broke, Delta, Done, Due, Ended, Skipped
from codemation.core.ids import ActivationId, NodeId, activation_id, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.signals import Event
from codemation.core.snapshot import Snapshot
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one signal does: the facts to record, and what follows from them for whoever schedules."""

    delta: Delta
    due: tuple[ActivationId, ...] = ()
    """Newly due activations, by rank."""
    waits: tuple[Wait, ...] = ()
    """What the activation of the signal waits for from now on."""
    retry_in: float | None = None
    """The activation of the signal itself is tried again after so many seconds."""
    status: RunStatus = RunStatus.RUNNING
    """Of the run afterwards."""
    reason: str = ""
    events: tuple[Event, ...] = ()


def unfinished(live: int, delayed: int) -> RunStatus:
    """Where a run stands with so many live activations of which so many wait."""
    return RunStatus.WAITING if live == delayed else RunStatus.RUNNING


def _left(snapshot: Snapshot, activation: ActivationId) -> tuple[int, int]:
    """How many activations are live, and how many of them delayed, when this one has ended."""
    return len(snapshot.live) - 1, len(snapshot.delayed) - (activation in snapshot.delayed)


def broken(snapshot: Snapshot, broke: Broke) -> Step:
    """What follows when an activation has failed for good."""
    node = node_of(broke.activation)
    event = Event(kind="node_failed", node=node, detail={"error": broke.error.message})
    live, delayed = _left(snapshot, broke.activation)
    if live:
        return Step(delta=(broke,), status=unfinished(live, delayed), events=(event,))
    return ended((broke,), RunStatus.FAILED, _failure_reason([*snapshot.failed(), node]), (event,))


def _failure_reason(nodes: list[NodeId]) -> str:
    names = ", ".join(f'"{node}"' for node in dict.fromkeys(nodes))
    return f"{names} failed"


def ended(delta: Delta, status: RunStatus, reason: str, events: tuple[Event, ...]) -> Step:
    """The step that ends the run."""
    return Step(
        delta=(*delta, Ended(status=status, reason=reason)),
        status=status,
        reason=reason,
        events=(*events, Event(kind=f"run_{status.value}")),
    )


def settle(
    snapshot: Snapshot, facts: Delta, node: NodeId, outputs: Mapping[str, Batch], events: tuple[Event, ...]
) -> Step:
    """What follows when `node` reports `outputs`."""
    missing = snapshot.missing
    after = snapshot.plan.followers.get(node, ())
    beginning = Beginning(
        snapshot=snapshot,
        facts=facts,
        events=events,
        reported={node: outputs},
        missing={follower: missing[follower] - 1 for follower in after},
    )
    closed = snapshot.closed
    return settle_ready(beginning, [one for one in after if missing[one] == 1 and one not in closed])


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a step already knows when it looks for what follows."""

    snapshot: Snapshot
    facts: Delta
    events: tuple[Event, ...]
    reported: Mapping[NodeId, Mapping[str, Batch]] = field(default_factory=dict)
    missing: Mapping[NodeId, int] = field(default_factory=dict)


def settle_ready(beginning: Beginning, ready: Iterable[NodeId]) -> Step:
    """Make due or skip the nodes that are ready, in order of rank, until nothing more follows."""
    snapshot, plan = beginning.snapshot, beginning.snapshot.plan
    missing = dict(beginning.missing)
    reported: dict[NodeId, Mapping[str, Batch] | None] = dict(beginning.reported)
    due: list[ActivationId] = []
    skipped: list[NodeId] = []
    queue = [(plan.rank[node], node) for node in ready]
    heapify(queue)

    while queue:
        _, node = heappop(queue)
        if _has_work(plan.nodes[node], snapshot, reported):
            due.append(activation_id(node))
            continue
        skipped.append(node)
        reported[node] = None
        for after in plan.followers.get(node, ()):
            missing[after] = missing.get(after, snapshot.missing[after]) - 1
            if not missing[after] and after not in snapshot.closed:
                heappush(queue, (plan.rank[after], after))
    return _step(beginning, due, skipped)


def go_on(ahead: Snapshot, facts: Delta, event: Event) -> Step:
    """What follows when a run goes on that already stands where `ahead` does, thanks to these facts."""
    ready = [node for node, missing in ahead.missing.items() if not (missing or ahead.reported(node))]
    return settle_ready(Beginning(snapshot=ahead, facts=facts, events=(event,)), ready)


def _has_work(node: NodePlan, snapshot: Snapshot, reported: Mapping[NodeId, Mapping[str, Batch] | None]) -> bool:
    """Whether the node runs or is skipped. `reported` holds what this step adds; `None` for what it skips."""
    if node.policy.run_on_empty:
        return True
    for given in node.inputs:
        for source in given.sources:
            record = snapshot.nodes.get(source.node)
            before = record.outputs if record and record.status is NodeStatus.SUCCEEDED else None
            outputs = reported.get(source.node, before)
            if outputs is None:
                continue
            if outputs.get(source.port, EMPTY).count or snapshot.plan.nodes[source.node].policy.continue_when_empty:
                return True
    return False


def _step(beginning: Beginning, due: list[ActivationId], skipped: list[NodeId]) -> Step:
    snapshot, facts, events = beginning.snapshot, beginning.facts, beginning.events
    if skipped:
        facts = (*facts, Skipped(nodes=tuple(skipped)))
        events = (*events, *(Event(kind="node_skipped", node=node) for node in skipped))
    if due and (reason := _too_many(beginning, due)):
        return ended(facts, RunStatus.FAILED, reason, events)
    if due:
        events = (*events, *(Event(kind="node_due", node=node_of(activation)) for activation in due))
        return Step(delta=(*facts, Due(activations=tuple(due))), due=tuple(due), events=events)
    live, delayed = _left(snapshot, facts[0].activation) if isinstance(facts[0], Done) else (0, 0)
    if live:
        return Step(delta=facts, status=unfinished(live, delayed), events=events)
    if failed := snapshot.failed():
        return ended(facts, RunStatus.FAILED, _failure_reason(failed), events)
    return ended(facts, RunStatus.SUCCEEDED, "", events)


def _too_many(beginning: Beginning, due: Sequence[ActivationId]) -> str:
    """Why a run may not go on with these; nothing if it may."""
    snapshot, first = beginning.snapshot, beginning.facts[0]
    most = (first.limits if isinstance(first, Began) else snapshot.limits).activations
    if most is None or snapshot.activations + len(due) <= most:
        return ""
    return f'it may ask nodes to work {most:,} times, and "{node_of(due[0])}" would be the next'
