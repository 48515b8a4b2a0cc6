"""A run at a revision: the fold of its journal.

The owner of a snapshot applies deltas to it in place, which costs what the delta holds and not what the run holds.
Going back in time is folding less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from codemation.core.definition import NodeKind, Plan
from codemation.core.facts import (
    Answered,
    Began,
    Broke,
    Cancelling,
    Delta,
    Done,
    Due,
    Ended,
    Fact,
    Reopened,
    Retrying,
    Skipped,
    Waiting,
)
from codemation.core.ids import MAIN, START, ActivationId, NodeId, activation_id, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.record import NodeRecord
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import Answer, Wait


class Snapshot:
    """What a run knows at one revision; `apply` is the only thing that changes it."""

    __slots__ = (
        "answers",
        "cancelling",
        "delayed",
        "digest",
        "live",
        "missing",
        "nodes",
        "plan",
        "plans",
        "reason",
        "revision",
        "status",
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
        self.missing: dict[NodeId, int] = {node: len(before) for node, before in plan.awaits.items()}
        """How many of the nodes that a node waits for have not reported yet."""

    @classmethod
    def of(cls, plan: Plan, deltas: Iterable[Delta], plans: Callable[[str], Plan] | None = None) -> Snapshot:
        """The fold of a journal."""
        snapshot = cls(plan, plans)
        for delta in deltas:
            snapshot.apply(delta)
        return snapshot

    def fork(self) -> Snapshot:
        """A snapshot of its own that stands where this one stands."""
        other = Snapshot(self.plan, self.plans)
        for name in _COMPARED:
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, dict | set) else value)
        other.waits = {activation: dict(waits) for activation, waits in self.waits.items()}
        other.answers = {activation: dict(answers) for activation, answers in self.answers.items()}
        return other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def apply(self, delta: Delta) -> None:
        """Go on to the next revision."""
        self.revision += 1
        for fact in delta:
            self._apply(fact)
        if self.status in (RunStatus.RUNNING, RunStatus.WAITING):
            waiting = self.live and len(self.delayed) == len(self.live)
            self.status = RunStatus.WAITING if waiting else RunStatus.RUNNING

    def reported(self, node: NodeId) -> bool:
        """Whether the node has given what it will give."""
        record = self.nodes.get(node)
        return record is not None and record.status in (NodeStatus.SUCCEEDED, NodeStatus.SKIPPED)

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

    def _apply(self, fact: Fact) -> None:
        match fact:
            case Done():
                self._done(fact)
            case Due(activations=activations):
                for activation in activations:
                    self._due(activation)
            case Skipped(nodes=nodes):
                self._skip(nodes)
            case Began(input=batch):
                self.status = RunStatus.RUNNING
                given = {MAIN: _stored(batch, self.revision, MAIN)}
                self._note(START, status=NodeStatus.SUCCEEDED, activation=activation_id(START), outputs=given)
                self._report(START)
            case Retrying() | Waiting():
                self._delay(fact)
            case Answered(activation=activation, wait=wait, answer=answer):
                self.waits[activation].pop(wait)
                self.answers.setdefault(activation, {})[wait] = answer
            case Broke():
                self._broke(fact)
            case Cancelling() | Reopened() | Ended():
                _turn(self, fact)
            case _:
                assert_never(fact)

    def _skip(self, nodes: tuple[NodeId, ...]) -> None:
        for node in nodes:
            self._note(node, status=NodeStatus.SKIPPED, activation=activation_id(node))
            self._report(node)

    def _delay(self, fact: Retrying | Waiting) -> None:
        activation, attempt = fact.activation, fact.attempt
        self.live[activation] = attempt
        self.delayed.add(activation)
        if isinstance(fact, Waiting):
            self.waits[activation] = {wait.key: wait for wait in fact.waits}
        error = fact.error if isinstance(fact, Retrying) else None
        node, waits = node_of(activation), NodeStatus.WAITING
        kept = self._partial(node)
        self._note(node, status=waits, activation=activation, attempt=attempt, error=error, partial=kept)

    def _due(self, activation: ActivationId) -> None:
        self.live[activation] = 1
        self.delayed.discard(activation)
        self.waits.pop(activation, None)
        node = node_of(activation)
        self._note(node, status=NodeStatus.DUE, activation=activation, partial=self._partial(node))

    def _done(self, fact: Done) -> None:
        self._settle(fact.activation)
        self.answers.pop(fact.activation, None)
        node = node_of(fact.activation)
        self._note(
            node,
            status=NodeStatus.SUCCEEDED,
            activation=fact.activation,
            attempt=fact.attempt,
            outputs={port: _stored(batch, self.revision, port) for port, batch in fact.outputs.items()},
            milliseconds=fact.milliseconds,
            items=fact.items,
            failures=fact.failures,
        )
        self._report(node)

    def _broke(self, fact: Broke) -> None:
        self._settle(fact.activation)
        node = node_of(fact.activation)
        self._note(
            node,
            status=NodeStatus.FAILED,
            activation=fact.activation,
            attempt=fact.attempt,
            error=fact.error,
            milliseconds=fact.milliseconds,
            partial=fact.partial if fact.partial.size else self._partial(node),
        )

    def _partial(self, node: NodeId) -> Batch:
        record = self.nodes.get(node)
        return record.partial if record else EMPTY

    def _note(self, node: NodeId, **known: Any) -> None:
        self.nodes[node] = NodeRecord(revision=self.revision, **known)

    def _report(self, node: NodeId) -> None:
        for after in self.plan.followers.get(node, ()):
            self.missing[after] -= 1

    def _settle(self, activation: ActivationId) -> None:
        del self.live[activation]
        self.delayed.discard(activation)
        self.waits.pop(activation, None)


def _turn(run: Snapshot, fact: Cancelling | Reopened | Ended) -> None:
    """What befalls the run as a whole."""
    match fact:
        case Cancelling(reason=reason):
            run.cancelling, run.reason = True, reason
        case Ended(status=status, reason=reason):
            run.status, run.reason, run.cancelling = status, reason, False
            run.live.clear()  # after a cancel there may be some, and what they give is not wanted any more
            run.delayed.clear()
            run.waits.clear()
        case Reopened():
            _reopen(run, fact)
        case _:
            assert_never(fact)


def _reopen(run: Snapshot, fact: Reopened) -> None:
    run.status, run.reason, run.cancelling = RunStatus.RUNNING, "", False
    if fact.digest and run.plans:
        run.digest = fact.digest
        run.plan = run.plans(fact.digest)
        kept = [node for node in run.nodes if node in run.plan.nodes and run.reported(node)]
        run.nodes = {node: run.nodes[node] for node in kept}
        run.missing = {
            node: sum(not run.reported(source) for source in before) for node, before in run.plan.awaits.items()
        }
    _ask_again(run)


def _ask_again(run: Snapshot) -> None:
    """After a reopening: what was decided stays decided, and whoever let the time pass is asked anew.

    A plain wait is over once its time has come, and nothing answers what is asked of other items than before.
    """
    kept = {}
    for activation, answers in run.answers.items():
        node = run.plan.nodes.get(node_of(activation))
        if node is not None and not run.missing[node.id]:
            timed = node.kind is NodeKind.WAIT
            kept[activation] = {key: one for key, one in answers.items() if timed or one.reply != "fired"}
    run.answers = kept


def _stored(batch: Batch, revision: int, port: str) -> Batch:
    """A batch with bytes and no reference lies in the journal, at its revision."""
    if not batch.size or batch.ref:
        return batch
    return Batch(ref=f"j:{revision}:{port}", count=batch.count, kind=batch.kind, size=batch.size)


_COMPARED = (
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
)
