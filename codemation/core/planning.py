"""From a step that has been read and bound to the node that is stored and the code that is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codemation.core.annotations import readable
from codemation.core.binding import Binding
from codemation.core.code import code_of, code_of_model
from codemation.core.definition import Grain, NodeKind, NodePlan
from codemation.core.expression import Computed
from codemation.core.ids import NodeId
from codemation.core.names import first_sentence
from codemation.core.notebooks import KEY, Notebook
from codemation.core.policies import Conduct
from codemation.core.signature import NodeCode, Shape, Signature
from codemation.core.steps import Step
from codemation.core.wiring import Outlets, described


def planned(
    step: Step, function: Callable[..., Any], binding: Binding, manner: Conduct, outlets: Outlets
) -> tuple[NodePlan, NodeCode]:
    """What a step becomes: its node, and the code that it calls."""
    signature, parses = binding.signature, step.kind is NodeKind.PARSE
    plan = NodePlan(
        id=NodeId(step.id),
        kind=step.kind,
        inputs=tuple(binding.inputs),
        ports=outlets.ports,
        grain=_grain(signature),
        gives=not outlets.nothing,
        policy=manner.policy,
        config={**_own_config(step), **binding.config},
        code=_reading(step) if parses or step.kind is NodeKind.NOTEBOOK else code_of(function, _computing(binding)),
        title=manner.title,
        icon=manner.icon,
        summary=first_sentence(function) if not parses else "",
        types=described(binding.taken, "in") | described(outlets.gives, "out"),
        groups=step.groups,
        place=str(step.place),
        credentials=_credentials(signature),
        writes=manner.writes,
    )
    code = NodeCode(
        function=function,
        signature=signature,
        arguments=binding.arguments,
        retry=manner.retry,
        model=step.does if parses else None,
        cases=step.cases,
    )
    return plan, code


def _reading(step: Step) -> str:
    """The code of a step that reads as a model."""
    return code_of_model(step.does.outputs if isinstance(step.does, Notebook) else step.does)


def _computing(binding: Binding) -> dict[str, Callable[..., Any]]:
    """The expressions among the arguments: their code is the node's as well."""
    return {name: value.function for name, value in binding.arguments.items() if isinstance(value, Computed)}


def _credentials(signature: Signature) -> dict[str, str]:
    """The classes of the credentials that are asked for, by slot."""
    asked = (one for injection in signature.injections for one in injection.credentials())
    return {one.name: readable(one.type) for one in asked}


def _grain(signature: Signature) -> Grain:
    if signature.data is None:
        return "once"
    return "item" if signature.data.shape is Shape.ONE else "batch"


def _own_config(step: Step) -> Mapping[str, Any]:
    """What the verb itself was told, in so far as it is no argument of the function."""
    if isinstance(step.does, Notebook):
        return {KEY: step.does.path}
    if step.kind is NodeKind.SWITCH:
        return {"cases": [[readable(type(value)), str(value), port] for value, port in step.cases.items()]}
    return {}
