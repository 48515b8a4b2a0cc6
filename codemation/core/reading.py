"""How a function is called, read from its annotations; what cannot be understood is collected, never raised."""

from __future__ import annotations

import dis
import functools
import inspect
import typing
from collections.abc import Callable
from types import CodeType, NoneType
from typing import Any

from codemation.core.annotations import (
    ASYNC_STREAMS,
    AWAITABLES,
    LISTS,
    STREAMS,
    among,
    bare,
    is_class,
    is_table_type,
    is_union,
    never_an_item,
    parts,
    readable,
    without_none,
)
from codemation.core.hints import Problem, hints_of, parameters_of
from codemation.core.injections import injections_of
from codemation.core.items import Item
from codemation.core.mistakes import listed
from codemation.core.outlets import Ports, declared_ports
from codemation.core.signature import Parameter, Result, Shape, Signature

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_RETURNS = frozenset({"RETURN_VALUE", "RETURN_CONST"})


def read_signature(function: Callable[..., Any]) -> tuple[Signature, tuple[Problem, ...]]:
    """The signature of a function, and what is wrong with it."""
    problems: list[Problem] = []
    hints = hints_of(function, problems)
    parameters = parameters_of(function)
    injections = injections_of(parameters, hints, problems)
    filled_in = {injection.name for injection in injections}
    rest = [parameter for parameter in parameters if parameter.name not in filled_in]
    data = _data(rest, hints, problems)
    signature = Signature(
        data=data,
        arguments=_arguments([one for one in rest if data is None or one.name != data.name], hints, problems),
        injections=injections,
        result=_result(function, hints, problems),
        asynchronous=is_asynchronous(function, hints.get("return")),
        open_ended=any(parameter.kind is parameter.VAR_KEYWORD for parameter in rest),
    )
    return signature, tuple(problems)


def shape_of(annotation: Any) -> tuple[Shape, Any, bool]:
    """How a parameter takes data: its shape, the type of one item, and whether that comes as `Item[...]`."""
    kind, _ = without_none(annotation)
    if is_table_type(kind):
        return Shape.TABLE, kind, False
    if is_union(kind) and all(is_table_type(member) for member in typing.get_args(kind)):
        return Shape.TABLE, typing.get_args(kind)[0], False
    head, args = parts(kind)
    if among(head, LISTS) or among(head, STREAMS):
        element, wrapped = _unwrapped(args[0] if args else Any)
        return (Shape.LIST if among(head, LISTS) else Shape.STREAM), element, wrapped
    element, wrapped = _unwrapped(kind)
    return Shape.ONE, element if wrapped else bare(annotation), wrapped


def refusal(annotation: Any) -> str:
    """Why data cannot arrive as this annotation says; empty when it can."""
    kind, _ = without_none(annotation)
    _, item_type, _ = shape_of(annotation)
    if what := never_an_item(kind):
        return f"takes {what}, and an item is never one"
    if what := never_an_item(item_type):
        return f"takes items that are {what}, and an item is never one"
    if among(parts(item_type)[0], LISTS):
        return "takes a list of lists, and an item is never a list"
    if among(parts(kind)[0], ASYNC_STREAMS):
        return "takes an asynchronous stream"
    if is_union(kind) and len({shape_of(member)[0] for member in typing.get_args(kind)}) > 1:
        return f"takes {readable(kind)}: either one item or many, and it must be one of them"
    return ""


def _data(rest: list[inspect.Parameter], hints: dict[str, Any], problems: list[Problem]) -> Parameter | None:
    """The first parameter that can be given by position takes the data."""
    found = next((parameter for parameter in rest if parameter.kind in _BY_POSITION), None)
    found = found or next((parameter for parameter in rest if parameter.kind is parameter.VAR_POSITIONAL), None)
    if found is None:
        return None
    data = parameter_of(found, hints)
    if reason := refusal(data.annotation):
        way_out = f"annotate {data.name} as a model or dict for one item, or as list[…] or a table for the batch"
        problems.append(Problem(reason, way_out))
    return data


def _arguments(rest: list[inspect.Parameter], hints: dict[str, Any], problems: list[Problem]) -> tuple[Parameter, ...]:
    by_position = [one.name for one in rest if one.kind is one.POSITIONAL_ONLY and one.default is one.empty]
    if by_position:
        way_out = "remove the / from its parameters: all but the first are given by name"
        problems.append(Problem(f"takes {listed(by_position)} by position only", way_out))
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter_of(parameter, hints) for parameter in rest if parameter.kind in named)


def parameter_of(parameter: inspect.Parameter, hints: dict[str, Any]) -> Parameter:
    """How a parameter takes what it is given."""
    annotation = hints.get(parameter.name, Any)
    shape, item_type, wrapped = shape_of(annotation)
    return Parameter(
        name=parameter.name,
        shape=shape,
        annotation=annotation,
        item_type=item_type,
        wrapped=wrapped,
        required=parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL,
        positional=parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL),
    )


def _result(function: Callable[..., Any], hints: dict[str, Any], problems: list[Problem]) -> Result:
    if "return" not in hints:
        return _unannotated(function)
    annotation = bare(hints["return"])
    head, args = parts(annotation)
    if among(head, AWAITABLES):
        annotation = args[-1] if args else Any
    return _annotated_result(annotation, problems)


def _annotated_result(annotation: Any, problems: list[Problem]) -> Result:
    kind, optional = without_none(annotation)
    head, args = parts(kind)
    if kind in (NoneType, typing.NoReturn, typing.Never):
        return Result(shape=Shape.NOTHING, item_type=typing.Never)
    if is_class(head) and issubclass(head, Ports):
        return _ports_result(head, optional, problems)
    if among(head, ASYNC_STREAMS):
        element, wrapped = _unwrapped(args[0] if args else Any)
        shape = Shape.STREAM
    else:
        shape, element, wrapped = shape_of(kind)
    if shape is not Shape.ONE and is_class(element) and issubclass(element, Ports):
        way_out = f"return one {element.__name__} whose fields hold lists"
        problems.append(Problem(f"returns many {element.__name__}", way_out))
    elif among(parts(element)[0], LISTS):
        problems.append(Problem("returns a list of lists", "return a list of records: each becomes an item"))
        element = Any
    elif what := never_an_item(element):
        problems.append(Problem(f"returns {what}", "return a model, a dict or a table; a list gives many items"))
        element = Any
    return Result(shape=shape, item_type=element, wrapped=wrapped, optional=optional)


def _ports_result(ports: type[Ports], optional: bool, problems: list[Problem]) -> Result:
    names = declared_ports(ports)
    if not names:
        way_out = "declare one field for each: class Checked(cm.Ports): valid: Order = cm.port()"
        problems.append(Problem(f"returns {ports.__name__}, which declares no port", way_out))
    hints: dict[str, Any] = {}
    try:
        hints = typing.get_type_hints(ports, include_extras=True)
    except Exception as error:  # noqa: BLE001 - annotations are any code; whatever they raise is the author's
        problems.append(Problem(f"returns {ports.__name__}, whose annotations cannot be read", str(error)))
    held = {name: _annotated_result(hints.get(name, Any), problems) for name in names}
    return Result(shape=Shape.PORTS, item_type=ports, optional=optional, ports=held)


def _unannotated(function: Callable[..., Any]) -> Result:
    """Without an annotation the body tells whether anything is given at all."""
    plain = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    code = getattr(plain if inspect.isroutine(plain) else type(plain).__call__, "__code__", None)
    if isinstance(code, CodeType) and code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        return Result(shape=Shape.STREAM, item_type=Any)
    if isinstance(code, CodeType) and code.co_name != "<lambda>" and not _gives(code):
        return Result(shape=Shape.NOTHING, item_type=typing.Never)
    return Result(shape=Shape.ONE, item_type=Any, optional=True)


def _gives(code: CodeType) -> bool:
    """Whether any `return` of the code may give something other than a literal `None`."""
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in _RETURNS:
            source = before if instruction.opname == "RETURN_VALUE" else instruction
            literal = source is not None and source.opname in ("LOAD_CONST", "RETURN_CONST")
            if instruction.is_jump_target or not literal or (source is not None and source.argval is not None):
                return True
        before = instruction
    return False


def is_asynchronous(function: Callable[..., Any], returned: Any) -> bool:
    """Whether a call gives an awaitable or an asynchronous stream."""
    called: Any = function.func if isinstance(function, functools.partial) else function
    if not inspect.isroutine(called) and not inspect.isclass(called):
        called = type(called).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        return True
    head, _ = parts(returned)
    return among(head, AWAITABLES) or among(head, ASYNC_STREAMS)


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    head, args = parts(annotation)
    if head is Item:
        return (bare(args[0]) if args else Any), True
    return bare(annotation), False
