"""The kernel: what one signal does to a run.

Theory of operation. `advance` reads a snapshot and a signal and says, as a `Step`, which facts become true. It changes
nothing, knows no clock, no ids but derived ones, no I/O, and no data beyond the counts of batches. Whoever owns the
snapshot commits the step's delta to the journal first and applies it to the snapshot after; a lost race means reading
the journal's tail and asking again, which is safe because asking has no effect.

Readiness has one rule: a node is due when every node that it waits for has reported. A node has reported when it
succeeded or was skipped, and it is skipped when all its inputs are empty (unless it says `run_on_empty`, or a node that
ran and gave it nothing says `continue_when_empty`). Skipping reports at once, so dead paths are eliminated within the
step that finds them. The work of a step is proportional to the edges that leave what has reported, never to the graph.

A node that fails for good reports nothing: whatever stands on it stays where it is, everything else goes on, and the
run ends as failed when nothing is live. So a resume has the least to repeat.

A signal that comes late or twice is silence: `None`, no facts, no events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import assert_never

from codemation.core.definition import NodePlan
from codemation.core.facts import Began, Broke, Cancelling, Delta, Done, Due, Ended, Reopened, Retrying, Skipped
from codemation.core.ids import START, ActivationId, NodeId, activation_id, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.signals import (
    CancelRequested,
    ErrorInfo,
    Event,
    Failed,
    ItemsLeft,
    Lost,
    Resumed,
    Signal,
    Started,
    Stopped,
    Succeeded,
)
from codemation.core.snapshot import Snapshot
from codemation.core.states import FINISHED, NodeStatus, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one signal does: the facts to record, and what follows from them for whoever schedules."""

    delta: Delta
    due: tuple[ActivationId, ...] = ()
    """Newly due activations, by rank."""
    retry_in: float | None = None
    """The activation of the signal itself is tried again after so many seconds."""
    status: RunStatus = RunStatus.RUNNING
    """Of the run afterwards."""
    reason: str = ""
    events: tuple[Event, ...] = ()


def advance(snapshot: Snapshot, signal: Signal) -> Step | None:
    """What `signal` does to the run, or `None` when it does nothing because it is late, repeated or out of place."""
    match signal:
        case Succeeded():
            return _succeeded(snapshot, signal)
        case Failed():
            return _failed(snapshot, signal)
        case ItemsLeft():
            return _items_left(snapshot, signal)
        case Started():
            return _started(snapshot, signal)
        case Lost():
            return _lost(snapshot, signal)
        case CancelRequested():
            return _cancel_requested(snapshot, signal)
        case Stopped():
            return _stopped(snapshot)
        case Resumed():
            return _resumed(snapshot, signal)
        case _:
            assert_never(signal)


def _started(snapshot: Snapshot, signal: Started) -> Step | None:
    if snapshot.revision:
        return None
    began = Began(input=signal.input)
    return _settle(snapshot, (began,), START, {"main": signal.input}, (Event(kind="run_started"),))


def _succeeded(snapshot: Snapshot, signal: Succeeded) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    done = Done(
        activation=signal.activation,
        outputs=signal.outputs,
        attempt=signal.attempt,
        milliseconds=signal.milliseconds,
        items=signal.items,
        failures=signal.failures,
    )
    node = node_of(signal.activation)
    return _settle(snapshot, (done,), node, signal.outputs, (Event(kind="node_succeeded", node=node),))


def _failed(snapshot: Snapshot, signal: Failed) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    if signal.retry_in is not None:
        return _retrying(snapshot, signal.activation, signal.retry_in, signal.error)
    broke = Broke(
        activation=signal.activation,
        attempt=signal.attempt,
        error=signal.error,
        milliseconds=signal.milliseconds,
        partial=signal.partial,
    )
    return _broken(snapshot, broke)


def _items_left(snapshot: Snapshot, signal: ItemsLeft) -> Step | None:
    if not _current(snapshot, signal.activation, signal.attempt):
        return None
    return _retrying(snapshot, signal.activation, signal.retry_in, signal.error)


def _lost(snapshot: Snapshot, signal: Lost) -> Step | None:
    if snapshot.cancelling or signal.activation not in snapshot.live:
        return None
    error = ErrorInfo(
        type="Lost",
        message=f"the process that worked on it died {signal.times} times; it was taken out of service",
    )
    attempt = snapshot.live[signal.activation]
    return _broken(snapshot, Broke(activation=signal.activation, attempt=attempt, error=error))


def _cancel_requested(snapshot: Snapshot, signal: CancelRequested) -> Step | None:
    if snapshot.status in FINISHED or snapshot.cancelling or not snapshot.revision:
        return None
    return Step(
        delta=(Cancelling(who=signal.who, reason=signal.reason),),
        status=snapshot.status,
        events=(Event(kind="run_cancelling", detail={"who": signal.who, "reason": signal.reason}),),
    )


def _stopped(snapshot: Snapshot) -> Step | None:
    if not snapshot.cancelling:
        return None
    return _ended((), RunStatus.CANCELLED, snapshot.reason or "cancelled", ())


def _resumed(snapshot: Snapshot, signal: Resumed) -> Step | None:
    if snapshot.status not in (RunStatus.FAILED, RunStatus.CANCELLED):
        return None
    reopened = Reopened(who=signal.who, digest=signal.digest, was=signal.was)
    ahead = snapshot.fork()
    ahead.apply((reopened,))
    ready = [node for node, missing in ahead.missing.items() if not missing and not ahead.reported(node)]
    resumed = Event(kind="run_resumed", detail={"who": signal.who})
    return _settle_ready(_Beginning(snapshot=ahead, facts=(reopened,), events=(resumed,)), ready)


def _current(snapshot: Snapshot, activation: ActivationId, attempt: int) -> bool:
    """Whether a result for this attempt is still wanted."""
    return not snapshot.cancelling and snapshot.live.get(activation) == attempt


def _retrying(snapshot: Snapshot, activation: ActivationId, delay: float, error: ErrorInfo) -> Step:
    attempt = snapshot.live[activation]
    retrying = Retrying(activation=activation, attempt=attempt + 1, delay=delay, error=error)
    detail = {"attempt": attempt, "delay": delay, "error": error.message}
    return Step(
        delta=(retrying,),
        retry_in=delay,
        status=_unfinished(len(snapshot.live), len(snapshot.delayed | {activation})),
        events=(Event(kind="node_retrying", node=node_of(activation), detail=detail),),
    )


def _unfinished(live: int, delayed: int) -> RunStatus:
    return RunStatus.WAITING if live == delayed else RunStatus.RUNNING


def _left(snapshot: Snapshot, activation: ActivationId) -> tuple[int, int]:
    """How many activations are live, and how many of them delayed, when this one has ended."""
    return len(snapshot.live) - 1, len(snapshot.delayed) - (activation in snapshot.delayed)


def _broken(snapshot: Snapshot, broke: Broke) -> Step:
    node = node_of(broke.activation)
    event = Event(kind="node_failed", node=node, detail={"error": broke.error.message})
    live, delayed = _left(snapshot, broke.activation)
    if live:
        return Step(delta=(broke,), status=_unfinished(live, delayed), events=(event,))
    return _ended((broke,), RunStatus.FAILED, _failure_reason([*snapshot.failed(), node]), (event,))


def _failure_reason(nodes: list[NodeId]) -> str:
    names = ", ".join(f'"{node}"' for node in dict.fromkeys(nodes))
    return f"{names} failed"


def _ended(delta: Delta, status: RunStatus, reason: str, events: tuple[Event, ...]) -> Step:
    return Step(
        delta=(*delta, Ended(status=status, reason=reason)),
        status=status,
        reason=reason,
        events=(*events, Event(kind=f"run_{status.value}")),
    )


def _settle(
    snapshot: Snapshot, facts: Delta, node: NodeId, outputs: Mapping[str, Batch], events: tuple[Event, ...]
) -> Step:
    """What follows when `node` reports `outputs`."""
    missing = snapshot.missing
    after = snapshot.plan.followers.get(node, ())
    beginning = _Beginning(
        snapshot=snapshot,
        facts=facts,
        events=events,
        reported={node: outputs},
        missing={follower: missing[follower] - 1 for follower in after},
    )
    return _settle_ready(beginning, [follower for follower in after if missing[follower] == 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """What a step already knows when it looks for what follows."""

    snapshot: Snapshot
    facts: Delta
    events: tuple[Event, ...]
    reported: Mapping[NodeId, Mapping[str, Batch]] = field(default_factory=dict)
    missing: Mapping[NodeId, int] = field(default_factory=dict)


def _settle_ready(beginning: _Beginning, ready: Iterable[NodeId]) -> Step:
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
            if not missing[after]:
                heappush(queue, (plan.rank[after], after))
    return _step(beginning, due, skipped)


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


def _step(beginning: _Beginning, due: list[ActivationId], skipped: list[NodeId]) -> Step:
    snapshot, facts, events = beginning.snapshot, beginning.facts, beginning.events
    if skipped:
        facts = (*facts, Skipped(nodes=tuple(skipped)))
        events = (*events, *(Event(kind="node_skipped", node=node) for node in skipped))
    if due:
        events = (*events, *(Event(kind="node_due", node=node_of(activation)) for activation in due))
        return Step(delta=(*facts, Due(activations=tuple(due))), due=tuple(due), events=events)
    live, delayed = _left(snapshot, facts[0].activation) if isinstance(facts[0], Done) else (0, 0)
    if live:
        return Step(delta=facts, status=_unfinished(live, delayed), events=events)
    if failed := snapshot.failed():
        return _ended(facts, RunStatus.FAILED, _failure_reason(failed), events)
    return _ended(facts, RunStatus.SUCCEEDED, "", events)
