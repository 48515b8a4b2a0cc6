"""What follows in a run when a node reports, breaks, or nothing is left to do.

Readiness has one rule: a node is due when every node that it waits for has reported. A node has reported when it
succeeded or was skipped, and it is skipped when all its inputs are empty (unless it says `run_on_empty`, or a node that
ran and gave it nothing says `continue_when_empty`). Skipping reports at once, so dead paths are eliminated within the
step that finds them. The work of a step is proportional to the edges that leave what has reported, never to the graph.

A gate that lets items go round makes the nodes of its loop wait for one another anew, which is the work of that step;
it reports to the nodes behind the loop once, when nothing goes round any more.

A node that fails for good reports nothing: whatever stands on it stays where it is, everything else goes on, and the
run ends as failed when nothing is live. So a resume has the least to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from msgspec import Struct, field

from codemation.core.facts import Began, Broke, Delta, Done, Due, Ended, Fact, Skipped
from codemation.core.ids import AGAIN, ActivationId, NodeId, activation_id, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.rounds import opening
from codemation.core.sealed import sealed
from codemation.core.signals import Event
from codemation.core.snapshot import Snapshot
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import Wait


@sealed
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
    reported: dict[NodeId, Mapping[str, Batch] | None] = {node: outputs}
    after = _only_follower(snapshot, node)
    if after is not None and _has_work(after, snapshot, reported):  # as nearly always, and then nothing else follows
        return _begun(snapshot, facts, events, [activation_id(after, snapshot.turn(after))])
    beginning = Beginning(snapshot=snapshot, facts=facts, events=events, reported=reported)
    loop = snapshot.plan.loops.get(node)
    if loop is not None and outputs.get(AGAIN, EMPTY).count:
        beginning.missing, beginning.turns = opening(snapshot, node)
        beginning.opened = (node,)
        return settle_ready(beginning, beginning.ready((node, *loop.body)))
    if loop is not None and node not in snapshot.rounds:
        beginning.skip_all(loop.body)
    return settle_ready(beginning, beginning.report(node))


def _only_follower(snapshot: Snapshot, node: NodeId) -> NodeId | None:
    """The one node that is ready when `node` has reported, where it is seen at once that there is just this one."""
    followers = snapshot.plan.followers.get(node, ())
    if len(followers) != 1 or snapshot.plan.loops:
        return None
    (after,) = followers
    waits = snapshot.missing[after] == 1 and after not in snapshot.closed and not snapshot.reported(after)
    return after if waits else None


class Beginning(Struct, kw_only=True):
    """What a step knows of what follows, while it looks for more."""

    snapshot: Snapshot
    facts: Delta
    events: tuple[Event, ...]
    reported: dict[NodeId, Mapping[str, Batch] | None] = field(default_factory=dict)
    """What this step adds to what has been given; `None` for a node that it skips."""
    missing: dict[NodeId, int] = field(default_factory=dict)
    turns: dict[NodeId, int] = field(default_factory=dict)
    """Of the nodes that a gate lets work once more in this step."""
    opened: tuple[NodeId, ...] = ()
    """That gate."""
    skipped: list[NodeId] = field(default_factory=list)

    def report(self, node: NodeId) -> list[NodeId]:
        """The nodes that are ready when `node` has reported."""
        missing, plan = self.missing, self.snapshot.plan
        heard = plan.heard_by(node, (*self.snapshot.rounds, *self.opened) if plan.loops else ())
        for after in heard:
            missing[after] = missing.get(after, self.snapshot.missing[after]) - 1
        return self.ready(heard)

    def ready(self, nodes: Iterable[NodeId]) -> list[NodeId]:
        """Those of the nodes that wait for nobody any more, and do not stand as done already, as in a replay."""
        closed, missing = self.snapshot.closed, self.missing
        return [node for node in nodes if not (node in closed or missing[node] or self._stands(node))]

    def _stands(self, node: NodeId) -> bool:
        """Whether a node has given what it will give, unless a gate lets it work once more in this step."""
        return not (node in self.turns or node in self.opened) and self.snapshot.reported(node)

    def skip_all(self, nodes: Iterable[NodeId]) -> None:
        """Skip nodes that nothing has reached or will reach."""
        for node in nodes:
            self.skipped.append(node)
            self.reported[node] = None

    def activation(self, node: NodeId) -> ActivationId:
        """The activation of a node that is due now."""
        return activation_id(node, self.turns.get(node) or self.snapshot.turn(node))


def settle_ready(beginning: Beginning, ready: Iterable[NodeId]) -> Step:
    """Make due or skip the nodes that are ready, in order of rank, until nothing more follows."""
    snapshot, plan = beginning.snapshot, beginning.snapshot.plan
    due: list[ActivationId] = []
    queue = [(plan.rank[node], node) for node in ready]
    heapify(queue)

    while queue:
        _, node = heappop(queue)
        if node in snapshot.rounds or node in beginning.opened or _has_work(node, snapshot, beginning.reported):
            due.append(beginning.activation(node))
            continue
        beginning.skip_all([node, *(plan.loops[node].body if node in plan.loops else ())])
        for after in beginning.report(node):
            heappush(queue, (plan.rank[after], after))
    return _step(beginning, due)


def go_on(ahead: Snapshot, facts: Delta, event: Event) -> Step:
    """What follows when a run goes on that already stands where `ahead` does, thanks to these facts."""
    ready = [node for node, missing in ahead.missing.items() if not (missing or ahead.reported(node))]
    return settle_ready(Beginning(snapshot=ahead, facts=facts, events=(event,)), ready)


def _has_work(node: NodeId, snapshot: Snapshot, reported: Mapping[NodeId, Mapping[str, Batch] | None]) -> bool:
    """Whether the node runs or is skipped. `reported` holds what this step adds; `None` for what it skips."""
    nodes = snapshot.plan.nodes
    for source in snapshot.plan.entering[node]:
        outputs = reported[source.node] if source.node in reported else _given(snapshot, source.node)
        if outputs is None:
            continue
        if outputs.get(source.port, EMPTY).count or nodes[source.node].policy.continue_when_empty:
            return True
    return nodes[node].policy.run_on_empty


def _given(snapshot: Snapshot, node: NodeId) -> Mapping[str, Batch] | None:
    """What a node has given before, if it has succeeded."""
    record = snapshot.nodes.get(node)
    return record.outputs if record and record.status is NodeStatus.SUCCEEDED else None


def _step(beginning: Beginning, due: list[ActivationId]) -> Step:
    snapshot, facts, events, skipped = beginning.snapshot, beginning.facts, beginning.events, beginning.skipped
    if skipped:
        facts = (*facts, Skipped(nodes=tuple(skipped)))
        events = (*events, *(Event(kind="node_skipped", node=node) for node in skipped))
    if due:
        return _begun(snapshot, facts, events, due)
    live, delayed = _left(snapshot, facts[0].activation) if isinstance(facts[0], Done) else (0, 0)
    if live:
        return Step(delta=facts, status=unfinished(live, delayed), events=events)
    if failed := snapshot.failed():
        return ended(facts, RunStatus.FAILED, _failure_reason(failed), events)
    return ended(facts, RunStatus.SUCCEEDED, "", events)


def _begun(snapshot: Snapshot, facts: Delta, events: tuple[Event, ...], due: Sequence[ActivationId]) -> Step:
    """The step that asks these nodes to work, unless the run may not go on with them."""
    if reason := _too_many(snapshot, facts[0], due):
        return ended(facts, RunStatus.FAILED, reason, events)
    activations = tuple(due)
    events = (*events, *[Event(kind="node_due", node=node_of(activation)) for activation in due])
    return Step(delta=(*facts, Due(activations=activations)), due=activations, events=events)


def _too_many(snapshot: Snapshot, first: Fact, due: Sequence[ActivationId]) -> str:
    """Why a run may not go on with these; nothing if it may."""
    most = (first.limits if isinstance(first, Began) else snapshot.limits).activations
    if most is None or snapshot.activations + len(due) <= most:
        return ""
    return f'it may ask nodes to work {most:,} times, and "{node_of(due[0])}" would be the next'
