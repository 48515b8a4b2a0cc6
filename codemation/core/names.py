"""What things are called: names of functions, ids that people read and machines keep, first sentences."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterable

ID_RULE = "an id has letters, digits, _ - and ., at most 200 of them, and begins with a letter, a digit or _"
_ID = re.compile(r"\w[\w.\-]{0,199}")
_BUILD = re.compile(r"(_build_[0-9a-f]{16}\.)(.+)")
"""The name of a module of a build: a namespace of its own, and the name that it has in the app."""


def name_of(function: object) -> str:
    """The function's name as written; the class's for a callable object."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return getattr(function, "__name__", type(function).__name__)


def plain_module(module: str) -> str:
    """The name that a module has in its app, whichever build of the app it is loaded from."""
    return found[2] if module.startswith("_build_") and (found := _BUILD.fullmatch(module)) else module


def build_of(module: str) -> str:
    """What the names of all modules of the same build begin with; empty for a module of no build."""
    return found[1] if module.startswith("_build_") and (found := _BUILD.fullmatch(module)) else ""


def build_of_any(functions: Iterable[object]) -> str:
    """The same of the first of some functions that is in a module of a build."""
    for one in functions:
        module = getattr(one, "__module__", None)
        if module and module.startswith("_build_") and (build := build_of(module)):
            return build
    return ""


def is_id(name: object) -> bool:
    """Whether this can be the id of a node or a workflow."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def first_sentence(function: object) -> str:
    """The first sentence of a function's docstring; empty when it has none."""
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    paragraph = " ".join((text or "").strip().split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip()
