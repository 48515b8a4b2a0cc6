"""From the params of a workflow to options, and from what was given back to params."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Gt, Interval, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from codemation.cli.troubles import Refused
from codemation.core.errors import InputError
from codemation.core.mistakes import listed, meant
from codemation.core.params import Params, validated

TAKEN = frozenset({"--params", "--pins", "--key", "--priority", "--json", "--quiet", "--help"})
"""The options that every run has."""
PREFIX = "param"
"""Stands before the name of a parameter that is called like one of them."""
_LISTS = (list, tuple, set, frozenset, Sequence, AbstractSet)
_NAMES = {int: "INT", float: "NUMBER", str: "TEXT", bool: "BOOL", Decimal: "NUMBER", Path: "PATH"}
_NAMES |= {date: "DATE", datetime: "TIME", time: "TIME", timedelta: "DURATION"}
_EXAMPLES = {date: "2026-01-31", datetime: "2026-01-31T12:00", time: "12:00", timedelta: "PT30S"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a parameter is written on the command line."""

    many: bool = False
    flag: bool = False
    json: bool = False
    choices: Mapping[str, Any] = field(default_factory=dict)
    """What may be written, and the value that it stands for."""
    name: str = "TEXT"
    example: str = ""


def shape_of(annotation: Any) -> Shape:
    """How a value of this type is written: a list repeats its option, a model is JSON, the rest is text."""
    bare = _bare(annotation)
    origin, arguments = get_origin(bare) or bare, get_args(bare)
    if origin in _LISTS:
        element = shape_of(arguments[0] if arguments else str)
        nested = element.json or element.many
        return Shape(many=True, json=nested, choices=element.choices, name="JSON" if nested else element.name)
    if origin is Literal:
        return Shape(choices={_written(value): value for value in arguments})
    if origin is bool:
        return Shape(flag=True)
    if isinstance(origin, type) and issubclass(origin, Enum):
        return Shape(choices={_written(member): member for member in origin})
    if origin in (Union, UnionType, Any, object):
        return Shape(name="VALUE")
    if origin in _NAMES:
        return Shape(name=_NAMES[origin], example=_EXAMPLES.get(origin, ""))
    is_record = isinstance(origin, type) and (issubclass(origin, Mapping) or hasattr(origin, "__pydantic_fields__"))
    return Shape(json=True, name="JSON") if is_record or hasattr(origin, "__dataclass_fields__") else Shape()


def options_of(model: type[Params]) -> list[click.Option]:
    """An option for each parameter."""
    return [_option(name, field) for name, field in model.model_fields.items()]


def spelling(name: str) -> str:
    """How a parameter is called on the command line; one that is called like an option of every run gets a prefix."""
    spelled = name.strip("_").replace("_", "-")
    return f"--{PREFIX}-{spelled}" if f"--{spelled}" in TAKEN else f"--{spelled}"


def _option(name: str, field: FieldInfo) -> click.Option:
    shape = shape_of(field.annotation)
    spelled = spelling(name)
    declared = f"{spelled}/--no-{spelled[2:]}" if shape.flag else spelled
    kind: Any = click.Choice(list(shape.choices)) if shape.choices else (None if shape.flag else str)
    return click.Option(
        [declared, f"param_{name}"],
        type=kind,
        multiple=shape.many,
        default=None,
        metavar=None if shape.flag or shape.choices else shape.name,
        help=_help(field, shape),
    )


def _help(field: FieldInfo, shape: Shape) -> str:
    words = [" ".join((field.description or "").split())]
    words += [f"Like {shape.example}."] if shape.example else []
    words += ["May be repeated."] if shape.many else []
    facts = [_bounds(field), "required" if field.is_required() else f"default: {shown_default(field)}"]
    return " ".join([*filter(None, words), f"[{'; '.join(filter(None, facts))}]"])


def shown_default(field: FieldInfo) -> str:
    """The default as it would be written."""
    return "made when it is needed" if field.default_factory is not None else _written(field.get_default())


def _written(value: object) -> str:
    if isinstance(value, Enum):
        return _written(value.value)
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_written(one) for one in value) or "none"
    return json.dumps(to_jsonable_python(value, fallback=str)) if shape_of(type(value)).json else str(value)


def _bounds(field: FieldInfo) -> str:
    """What the value must keep to, as far as it is a matter of size."""
    said = []
    for bound in [*field.metadata, *_element_metadata(field.annotation)]:
        match bound:
            case Interval():
                said += [_bound(part) for part in bound]
            case Ge() | Gt() | Le() | Lt():
                said.append(_bound(bound))
            case _:
                continue
    return ", ".join(filter(None, said))


def _bound(bound: object) -> str:
    match bound:
        case Ge(ge=value):
            return f"at least {value}"
        case Gt(gt=value):
            return f"more than {value}"
        case Le(le=value):
            return f"at most {value}"
        case Lt(lt=value):
            return f"less than {value}"
        case _:
            return ""


def _element_metadata(annotation: Any) -> tuple[Any, ...]:
    """What is said of the elements of a list."""
    arguments = get_args(_bare(annotation))
    return getattr(arguments[0], "__metadata__", ()) if arguments else ()


def _bare(annotation: Any) -> Any:
    """The type without `Annotated` and without `None` beside it."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def params_from(model: type[Params] | None, base: Mapping[str, Any], given: Mapping[str, Any]) -> Params | None:
    """The params of a run: `base` from a file, and over it what was given as options.

    Raises:
        InputError: they do not fit.
        Refused: a value that has to be JSON is not.
    """
    if model is None:
        if base:
            raise Refused("the workflow has no params, and --params gives some", way_out="leave --params out")
        return None
    try:
        return validated(model, {**base, **_values(model, given)})
    except InputError as error:
        raise InputError(_as_options(error.message, model), way_out=error.way_out) from None


def _values(model: type[Params], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given as options, by the names that the model reads."""
    values = {}
    for name, declared in model.model_fields.items():
        value = given.get(f"param_{name}")
        if value is None or value == ():
            continue
        alias = declared.validation_alias if isinstance(declared.validation_alias, str) else name
        values[alias] = _value(name, value, shape_of(declared.annotation))
    return values


def others_from(model: type[Params] | None, given: Sequence[str]) -> dict[str, Any]:
    """Params that are given as `NAME=VALUE`, by the names that the model reads.

    Raises:
        Refused: one is not written so, or the workflow has no such param.
    """
    fields = {} if model is None else model.model_fields
    known = {spelled: name for name in fields for spelled in (name, name.strip("_").replace("_", "-"))}
    found: dict[str, Any] = {}
    for text in given:
        spelled, sign, value = text.partition("=")
        if not sign:
            raise Refused(f"{text!r} gives no param a value", way_out="--param NAME=VALUE")
        if spelled not in known:
            raise Refused(
                f"the workflow has no param {spelled!r}",
                way_out=meant(spelled, fields, f"it has {listed(list(fields))}"),
            )
        name = known[spelled]
        many = shape_of(fields[name].annotation).many
        found[f"param_{name}"] = (*found.get(f"param_{name}", ()), value) if many else value
    return {} if model is None else _values(model, found)


def _as_options(message: str, model: type[Params]) -> str:
    """What is said of params, with the names of their options."""
    for name in model.model_fields:
        message = re.sub(rf"^  {name}\b", f"  {spelling(name)}", message, flags=re.MULTILINE)
        message = message.replace(f"give {name}=…", f"give {spelling(name)} …")
    return message


def _value(name: str, value: Any, shape: Shape) -> Any:
    if shape.many:
        element = replace(shape, many=False)
        return [_value(name, one, element) for one in value]
    if shape.json:
        return _parsed(name, value)
    return shape.choices.get(value, value) if shape.choices else value


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        way_out = f"""for example {spelling(name)} '{{"name": "value"}}'"""
        raise Refused(f"{spelling(name)} wants JSON, and {text!r} is none: {error}", way_out=way_out) from None


def base_params(path: Path | None) -> dict[str, Any]:
    """The params in a JSON file.

    Raises:
        Refused: it cannot be read, or holds no JSON object.
    """
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Refused(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path} holds a {type(content).__name__}", way_out='write an object: {"month": 2}')
    return content
