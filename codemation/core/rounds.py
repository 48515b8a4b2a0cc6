"""Where a loop stands that is under way: how often it has gone round, and what it has given out until now.

What is given out is kept in few pieces, so that a loop of many rounds costs a snapshot no more than one of few:
sixty-four pieces are laid together into one, and sixty-four of those again. Whoever performs the gate and whoever folds
its result know from the number of the piece alone which ones it replaces.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from codemation.core.ids import NodeId
from codemation.core.items import Batch
from codemation.core.plan import Plan

FEW = 64
"""So many pieces are laid together into one; each byte is written again once or twice in a thousand rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """A loop under way."""

    count: int = 0
    """Rounds that have begun."""
    gave: int = 0
    """Rounds that gave something out."""
    kept: tuple[Batch, ...] = ()
    """What was given out, earliest first."""

    def begun(self, given_out: Batch) -> Rounds:
        """The loop when another round begins, after one that gave this out."""
        if not given_out.count:
            return replace(self, count=self.count + 1)
        kept = self.kept[: len(self.kept) - len(self.joined_next)]
        return Rounds(count=self.count + 1, gave=self.gave + 1, kept=(*kept, given_out))

    @property
    def joined_next(self) -> tuple[Batch, ...]:
        """The pieces that become one with the next: what the coming round gives out is stored behind them."""
        number, pieces = self.gave + 1, 0
        while number % FEW == 0:
            number, pieces = number // FEW, pieces + FEW - 1
        return self.kept[len(self.kept) - pieces :]


class Standing(Protocol):
    """A run, as far as its loops go."""

    plan: Plan

    @property
    def rounds(self) -> Mapping[NodeId, Rounds]:
        """The loops that are under way, by gate."""

    @property
    def closed(self) -> Container[NodeId]:
        """Nodes that are never due."""

    def reported(self, node: NodeId) -> bool:
        """Whether the node has given what it will give, within the turn that it is in."""

    def turn(self, node: NodeId) -> int:
        """Which time it is that the node works, or will work next."""


def opening(run: Standing, gate: NodeId) -> tuple[dict[NodeId, int], dict[NodeId, int]]:
    """What a gate that lets items round changes: how many others each node waits for, and whose turn is another now."""
    loop, awaits = run.plan.loops[gate], run.plan.awaits
    inside = {
        node for node in loop.body if node not in run.closed
    }  # what is pinned has given what it gives in any turn
    missing = {
        node: sum(one in inside or (one != gate and _owes(run, one, node)) for one in awaits[node])
        + (node in loop.within)
        for node in inside
    }
    turns = {node: run.turn(node) + 1 for node in inside if run.reported(node)}
    returning = sum(node in inside for node in loop.returns)
    return {**missing, gate: returning}, {**turns, gate: run.turn(gate) + 1}


def owed(run: Standing, node: NodeId) -> int:
    """How many others a node waits for; one that goes round with a gate waits for this as well until its loop does."""
    if node in run.rounds:
        return sum(not run.reported(one) for one in run.plan.loops[node].returns)
    still = any(node in loop.body and gate not in run.rounds for gate, loop in run.plan.loops.items())
    return still + sum(_owes(run, source, node) for source in run.plan.awaits[node])


def _owes(run: Standing, source: NodeId, node: NodeId) -> bool:
    """Whether `source`, which `node` waits for, has not given it anything yet; a gate gives again and again."""
    loop = run.plan.loops.get(source)
    return source not in run.rounds if loop and node in loop.body else not run.reported(source)
