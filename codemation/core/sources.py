"""The source of a function as its parser sees it, with nothing left of how it was laid out."""

from __future__ import annotations

import ast
import copy
import json
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from codemation.core.node import NodeDecorator

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A function's source without comments, layout, docstrings and `@cm.node`."""

    text: str
    names: frozenset[str]
    """What it mentions; globals are among them."""


@dataclass(frozen=True, slots=True)
class _Module:
    functions: tuple[ast.AST, ...]
    """Every function and lambda in it."""
    codes: frozenset[object]
    """All that the source compiles to: tells whether a function was made from this very source."""


def written(function: FunctionType) -> Written | None:
    """The source of a function; `None` when it cannot be read, or when the function was made from another one."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    module = _module("".join(linecache.getlines(code.co_filename, function.__globals__)), code.co_filename)
    if module is None or _identity(code) not in module.codes:
        return None
    found = [node for node in module.functions if _is_of(node, code)]
    if len(found) != 1:
        return None
    node = _stripped(copy.deepcopy(found[0]), function.__globals__)
    names = frozenset(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return Written(text=ast.unparse(node), names=names)


def enclosed(function: FunctionType) -> dict[str, object]:
    """What a nested function sees of the functions around it, as far as that has been assigned."""
    found: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


@lru_cache(maxsize=64)
def _module(source: str, file: str) -> _Module | None:
    try:
        tree = ast.parse(source)
        compiled = compile(source, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    functions = tuple(node for node in ast.walk(tree) if isinstance(node, _Function | ast.Lambda))
    return _Module(functions, frozenset(map(_identity, _codes(compiled))))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def canonical(constant: object) -> object:
    """A constant of compiled code as JSON that does not depend on the order in which a set was filled."""
    if isinstance(constant, tuple):
        return ["tuple", [canonical(member) for member in constant]]
    if isinstance(constant, frozenset):
        return ["frozenset", sorted(json.dumps(canonical(member)) for member in constant)]
    return [type(constant).__name__, repr(constant)]


def _identity(code: CodeType) -> object:
    """What two compilations of one source share; code that has run is specialised inside, and may not compare equal."""
    constants = tuple(
        _identity(constant) if isinstance(constant, CodeType) else json.dumps(canonical(constant))
        for constant in code.co_consts
    )
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars)
    return (names, code.co_firstlineno, code.co_flags, code.co_code, constants)


def _is_of(node: ast.AST, code: CodeType) -> bool:
    """Whether the code was compiled from this part of the source."""
    if isinstance(node, _Function):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return node.name == code.co_name and first == code.co_firstlineno
    if not isinstance(node, ast.Lambda) or code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
        return False
    body = node.body
    begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    spans = [
        (line, column, end_line, end_column)
        for line, end_line, column, end_column in code.co_positions()
        if line and end_line and column is not None and end_column is not None and end_column > column
    ]
    return bool(spans) and all(begin <= span[:2] and span[2:] <= end for span in spans)


def _stripped(node: ast.AST, known: Mapping[str, Any]) -> ast.AST:
    if isinstance(node, _Function):
        node.decorator_list = [one for one in node.decorator_list if not _makes_node(one, known)]
    for inner in ast.walk(node):
        if isinstance(inner, _DOCUMENTED) and ast.get_docstring(inner, clean=False) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return node


def _makes_node(decorator: ast.expr, known: Mapping[str, Any]) -> bool:
    """Whether a decorator is `@cm.node`, whose options are part of the plan and not of the code."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    path: list[str] = []
    while isinstance(target, ast.Attribute):
        path.append(target.attr)
        target = target.value
    if not isinstance(target, ast.Name):
        return False
    found: Any = known.get(target.id)
    for name in reversed(path):
        found = getattr(found, name, None)
    return isinstance(found, NodeDecorator)
