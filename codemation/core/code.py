"""Digests of what nodes execute: comments, formatting and docstrings do not change them, behaviour does.

A function stands for its source as the parser sees it, together with the functions of the same module that it uses, and
theirs, and the constants and enclosed values that they read. Where there is no source, or the source has been changed
since the function was made, the compiled code stands for it. Nothing here depends on the process: no addresses, no
hashes that are seeded anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import unwrap
from types import CodeType, FunctionType, MappingProxyType, MethodType, NoneType
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from codemation.core.annotations import readable
from codemation.core.names import plain_module
from codemation.core.node import FunctionNode
from codemation.core.sources import canonical, enclosed, written

_Cached: type[Any] = type(functools.cache(len))
"""What `functools.cache` and `functools.lru_cache` make of a function."""
_ATOMS = (NoneType, bool, int, float, str)


def code_of(function: Callable[..., Any], computing: Mapping[str, Callable[..., Any]] = MappingProxyType({})) -> str:
    """The digest of a function, of what computes its arguments, and of what these use of their own modules."""
    reading = _Reading()
    entry = reading.describe(function)
    if not computing:
        return _digest([entry, reading.functions])
    arguments = {name: reading.describe(one) for name, one in sorted(computing.items())}
    return _digest([entry, reading.functions, arguments])


def code_of_model(model: Any) -> str:
    """The digest of what a model reads: its schema, for that is what parsing does."""
    try:
        schema: object = TypeAdapter(model).json_schema()
    except PydanticUserError:  # a type that JSON has no words for
        schema = None
    return _digest([readable(model), schema])


@dataclass(slots=True)
class _Reading:
    """The functions met so far; they refer to one another by number, in the order in which they were met."""

    functions: list[object] = field(default_factory=list)
    numbers: dict[FunctionType, int] = field(default_factory=dict)

    def describe(self, value: object) -> object:
        """Anything that can be called, as JSON."""
        if isinstance(value, FunctionNode):
            return self.describe(value.function)
        if isinstance(value, functools.partial):
            names = sorted(value.keywords)
            arguments = [self._enclosed(one) for one in (*value.args, *(value.keywords[name] for name in names))]
            return ["partial", self.describe(value.func), names, arguments]
        if isinstance(value, MethodType):
            return ["method", self.describe(value.__func__)]
        if isinstance(value, _Cached):
            return self.describe(unwrap(value))
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type) or hasattr(value, "__qualname__"):
            module = plain_module(getattr(value, "__module__", "") or "")
            return ["named", module, getattr(value, "__qualname__", "")]
        return ["object", type(value).__qualname__, self.describe(type(value).__call__)]

    def _function(self, wrapped: FunctionType) -> object:
        function = unwrap(wrapped)
        if not isinstance(function, FunctionType):
            return self.describe(function)
        if function not in self.numbers:
            self.numbers[function] = len(self.functions)
            self.functions.append(None)
            self.functions[self.numbers[function]] = self._described(function)
        return self.numbers[function]

    def _described(self, function: FunctionType) -> object:
        source = written(function)
        text = _compiled(function.__code__, function.__doc__) if source is None else source.text
        names = _names(function.__code__) if source is None else source.names
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        return {
            "text": text,
            "uses": self._used(function, names),
            "encloses": {name: self._enclosed(value) for name, value in sorted(enclosed(function).items())},
            "defaults": [self._enclosed(value) for value in defaults],
        }

    def _used(self, function: FunctionType, names: frozenset[str]) -> Mapping[str, object]:
        """Functions and constants of the function's own module."""
        used: dict[str, object] = {}
        for name in sorted(names & function.__globals__.keys()):
            value = function.__globals__[name]
            if _is_constant(value):
                used[name] = ["constant", _plain(value)]
            elif _is_own(value, function):
                used[name] = self.describe(value)
        return used

    def _enclosed(self, value: object) -> object:
        """A value that a function was made with; of objects only the type can be relied upon."""
        if _is_constant(value):
            return ["constant", _plain(value)]
        if isinstance(value, FunctionType | FunctionNode | functools.partial | MethodType):
            return self.describe(value)
        return ["type", type(value).__qualname__]


def _is_own(value: object, function: FunctionType) -> bool:
    plain = value.function if isinstance(value, FunctionNode) else value
    if isinstance(plain, functools.partial):
        return _is_own(plain.func, function)
    if isinstance(plain, _Cached):
        plain = unwrap(plain)
    return isinstance(plain, FunctionType) and plain.__module__ == function.__module__


def _is_constant(value: object) -> bool:
    if type(value) in (tuple, frozenset):
        return all(_is_constant(member) for member in value)  # type: ignore[attr-defined]
    return type(value) in _ATOMS


def _plain(value: Any) -> object:
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, frozenset):
        return sorted(json.dumps(_plain(member)) for member in value)
    return value


def _names(code: CodeType) -> frozenset[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*map(_names, inner))


def _compiled(code: CodeType, documentation: str | None = None) -> object:
    constants = [
        _compiled(constant) if isinstance(constant, CodeType) else canonical(constant)
        for constant in code.co_consts
        if documentation is None or constant != documentation
    ]
    arguments = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    return [code.co_name, arguments, code.co_code.hex(), constants, list(code.co_names), list(code.co_varnames)]


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
