"""What each verb asks of its function, beyond what a node may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from codemation.core.annotations import LISTS, among, choices, parts, readable
from codemation.core.definition import NodeKind
from codemation.core.forks import DEFAULT
from codemation.core.ids import MAIN
from codemation.core.mistakes import listed, meant
from codemation.core.names import name_of
from codemation.core.node import FunctionNode
from codemation.core.nodeplan import Policy
from codemation.core.notebooks import Notebook, check_notebook
from codemation.core.policies import Report
from codemation.core.reading import read_signature
from codemation.core.signature import Parameter, Result, Shape, Signature
from codemation.core.steps import Step

NODES_ONLY = (NodeKind.THEN, NodeKind.TAP)
_PER_ITEM = (
    NodeKind.MAP,
    NodeKind.FILTER,
    NodeKind.SPLIT,
    NodeKind.BRANCH,
    NodeKind.SWITCH,
    NodeKind.LOOP,
    NodeKind.WAIT_FOR_EVENT,
)
_MANY = (Shape.LIST, Shape.STREAM)


def function_of(step: Step, report: Report) -> Callable[..., Any] | None:
    """What the step calls; `None` once it has been reported that it cannot be called."""
    does: object = step.does
    if step.kind is NodeKind.PARSE:
        return _reader(does, report)
    if isinstance(does, Notebook):
        check_notebook(does, step.arguments, report)
        return does if _reader(does.outputs, report, ".notebook(outputs=%s)") is not None else None
    if isinstance(does, FunctionNode):
        return does.function
    if step.kind in NODES_ONLY:
        name = name_of(does) if callable(does) else repr(does)
        way_out = f"decorate {name} with @cm.node; a plain function goes into .map({name})"
        report(f".{step.verb}() takes a node, and {name} is none", way_out if callable(does) else f".{step.verb}(node)")
        return None
    if not callable(does):
        report(f".{step.verb}() takes a function, and {does!r} is none", f".{step.verb}(function)")
        return None
    return does


def signature_of(step: Step, function: Callable[..., Any], report: Report) -> Signature:
    """How the step calls its function."""
    if step.kind is NodeKind.PARSE:
        data = Parameter(name=MAIN, shape=Shape.ONE, annotation=Any, item_type=Any, positional=True)
        result = Result(shape=Shape.ONE, item_type=step.does)
        return Signature(data=data, arguments=(), injections=(), result=result)
    if isinstance(function, Notebook):
        data = Parameter(name=MAIN, shape=Shape.ONE, annotation=Any, item_type=Any, positional=True)
        result = Result(shape=Shape.ONE, item_type=function.outputs)
        return Signature(data=data, arguments=(), injections=(), result=result, open_ended=True)
    signature, problems = read_signature(function)
    for problem in problems:
        report(f'"{step.id}" {problem.what}', problem.way_out)
    if step.kind in NODES_ONLY:
        return signature
    if signature.data is None:
        report(f'"{step.id}" takes no item, so .{step.verb}() has nothing to give it', "give it a first parameter")
        return signature
    if step.kind is NodeKind.AGGREGATE:
        return _aggregating(step, signature, signature.data, report)
    if step.kind in _PER_ITEM and signature.data.shape is not Shape.ONE:
        kind = readable(signature.data.annotation)
        way_out = "use .aggregate() for one item from all of them, or @cm.node and .then() for a batch"
        report(f'"{step.id}" takes {kind}, but .{step.verb}() gives it one item at a time', way_out)
    return _checked_result(step, signature, report)


def check_cases(step: Step, result: Result, report: Report) -> None:
    """Report the cases of a `switch` that its key never gives, and those that it gives and nobody awaits."""
    if not step.cases and DEFAULT not in step.ports:
        report(f'"{step.id}" has no cases', '.switch(key, {"value": branch, …})')
    possible = choices(result.item_type)
    if possible is None:
        return
    for case in step.cases:
        if case not in possible:
            report(f'"{step.id}" never gives {case!r}', _possible(case, possible))
    missing = [value for value in possible if value not in step.cases]
    if missing and DEFAULT not in step.ports:
        values = listed([_shown(value) for value in missing])
        report(f'"{step.id}" may give {values}, for which there is no case', "add the case, or default=…")


def check_sharding(step: Step, signature: Signature, policy: Policy, report: Report) -> None:
    """Report a step that is to be worked on in parts, and has none."""
    if not (policy.shards or policy.shard_size):
        return
    if signature.data is None:
        report(
            f'"{step.id}" takes no data, so there is nothing that shards could have parts of',
            "leave out shards= and shard_size=, or give it a first parameter",
        )
    elif step.kind is NodeKind.AGGREGATE:
        report(
            f'"{step.id}" makes one item from all, so it cannot work on parts of them',
            "leave out shards= and shard_size=, or shard a node before it that makes the items smaller",
        )


def _reader(model: Any, report: Report, verb: str = ".parse(%s)") -> Callable[..., Any] | None:
    head, args = parts(model)
    if among(head, LISTS):
        one = readable(args[0]) if args else "Model"
        report(f"{verb % ''} reads one item at a time, and {readable(model)} is many", verb % one)
        return None
    try:
        adapter = TypeAdapter[Any](model)
        if not adapter.pydantic_complete:
            adapter.rebuild()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        report(f"{verb % ''} cannot read items as {readable(model)}", str(error).split("\n", maxsplit=1)[0])
        return None
    return adapter.validate_python


def _aggregating(step: Step, signature: Signature, data: Parameter, report: Report) -> Signature:
    """All items go into one call; a parameter about which nothing is said takes them as a list."""
    if data.shape is Shape.ONE:
        if data.item_type is not Any:
            way_out = f"annotate {data.name} as list[{readable(data.item_type)}], or use .map() for each item"
            report(f'"{step.id}" takes one {readable(data.item_type)}, but .aggregate() gives it all items', way_out)
        signature = replace(signature, data=replace(data, shape=Shape.LIST))
    if signature.result.shape in _MANY:
        report(f'"{step.id}" gives many items, but .aggregate() makes one', "make it a node (@cm.node) and use .then()")
    return _checked_result(step, signature, report)


def _checked_result(step: Step, signature: Signature, report: Report) -> Signature:
    result = signature.result
    if result.shape is Shape.NOTHING:
        way_out = f"return a value from {step.id}, or make it a node and use .tap({step.id})"
        report(f'"{step.id}" returns nothing, and .{step.verb}() needs what it returns', way_out)
    elif result.shape is Shape.PORTS:
        way_out = "make it a node (@cm.node) and use .then()"
        report(f'"{step.id}" gives several ports, and .{step.verb}() has one', way_out)
    elif step.kind is NodeKind.LOOP and result.shape in _MANY:
        report(f'"{step.id}" gives many items, and next= makes one of each', "give None, or the one for the next round")
    elif step.kind is NodeKind.MAP and result.shape in _MANY:
        report(f'"{step.id}" gives many items, but .map() makes one of each', f"use .split({step.id})")
    elif step.kind is NodeKind.SPLIT and result.shape is Shape.ONE:
        if result.item_type is not Any:
            way_out = f"return list[{readable(result.item_type)}], or use .map({step.id})"
            report(f'"{step.id}" gives one {readable(result.item_type)}, but .split() makes many', way_out)
        return replace(signature, result=replace(result, shape=Shape.STREAM))
    return signature


def _possible(case: object, possible: tuple[object, ...]) -> str:
    spelt: Mapping[str, str] = {str(getattr(value, "value", value)): _shown(value) for value in possible}
    found = meant(getattr(case, "value", case), spelt, "")
    if not found:
        return f"it gives {listed(list(spelt.values()))}"
    probable = next(value for value in spelt if f"{value!r}?" in found)
    return f"did you mean {spelt[probable]}?"


def _shown(value: object) -> str:
    return str(value) if type(value).__module__ != "builtins" else repr(value)
