"""What becomes of a run's knowledge when a run goes on anew, goes back, or is told what stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from codemation.core.definition import NodeKind
from codemation.core.facts import Reopened
from codemation.core.ids import NodeId, activation_id, node_of
from codemation.core.knowledge import Knowledge
from codemation.core.standing import PINNED, Cleared, Pinned, Standing, Taken, Unpinned
from codemation.core.states import NodeStatus, RunStatus
from codemation.core.waits import again


class Rearrangement(Knowledge):
    """Applies the facts about what stands."""

    __slots__ = ()

    def _stand(self, fact: Standing) -> None:
        """What stands without having been executed, or stands no longer."""
        match fact:
            case Cleared(nodes=nodes):
                self._clear(nodes)
            case Unpinned(nodes=nodes):
                for node in nodes:
                    self.pins.pop(node)
                self._clear(nodes)
            case Pinned(node=node, outputs=outputs):
                self.pins[node] = fact
                self.closed.add(node)
                how = {"how": PINNED, "outputs": outputs}
                self._succeed(node, activation=activation_id(node), **how)
            case Taken():
                known = {name: getattr(fact, name) for name in _TAKEN}
                self._succeed(node_of(fact.activation), **known)
            case _:
                assert_never(fact)

    def _succeed(self, node: NodeId, **known: Any) -> None:
        """Let a node stand as done."""
        again = self.reported(node)
        self._note(node, status=NodeStatus.SUCCEEDED, **known)
        self.stale.discard(node)
        if not again:
            self._report(node)

    def _clear(self, nodes: Iterable[NodeId]) -> None:
        for node in nodes:
            self.closed.discard(node)
            self.rounds.pop(node, None)
            record = self.nodes.pop(node, None)
            if record is None:
                continue
            self.answers.pop(record.activation, None)
            if record.status is NodeStatus.SUCCEEDED:
                self.stale.add(node)
        self._count_missing()

    def _reopen(self, fact: Reopened) -> None:
        self.status, self.reason, self.cancelling, self.activations = RunStatus.RUNNING, "", False, 0
        self.live.clear()
        self.delayed.clear()
        self.waits.clear()
        if fact.digest and self.plans:
            self.digest = fact.digest
            self.plan = self.plans(fact.digest)
            self.rounds = {gate: rounds for gate, rounds in self.rounds.items() if gate in self.plan.loops}
            self.turns = {node: turn for node, turn in self.turns.items() if node in self.plan.nodes}
            known = [node for node in self.nodes if node in self.plan.nodes]
            kept = [node for node in known if node in self.rounds or self.reported(node)]
            self.nodes = {node: self.nodes[node] for node in kept}
            self.pins = {node: pin for node, pin in self.pins.items() if node in self.plan.nodes}
            self.closed &= self.plan.nodes.keys()
            self.stale &= self.plan.nodes.keys()
            self._count_missing()
        self._ask_again()

    def _ask_again(self) -> None:
        """After a reopening: what was decided stays decided, and whoever let the time pass is asked anew.

        A plain wait is over once its time has come, and nothing answers what is asked of other items than before. A
        child that has failed may go on.
        """
        kept = {}
        for activation, answers in self.answers.items():
            node = self.plan.nodes.get(node_of(activation))
            if node is not None and not self.missing[node.id]:
                timed = node.kind is NodeKind.WAIT
                kept[activation] = {key: again(one) for key, one in answers.items() if timed or one.reply != "fired"}
        self.answers = kept


_TAKEN = ("activation", "outputs", "how", "attempt", "milliseconds", "items", "failures")
