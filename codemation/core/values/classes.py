"""The classes that stored values name: how a class is referred to, found again, and known to have changed."""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import json
import operator
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Final, Union
from weakref import WeakValueDictionary

from pydantic import BaseModel, JsonValue

from codemation.core.errors import PayloadLost
from codemation.core.names import plain_module
from codemation.core.values.refusal import is_secret

_CONTAINERS: Final = frozenset({list, dict, tuple, set, frozenset})
_KNOWN_SHAPES = 1_000
"""Shapes kept; a bound, because a notebook defines its classes again and again."""

_local: WeakValueDictionary[str, type] = WeakValueDictionary()
"""Classes inside functions: no name leads to them, so those that were stored in this process are remembered."""


_build: ContextVar[str] = ContextVar("_build", default="")
"""What the modules are called that classes are looked for in first."""


class classes_of:  # noqa: N801 - used as a function is
    """Find the classes of stored values in a build of the app; `build` is what its modules' names begin with."""

    __slots__ = ("_build", "_token")

    def __init__(self, build: str) -> None:
        self._build = build

    def __enter__(self) -> None:
        self._token = _build.set(self._build)

    def __exit__(self, *_: object) -> None:
        _build.reset(self._token)


class Kind(StrEnum):
    """The three ways in which a class says what its fields are."""

    MODEL = "model"
    DATACLASS = "dataclass"
    TUPLE = "namedtuple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the codec knows of a class with fields."""

    cls: type
    kind: Kind
    fields: tuple[str, ...]
    field_set: frozenset[str]
    slots: tuple[str, ...]
    """Attributes beside the fields that have no place in a `__dict__`."""
    fingerprint: str
    """Changes when a field is added, removed, renamed, moved or gets another type."""


class Classes:
    """The classes that one payload names, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, type | None] = {}

    def find(self, reference: JsonValue) -> type | None:
        """The class that a reference names today, or None when this process has no such class."""
        key = reference if isinstance(reference, str) else json.dumps(reference)
        if key not in self._known:
            self._known[key] = resolve(reference)
        return self._known[key]


_shapes: dict[type, Shape | None] = {}


def shape_of(cls: type) -> Shape | None:
    """The shape of a model, dataclass or namedtuple; None for every other class."""
    try:
        return _shapes[cls]
    except KeyError:
        if len(_shapes) >= _KNOWN_SHAPES:
            _shapes.clear()  # and other threads may do so, too, at any moment
        shape = _shapes[cls] = _shape(cls)
        return shape


def refer(cls: type) -> JsonValue:
    """What is stored for a class: `module:qualname`, or a list of those for a generic model with arguments."""
    name = f"{plain_module(cls.__module__)}:{cls.__qualname__}"
    arguments: Mapping[str, typing.Any] = getattr(cls, "__pydantic_generic_metadata__", None) or {}
    if arguments.get("origin") is not None:
        parts = [refer(arguments["origin"]), *map(_refer_argument, arguments["args"])]
        if None not in parts:
            return parts
    if "<locals>" in name or "[" in name:
        _local[name] = cls
    return name


def resolve(reference: JsonValue) -> type | None:
    """The class that a reference names today, or None when this process has no such class.

    Raises:
        PayloadLost: the module of the class is there, but fails when it is imported.
    """
    found = _resolve(reference)
    return found if isinstance(found, type) else None


def _shape(cls: type) -> Shape | None:
    described = _described(cls)
    if described is None:
        return None
    kind, declared = described
    names = tuple(declared)
    spelled = [f"{name}:{spell(annotation)}" for name, annotation in declared.items()]
    if kind is Kind.MODEL and issubclass(cls, BaseModel):
        spelled += [f"private {name}" for name in cls.__private_attributes__]
    text = ";".join([kind, *spelled])
    return Shape(
        cls=cls,
        kind=kind,
        fields=names,
        field_set=frozenset(names),
        slots=tuple(name for name in _slots(cls) if name not in names) if kind is not Kind.MODEL else (),
        fingerprint=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16],
    )


def _described(cls: type) -> tuple[Kind, Mapping[str, object]] | None:
    if is_secret(cls):
        return None
    if issubclass(cls, BaseModel):
        return Kind.MODEL, {name: field.annotation for name, field in cls.model_fields.items()}
    # A dataclass or namedtuple that is also a dict, an exception, … holds more than its fields say.
    bases = {base for base in cls.__mro__ if base.__module__ == "builtins"}
    if is_dataclass(cls) and bases == {object}:
        return Kind.DATACLASS, {field.name: field.type for field in fields(cls)}
    names = getattr(cls, "_fields", None)
    if bases == {object, tuple} and isinstance(names, tuple) and all(isinstance(name, str) for name in names):
        return Kind.TUPLE, {name: cls.__annotations__.get(name, "") for name in names}
    return None


def _slots(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            yield f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def spell(annotation: object) -> str:
    """An annotation as text that is the same in every process, without what merely validates the type."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, (list, tuple)):
        return f"[{', '.join(map(spell, annotation))}]"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return spell(arguments[0])
    if origin is typing.Literal:
        return f"Literal{list(map(repr, arguments))}"
    if origin in (Union, types.UnionType):
        return " | ".join(map(spell, arguments))
    if origin is not None:
        return f"{spell(origin)}[{', '.join(map(spell, arguments))}]"
    if isinstance(annotation, type):
        return f"{plain_module(annotation.__module__)}:{annotation.__qualname__}"
    return getattr(annotation, "__name__", None) or type(annotation).__qualname__


def _refer_argument(argument: object) -> JsonValue:
    """The reference of an argument of a generic model, or None when it is more than classes, containers and unions."""
    origin, arguments = typing.get_origin(argument), typing.get_args(argument)
    if origin in (Union, types.UnionType):
        parts: list[JsonValue] = ["|", *map(_refer_argument, arguments)]
    elif origin in _CONTAINERS:
        parts = [f"builtins:{origin.__name__}", *map(_refer_argument, arguments)]
    elif argument is ...:
        return "builtins:Ellipsis"
    elif isinstance(argument, type) and origin is None:
        return refer(argument)
    else:
        return None
    return None if None in parts else parts


def _resolve(reference: JsonValue) -> object:
    if isinstance(reference, str):
        return _named(reference)
    if not isinstance(reference, list) or len(reference) < 2:
        raise PayloadLost(f"a stored value names its class as {json.dumps(reference)}, which is no name of a class")
    arguments = tuple(map(_resolve, reference[1:]))
    if None in arguments:
        return None
    if reference[0] == "|":
        return functools.reduce(operator.or_, typing.cast("typing.Any", arguments))
    origin = _resolve(reference[0])
    if isinstance(origin, type) and (origin in _CONTAINERS or issubclass(origin, BaseModel)):
        try:
            return typing.cast("typing.Any", origin)[arguments]
        except TypeError:  # it is generic no more, or takes another number of arguments
            return None
    return None


def _named(name: str) -> object:
    module_name, _, qualname = name.partition(":")
    if name in _local:
        return _local[name]
    if name == "builtins:NoneType":  # it says that it stands there, and does not
        return types.NoneType
    module: object = builtins if module_name == "builtins" else _module(module_name)
    for part in qualname.split("."):
        module = getattr(module, part, None)
    return module


def _module(name: str) -> types.ModuleType | None:
    """A module of the build that is worked with, or else of the process."""
    of_build = _build.get() + name
    if of_build != name and (found := sys.modules.get(of_build) or _imported(of_build)):
        return found
    return sys.modules.get(name) or _imported(name)


def _imported(module_name: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(module_name)
    except ImportError:
        return None
    except Exception as error:
        raise PayloadLost(
            f"a stored value needs the module {module_name}, whose import fails: {type(error).__name__}: {error}",
            way_out=f"mend it until `python -c 'import {module_name}'` works",
        ) from error
