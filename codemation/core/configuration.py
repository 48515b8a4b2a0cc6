"""Arguments that are values: they are checked against their annotations, and must be storable with the workflow."""

from __future__ import annotations

import reprlib
import warnings
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.warnings import ArbitraryTypeWarning

from codemation.core.annotations import fits, readable
from codemation.core.expression import Asked, Expression, computed, shown
from codemation.core.node import Node
from codemation.core.params import ParamRef, Params
from codemation.core.policies import Report
from codemation.core.signature import Parameter, Signature
from codemation.core.steps import Draft, Step
from codemation.core.values import Unstorable, encode

Arriving = tuple[Parameter | None, Any]
"""What a node takes as its data, and the type of the items that reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """An argument that is a value, a reference to a parameter of the run, or computed."""

    value: Any
    stored: Any
    """As JSON."""


def configured(step: Step, parameter: Parameter, arriving: Arriving, report: Report) -> Configured | None:
    """The argument that a step gives for a parameter; `None` once it has been reported that it does not fit."""
    name, value = parameter.name, step.arguments[parameter.name]
    if isinstance(value, Expression):
        return _computed(step, parameter, value, arriving, report)
    if isinstance(value, ParamRef):
        return _reference(step, parameter, value, report)
    if isinstance(value, Node):
        what = f'{name}= of "{step.id}" is given the node {value.id}, not what it gives'
        report(what, f"wire the flow that stands at it: {name}=start.then({value.id})")
        return None
    try:
        fitting = _adapter(parameter.annotation).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inside = "".join(f"[{part!r}]" for part in first["loc"])
        what = f'{name}={reprlib.repr(value)} does not fit {name}: {readable(parameter.annotation)} of "{step.id}"'
        report(what, f"{name}{inside}: {first['msg']}" if inside else first["msg"])
        return None
    except PydanticUserError as error:
        what = f'{name}: {readable(parameter.annotation)} of "{step.id}" cannot be checked'
        report(what, str(error).split("\n", maxsplit=1)[0])
        return None
    try:
        return Configured(value=fitting, stored=encode(fitting))
    except Unstorable as error:
        way_out = f"make it inside of {step.id} from something that can be, such as a name, a path or a number"
        report(f'{name}= of "{step.id}" cannot be stored with the workflow: {error.message}', way_out)
        return None


def check_params(step: Step, signature: Signature, report: Report) -> None:
    """Report the params that a function, or the opener of a resource, wants and the workflow does not have."""
    for injection in signature.injections:
        given = {} if injection.use is None else injection.use.arguments
        for name, value in given.items():
            if isinstance(value, ParamRef) and not _has(step.draft, value.model):
                what = f'{name}={value!r} for {injection.name} of "{step.id}" is no param of the workflow'
                report(what, _way_out(step.draft, value.model))
        if injection.what == "params" and not _has(step.draft, injection.type):
            has = "no params" if step.draft.params is Params else f"the params {readable(step.draft.params)}"
            what = f'"{step.id}" wants {injection.name}: {injection.type.__name__}, but the workflow has {has}'
            report(what, _way_out(step.draft, injection.type))


def _computed(
    step: Step, parameter: Parameter, expression: Expression[Any], arriving: Arriving, report: Report
) -> Configured | None:
    data, kind = arriving
    asked = Asked(
        label=f'{parameter.name}= of "{step.id}"',
        data=data,
        arriving=kind,
        wants=parameter.annotation,
        has_params=lambda params: _has(step.draft, params),
    )
    found = computed(expression, asked, report)
    return None if found is None else Configured(value=found, stored={"$expr": shown(expression.function)})


def _reference(step: Step, parameter: Parameter, reference: ParamRef, report: Report) -> Configured | None:
    if not _has(step.draft, reference.model):
        what = f'{parameter.name}={reference!r} of "{step.id}" is no param of the workflow'
        report(what, _way_out(step.draft, reference.model))
    elif not fits(reference.annotation, parameter.annotation):
        given, wanted = readable(reference.annotation), readable(parameter.annotation)
        what = f'{parameter.name}: {wanted} of "{step.id}" is given {reference!r}, which is {given}'
        report(what, f"change one of the two types, so that {reference!r} fits {parameter.name}")
    return Configured(value=reference, stored={"$param": reference.name})


def _has(draft: Draft, params: type) -> bool:
    return isinstance(draft.params, type) and issubclass(draft.params, params)


def _way_out(draft: Draft, params: type) -> str:
    return f'cm.workflow("{draft.id}", params={params.__name__}), or take the value as an argument of the node'


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:  # a class of its own, which can at least be asked whether this is one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ArbitraryTypeWarning)
            return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
