"""A run at a revision: the fold of its journal.

The owner of a snapshot applies deltas to it in place, which costs what the delta holds and not what the run holds.
Going back in time is folding less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

from codemation.core.definition import Plan
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
from codemation.core.ids import AGAIN, MAIN, START, ActivationId, activation_id, node_of
from codemation.core.items import EMPTY
from codemation.core.knowledge import COMPARED, recorded_at
from codemation.core.rearrangement import Rearrangement
from codemation.core.record import NodeRecord
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import again, left


class Snapshot(Rearrangement):
    """What a run knows at one revision; `apply` is the only thing that changes it."""

    __slots__ = ()

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
        for name in COMPARED:
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, dict | set) else value)
        other.waits = {activation: dict(waits) for activation, waits in self.waits.items()}
        other.answers = {activation: dict(answers) for activation, answers in self.answers.items()}
        return other

    def apply(self, delta: Delta) -> None:
        """Go on to the next revision."""
        self.revision += 1
        for fact in delta:
            self._apply(fact)
        if self.status in (RunStatus.RUNNING, RunStatus.WAITING):
            waiting = self.live and len(self.delayed) == len(self.live)
            self.status = RunStatus.WAITING if waiting else RunStatus.RUNNING

    def _apply(self, fact: Fact) -> None:
        match fact:
            case Done():
                self._done(fact)
            case Due(activations=activations):
                for activation in activations:
                    self._due(activation)
            case Skipped():
                self._skip(fact)
            case Began():
                self._begin(fact)
            case Retrying() | Waiting():
                self._delay(fact)
            case Answered(activation=activation, wait=wait, answer=answer):
                self.waits[activation].pop(wait)
                self.answers.setdefault(activation, {})[wait] = answer
            case Broke():
                self._broke(fact)
            case Cancelling() | Reopened() | Ended():
                self._turn(fact)
            case _:
                self._stand(fact)

    def _begin(self, fact: Began) -> None:
        self.status, self.session, self.source = RunStatus.RUNNING, fact.session, fact.source
        self.limits, self.parent, self.depth = fact.limits, fact.parent, fact.depth
        self.fresh = fact.fresh
        given = {MAIN: self._stored(MAIN, fact.input)}
        self._note(START, status=NodeStatus.SUCCEEDED, activation=activation_id(START), outputs=given)
        self._report(START)

    def _skip(self, fact: Skipped) -> None:
        for node in fact.nodes:
            self._note(node, status=NodeStatus.SKIPPED, activation=activation_id(node, self.turn(node)), how=fact.why)
            self._report(node)
            self.stale.discard(node)
        if fact.why:
            self.closed.update(fact.nodes)

    def _turn(self, fact: Cancelling | Reopened | Ended) -> None:
        """What befalls the run as a whole."""
        match fact:
            case Cancelling(reason=reason):
                self.cancelling, self.reason = True, reason
            case Ended(status=status, reason=reason):
                self.status, self.reason, self.cancelling = status, reason, False
                self.live.clear()  # after a cancel there may be some, and what they give is not wanted any more
                self.delayed.clear()
                for activation, waits in self.waits.items():
                    if children := left(waits):
                        self.answers[activation] = self.answers.get(activation, {}) | children
                self.waits.clear()
            case Reopened():
                self._reopen(fact)
            case _:
                assert_never(fact)

    def _delay(self, fact: Retrying | Waiting) -> None:
        activation, attempt = fact.activation, fact.attempt
        self.live[activation] = attempt
        self.delayed.add(activation)
        if isinstance(fact, Waiting):
            self.waits[activation] = {wait.key: wait for wait in fact.waits}
        elif activation in self.answers:
            answers = self.answers[activation]
            self.answers[activation] = {key: again(answer) for key, answer in answers.items()}
        error = fact.error if isinstance(fact, Retrying) else None
        node, waits = node_of(activation), NodeStatus.WAITING
        kept = self._partial(node)
        since = self.nodes[node].since
        self._note(node, status=waits, activation=activation, attempt=attempt, error=error, partial=kept, since=since)

    def _due(self, activation: ActivationId) -> None:
        self.live[activation] = 1
        self.activations += 1
        self.delayed.discard(activation)
        self.waits.pop(activation, None)
        node, revision = node_of(activation), self.revision
        self.nodes[node] = NodeRecord(
            status=NodeStatus.DUE,
            activation=activation,
            revision=revision,
            since=revision,
            partial=self._partial(node),
        )

    def _settle(self, activation: ActivationId) -> None:
        del self.live[activation]
        self.delayed.discard(activation)
        self.waits.pop(activation, None)

    def _done(self, fact: Done) -> None:
        self._settle(fact.activation)
        self.answers.pop(fact.activation, None)
        node = node_of(fact.activation)
        revision = self.revision
        self.nodes[node] = NodeRecord(
            status=NodeStatus.SUCCEEDED,
            activation=fact.activation,
            attempt=fact.attempt,
            outputs={port: recorded_at(revision, port, batch) for port, batch in fact.outputs.items()},
            revision=revision,
            milliseconds=fact.milliseconds,
            items=fact.items,
            failures=fact.failures,
            how=fact.how,
        )
        self.stale.discard(node)
        if node in self.plan.loops and fact.outputs.get(AGAIN, EMPTY).count:
            self._go_round(node)
        else:
            self.rounds.pop(node, None)
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
