"""What has changed between two definitions of a workflow, and whether a run may move from one to the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from codemation.core.definition import Definition, NodePlan
from codemation.core.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The nodes that differ, by id."""

    added: tuple[NodeId, ...]
    removed: tuple[NodeId, ...]
    rewired: tuple[NodeId, ...]
    """Their inputs, ports or configuration are others, or what they do with errors, attachments or nothing at all."""
    rewritten: tuple[NodeId, ...]
    """Their code is another."""

    @property
    def nothing(self) -> bool:
        """Whether nothing of consequence differs."""
        return not (self.added or self.removed or self.rewired or self.rewritten)

    def spoils(self, finished: Collection[NodeId]) -> tuple[NodeId, ...]:
        """Those of the finished nodes whose results another definition might not have given."""
        touched = {*self.removed, *self.rewired, *self.rewritten}
        return tuple(node for node in finished if node in touched)

    def lines(self) -> list[str]:
        """The difference for people, a line for each kind of change."""
        kinds = {"added": self.added, "removed": self.removed, "rewired": self.rewired, "rewritten": self.rewritten}
        return [f"{kind}: {', '.join(nodes)}" for kind, nodes in kinds.items() if nodes]


def drift(before: Definition, after: Definition) -> Drift:
    """What differs, as far as it could change what a run gives."""
    old = {node.id: node for node in before.nodes}
    new = {node.id: node for node in after.nodes}
    both = [node for node in old if node in new]
    return Drift(
        added=tuple(node for node in new if node not in old),
        removed=tuple(node for node in old if node not in new),
        rewired=tuple(node for node in both if _shape(old[node]) != _shape(new[node])),
        rewritten=tuple(node for node in both if old[node].code != new[node].code),
    )


def _shape(node: NodePlan) -> tuple[object, ...]:
    """What decides, beside the code, what a node gives; how patiently or how fast it does so is no part of it."""
    policy = node.policy
    treats = (policy.on_error, policy.keep_attachments, policy.run_on_empty, policy.continue_when_empty)
    return node.kind, node.inputs, node.ports, node.grain, dict(node.config), treats
