"""Workflows with other code for some of their nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from codemation.core.errors import InputError
from codemation.core.ids import NodeId
from codemation.core.mistakes import listed
from codemation.core.node import FunctionNode, Node
from codemation.core.nodeplan import NodeKind
from codemation.core.outputs import ANY
from codemation.core.signature import NodeCode
from codemation.core.workflow import UnknownNode, Workflow

_WAITS = (NodeKind.WAIT, NodeKind.APPROVE, NodeKind.WAIT_FOR_EVENT)

Fakes = Mapping[Node[Any, Any] | str, Callable[..., Any]]
"""For nodes, by id or held in the hand, what is called instead."""


def with_fakes(workflow: Workflow[Any, ...], fakes: Fakes) -> Workflow[Any, ...]:
    """The workflow with other code for some nodes; all else about them stays, also what is checked of their results.

    A node of a sub-workflow is meant where the workflow itself has none of that name; of a sub-workflow as a whole, the
    fake is called instead of its runs.

    Raises:
        UnknownNode: there is no such node.
        InputError: a fake cannot be called as its node is.
    """
    if not fakes:
        return workflow
    code = dict(workflow.code)
    for node, fake in fakes.items():
        try:
            name = workflow.find(node)
        except UnknownNode:
            if not (inside := _inside(code, {node: fake})):
                raise
            code |= inside
            continue
        if name not in code:
            raise InputError(f'"{name}" calls no code, so there is nothing to replace')
        if workflow.definition.plan.nodes[name].kind in _WAITS:
            raise InputError(
                f'"{name}" waits for the world, and calls nothing that could be replaced',
                way_out="be the world: harness.approve(…), harness.send(…), harness.advance(…)",
            )
        code[name] = _faked(name, code[name], fake.function if isinstance(fake, FunctionNode) else fake)
    return workflow.with_code(code)


def _inside(code: Mapping[NodeId, NodeCode], fakes: Fakes) -> dict[NodeId, NodeCode]:
    """The sub-workflows that have the node, with the fake; none if no one has it."""
    found = {}
    for name, one in code.items():
        if isinstance(one.model, Workflow):
            with suppress(UnknownNode):
                found[name] = replace(one, model=with_fakes(one.model, fakes))
    return found


def _faked(name: str, code: NodeCode, fake: Callable[..., Any]) -> NodeCode:
    """The fake in the place of the code; it may leave out what would have been injected."""
    if not callable(fake):
        raise InputError(f'the fake of "{name}" cannot be called: {fake!r}', way_out="give a function")
    if isinstance(code.model, Workflow):
        code = replace(code, model=None, signature=replace(code.signature, result=ANY))
    taken = inspect.signature(fake).parameters
    anything = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    signature = code.signature
    injections = tuple(one for one in signature.injections if anything or one.name in taken)
    data, given = signature.data, {*code.arguments, *(one.name for one in signature.arguments)}
    if data is not None:  # the data is given first, whatever the fake calls it
        first = next(
            (one for one in taken.values() if one.name not in given and one.kind is not one.KEYWORD_ONLY), None
        )
        if first is None:
            raise InputError(f'the fake of "{name}" takes no data', way_out=f"def fake({data.name}): …")
        data = replace(data, name=first.name, positional=first.kind is not first.POSITIONAL_OR_KEYWORD)
    missing = [one for one in code.arguments if not (anything or one in taken)]
    if missing:
        raise InputError(
            f'the fake of "{name}" does not take {listed(missing)}, which the node is given',
            way_out="take what is not needed as **_",
        )
    called = inspect.iscoroutinefunction(fake) or inspect.isasyncgenfunction(fake)
    return replace(
        code, function=fake, signature=replace(signature, data=data, injections=injections, asynchronous=called)
    )
