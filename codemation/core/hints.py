"""What stands in a function's head: its parameters, and its annotations resolved."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from codemation.core.sources import enclosed


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a function that a workflow cannot use; `what` goes on after the function's name."""

    what: str
    way_out: str


def hints_of(function: Callable[..., Any], problems: list[Problem]) -> dict[str, Any]:
    """The annotations, resolved; a name that does not exist counts as `Any` and is a problem."""
    target = _annotated(function)
    known = enclosed(target) if isinstance(target, FunctionType) else {}
    while True:
        try:
            hints = typing.get_type_hints(target, localns=known or None, include_extras=True)
        except NameError as error:
            name = error.name or str(error)
            if name in known:
                problems.append(Problem("has annotations that cannot be read", str(error)))
                return {}
            known[name] = Any
            way_out = f"import or define {name} where it can be seen when the program runs (not under TYPE_CHECKING)"
            problems.append(Problem(f"has annotations that name {name}, which does not exist", way_out))
        except Exception as error:  # noqa: BLE001 - annotations are any code; whatever they raise is the author's
            problems.append(Problem("has annotations that cannot be read", f"{type(error).__name__}: {error}"))
            return {}
        else:
            if inspect.isclass(function):
                hints["return"] = function
            return hints


def _annotated(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return _annotated(function.func)
    if inspect.isclass(function):
        return function.__init__
    return function if inspect.isroutine(function) else type(function).__call__


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters as they were written."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # some built-in callables do not say: they take what they are given
        return [inspect.Parameter("value", inspect.Parameter.POSITIONAL_ONLY)]
