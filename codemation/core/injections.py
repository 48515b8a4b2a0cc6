"""Parameters that the engine fills in by their type: the context, the params, credentials and resources."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from codemation.core.annotations import is_class, readable, without_none
from codemation.core.context import Context
from codemation.core.credentials import Credential
from codemation.core.hints import Problem, hints_of, parameters_of
from codemation.core.mistakes import listed, meant
from codemation.core.names import name_of
from codemation.core.params import Params
from codemation.core.resources import Use
from codemation.core.signature import Injection

Kind = Literal["context", "params", "credential", "resource"]
_CLASSES: tuple[tuple[type, Kind], ...] = ((Context, "context"), (Params, "params"), (Credential, "credential"))
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def injected(annotation: Any) -> Kind | None:
    """What the engine fills a parameter of this annotation in with; `None` when it does not."""
    if used(annotation) is not None:
        return "resource"
    kind, _ = without_none(annotation) if annotation is not None else (None, False)
    if not is_class(kind):
        return None
    return next((what for base, what in _CLASSES if issubclass(kind, base)), None)


def used(annotation: Any) -> Use | None:
    """The resource that an annotation names."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return None
    return next((one for one in typing.get_args(annotation)[1:] if isinstance(one, Use)), None)


def injections_of(
    parameters: Sequence[inspect.Parameter], hints: Mapping[str, Any], problems: list[Problem]
) -> tuple[Injection, ...]:
    """What is filled in of a function's parameters."""
    found = []
    for parameter in parameters:
        annotation = hints.get(parameter.name)
        what = injected(annotation)
        if what is None:
            continue
        kind, optional = without_none(annotation)
        resource = used(annotation)
        inner = () if resource is None else _opening(parameter.name, resource, problems)
        required = not optional and parameter.default is parameter.empty
        found.append(Injection(name=parameter.name, what=what, type=kind, required=required, use=resource, inner=inner))
    return tuple(found)


def _opening(name: str, resource: Use, problems: list[Problem]) -> tuple[Injection, ...]:
    """What the opener of a resource is filled in with; whatever it cannot be called with is a problem."""
    opener: Any = resource.opener
    if not callable(opener):
        problems.append(Problem(f"has {name} opened by {opener!r}, which is no function", "cm.use(open_it)"))
        return ()
    called = name_of(opener)
    parameters = parameters_of(opener)
    inner = injections_of(parameters, hints_of(opener, problems), problems)
    for one in inner:
        if one.what != "credential":
            what = f"has {name} opened by {called}, which wants {readable(one.type)}"
            problems.append(Problem(what, f"an opener takes credentials and arguments: cm.use({called}, name=…)"))
    free = [one for one in parameters if one.name not in {inside.name for inside in inner}]
    _check_arguments(f"has {name} opened by {called}", called, free, resource.arguments, problems)
    return inner


def _check_arguments(
    what: str,
    called: str,
    parameters: Sequence[inspect.Parameter],
    arguments: Mapping[str, Any],
    problems: list[Problem],
) -> None:
    takes = [one.name for one in parameters if one.kind in _NAMED]
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters)
    for name in arguments:
        if name not in takes and not anything:
            way_out = meant(name, takes, f"it takes {listed(takes)}")
            problems.append(Problem(f"{what}, which has no argument {name!r}", way_out))
    for one in parameters:
        needed = one.default is one.empty and one.kind in _NAMED
        if needed and one.name not in arguments:
            problems.append(Problem(f"{what}, which needs {one.name}", f"cm.use({called}, {one.name}=…)"))
