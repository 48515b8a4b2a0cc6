"""Arguments that are computed: `cm.expr(fn)` stands for a value that is made from what a node is given, just before.

An `Expression` is what an author writes; `computed` reads it at build, and the `Computed` that comes of it is asked by
whoever calls the node: with an item where the node is called per item, with the batch where it is called per batch.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, Generic, overload

from pydantic import ValidationError
from typing_extensions import TypeVar

from codemation.core.annotations import bare, fits, readable
from codemation.core.errors import NodeError
from codemation.core.hints import Problem, hints_of, parameters_of
from codemation.core.injections import injected
from codemation.core.inputs import adapter
from codemation.core.items import Item
from codemation.core.mistakes import listed
from codemation.core.names import name_of
from codemation.core.outputs import message_of
from codemation.core.params import AnyParams, Params
from codemation.core.policies import Report
from codemation.core.reading import is_asynchronous, parameter_of
from codemation.core.signature import Parameter, Shape
from codemation.core.sources import written

U = TypeVar("U", default=Any)
U_co = TypeVar("U_co", covariant=True, default=Any)

LAMBDA = "<lambda>"
_SHOWN = 200
"""Characters of an expression that people are shown."""


class ExpressionError(NodeError):
    """An argument could not be computed from what the node was given."""


@dataclass(frozen=True, slots=True)
class Expression(Generic[U_co]):
    """A value that is computed from what a node is given; made by `cm.expr`."""

    function: Callable[..., U_co]

    def __repr__(self) -> str:
        return f"cm.expr({shown(self.function)})"


@overload
def expr(function: Callable[[Any], U], /) -> Expression[U]: ...
@overload
def expr(function: Callable[[Any, AnyParams], U], /) -> Expression[U]: ...
def expr(function: Callable[..., U], /) -> Expression[U]:
    """Compute an argument from each item where the node is called per item, from the batch where it is per batch."""
    return Expression(function)


def shown(function: Callable[..., Any]) -> str:
    """An expression as people read it: a lambda as it was written, anything else by its name."""
    name = name_of(function) if callable(function) else repr(function)
    if name != LAMBDA or not isinstance(function, FunctionType):
        return name
    source = written(function)
    return name if source is None else textwrap.shorten(source.text, _SHOWN, placeholder=" …")


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """An expression that has been read: how it is asked, and what its answer has to fit."""

    label: str
    """The argument and its node, for messages: `limit= of "clean"`."""
    function: Callable[..., Any]
    takes: Parameter
    """What it is computed from."""
    params: Sequence[str]
    """Its parameters that are given the params of the run."""
    wants: Any
    """The annotation of the argument."""

    def of_item(self, item: Item[Any], params: Params | None) -> Any:
        """The value for one item.

        Raises:
            ExpressionError: it cannot be computed, or does not fit.
        """
        value = self._fitting(item.value, self.takes.item_type, f'"{self.takes.name}"')
        return self.of(replace(item, value=value) if self.takes.wrapped else value, params)

    def of(self, given: Any, params: Params | None) -> Any:
        """The value for what is given, which fits `takes`.

        Raises:
            ExpressionError: it cannot be computed, or does not fit.
        """
        try:
            value = self.function(given, **dict.fromkeys(self.params, params))
        except Exception as error:
            said = f"{type(error).__name__}: {message_of(error)}"
            raise ExpressionError(f"{self.label} cannot be computed: {said}") from error
        return self._fitting(value, self.wants, "the value")

    def _fitting(self, value: Any, annotation: Any, what: str) -> Any:
        if annotation is Any or annotation is object or type(value) is annotation:
            return value
        try:
            return adapter(annotation).validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            inside = "".join(f"[{part!r}]" for part in first["loc"])
            where = f"{what}{inside} does not fit {readable(annotation)}"
            raise ExpressionError(f"{self.label} cannot be computed: {where}: {first['msg']}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an expression is written for."""

    label: str
    data: Parameter | None
    """What the node takes; `None` where there is nothing to compute from."""
    arriving: Any
    """The type of the items that reach the node."""
    wants: Any
    """The annotation of the argument."""
    has_params: Callable[[type[Params]], bool] = lambda _: True
    """Whether the workflow has these params."""


def computed(expression: Expression[Any], asked: Asked, report: Report) -> Computed | None:
    """The expression as it is asked; `None` once it has been reported that it cannot be."""
    label, data = asked.label, asked.data
    function: Any = expression.function  # of an author who is not always checked
    if not callable(function):
        report(f"{label} is given {expression!r}, which is no function", "cm.expr(lambda item: …)")
        return None
    if data is None:
        way_out = "give a value, Params.<field> or a flow, or let the node take the items"
        report(f"{label} is given {expression!r}, and there are no items to compute it from", way_out)
        return None
    problems: list[Problem] = []
    hints = hints_of(function, problems)
    given, params = _parameters(function, hints, asked, problems)
    takes = None if given is None else _taking(given, data, asked.arriving, problems)
    if is_asynchronous(function, hints.get("return")):
        problems.append(Problem("is asynchronous", "compute the value in a node before, and pass it on in the item"))
    elif not fits(hints.get("return", Any), asked.wants):
        wants, gives = readable(asked.wants), readable(hints["return"])
        problems.append(Problem(f"gives {gives}, and {wants} is wanted", f"return {wants}"))
    for problem in problems:
        report(f"{expression!r} for {label} {problem.what}", problem.way_out)
    if takes is None or problems:
        return None
    return Computed(label=label, function=function, takes=takes, params=params, wants=asked.wants)


def _parameters(
    function: Callable[..., Any], hints: dict[str, Any], asked: Asked, problems: list[Problem]
) -> tuple[Parameter | None, tuple[str, ...]]:
    """What the expression is computed from, and the parameters that are given the params of the run."""
    kinds = {one.name: injected(hints.get(one.name)) for one in parameters_of(function)}
    params = tuple(name for name, kind in kinds.items() if kind == "params")
    problems.extend(
        Problem(f"wants {readable(hints[name])}, and the workflow has no such params", "cm.workflow(…, params=…)")
        for name in params
        if not asked.has_params(bare(hints[name]))
    )
    rest = [one for one in parameters_of(function) if kinds[one.name] is None]
    needed = [one.name for one in rest[1:] if one.default is one.empty and one.kind in _ONE_EACH]
    if needed or len(rest) + len(params) < len(kinds):
        what = listed(needed or [name for name, kind in kinds.items() if kind not in (None, "params")])
        problems.append(
            Problem(f"needs {what} beside the item", "an expression takes the item, and Params if it wants")
        )
    if not rest or rest[0].kind is inspect.Parameter.KEYWORD_ONLY:
        problems.append(Problem("takes no item", "give it a first parameter: lambda item: …"))
        return None, params
    return parameter_of(rest[0], hints), params


_ONE_EACH = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _taking(given: Parameter, data: Parameter, arriving: Any, problems: list[Problem]) -> Parameter:
    """How the expression takes its item or batch: as it says, else as the node does."""
    per_item = data.shape is Shape.ONE
    silent = given.shape is Shape.ONE and given.item_type is Any and not given.wrapped
    if silent and not per_item:
        shape = Shape.LIST if data.shape is Shape.STREAM else data.shape
        return replace(given, shape=shape, item_type=data.item_type, wrapped=data.wrapped)
    if per_item is not (given.shape is Shape.ONE):
        each, one = ("item", "one item") if per_item else ("batch", "list[…] or a table")
        what = f"takes {readable(given.annotation)}, and the node is called once per {each}"
        problems.append(Problem(what, f"annotate {given.name} as {one}"))
    reaching = arriving if data.item_type is Any else data.item_type
    if not fits(reaching, given.item_type):
        wanted, have = readable(given.item_type), readable(reaching)
        problems.append(Problem(f"takes {wanted}, and is given {have}", f"change {given.name}: {wanted}"))
    return given
