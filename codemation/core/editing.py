"""A workflow with other code for one of its nodes, checked as if it had been written so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codemation.core.build import built
from codemation.core.errors import CodemationError
from codemation.core.mistakes import AuthorError
from codemation.core.node import FunctionNode, Node
from codemation.core.steps import End, PortUse, Stand, Step, Wire, Written, upstream
from codemation.core.workflow import Workflow


def edited(workflow: Workflow[Any, ...], node: Node[Any, Any]) -> Workflow[Any, ...]:
    """The workflow with this node in the place of the one of the same id.

    Raises:
        UnknownNode: it has none.
        CodemationError: what stands there is no node of its own.
        AuthorError: with this node it cannot work.
    """
    place, stand = workflow.find(node.id), workflow.stand
    if place not in workflow.code or not isinstance(node, FunctionNode):
        raise CodemationError(f'"{place}" is no node that was written as one', way_out="run the cell of the workflow")
    frozen, mistakes = built(_replaced(stand, place, node))
    if mistakes:
        raise AuthorError(str(stand.draft.id), mistakes)
    return Workflow(frozen)


def _replaced(stand: Stand, place: str, node: Node[Any, Any]) -> Stand:
    """The same graph of steps, in which one does something else."""
    written = list(dict.fromkeys([*stand.beside, *(stand.draft.recorded or ())]))
    draft = replace(stand.draft, recorded=None)
    steps: dict[Step, Step] = {}

    def end(before: End) -> End:
        return replace(before, step=steps[before.step])

    for step in upstream(stand.draft, written, stand.ends):
        wires = tuple(Wire(name=wire.name, ends=tuple(map(end, wire.ends))) for wire in step.wires)
        does = node if step.id == place else step.does
        steps[step] = replace(step, draft=draft, wires=wires, does=does)

    def other(one: Written) -> Written:
        if isinstance(one, Step):
            return steps[one]
        return replace(one, end=end(one.end)) if isinstance(one, PortUse) else one

    return replace(stand, draft=draft, ends=tuple(map(end, stand.ends)), beside=tuple(map(other, written)))
