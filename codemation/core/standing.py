"""Facts about what stands in a run without having been executed there, and about what stands no longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from codemation.core.ids import ActivationId, NodeId
from codemation.core.items import Batch
from codemation.core.spelling import outputs_row, read_outputs

PINNED = "pinned"
"""How a node stands that gives what its pin holds."""
UNWANTED = "nothing that was asked for stands on it"
"""Why a node is skipped whose outputs nobody would read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What these nodes have given does not count any more; `to` is the revision that was gone back to, if one was."""

    nodes: tuple[NodeId, ...]
    to: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A node stands as done with outputs that were recorded elsewhere: in another run, or before going back."""

    activation: ActivationId
    outputs: Mapping[str, Batch]
    how: str = ""
    """`run:<id>` where they are another run's."""
    attempt: int = 1
    milliseconds: int = 0
    items: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A node gives this and is not executed, until it is unpinned."""

    node: NodeId
    outputs: Mapping[str, Batch]
    by: str = ""
    at: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpinned:
    """These nodes are executed again."""

    nodes: tuple[NodeId, ...]


Standing = Cleared | Taken | Pinned | Unpinned


def standing_row(fact: Standing) -> list[Any]:
    """The fact as compact JSON."""
    match fact:
        case Cleared():
            return ["clear", fact.to, *fact.nodes]
        case Taken():
            numbers = [fact.attempt, fact.milliseconds, fact.items, fact.failures]
            return ["take", fact.activation, outputs_row(fact.outputs), fact.how, *numbers]
        case Pinned():
            return ["pin", fact.node, outputs_row(fact.outputs), fact.by, fact.at, fact.origin]
        case Unpinned():
            return ["unpin", *fact.nodes]
        case _:
            assert_never(fact)


def read_standing(row: list[Any]) -> Standing | None:
    """The fact that `standing_row` wrote; `None` for anything else."""
    match row:
        case ["clear", to, *nodes]:
            return Cleared(nodes=tuple(nodes), to=to)
        case ["take", activation, outputs, how, attempt, milliseconds, items, failures]:
            return Taken(
                activation=activation,
                outputs=read_outputs(outputs),
                how=how,
                attempt=attempt,
                milliseconds=milliseconds,
                items=items,
                failures=failures,
            )
        case ["pin", node, outputs, by, at, origin]:
            return Pinned(node=node, outputs=read_outputs(outputs), by=by, at=at, origin=origin)
        case ["unpin", *nodes]:
            return Unpinned(nodes=tuple(nodes))
        case _:
            return None
