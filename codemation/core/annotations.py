"""What type annotations mean to a workflow: tables, batches, streams, readable names, and which type fits which."""

from __future__ import annotations

import array
import enum
import inspect
import types
import typing
from collections import abc
from typing import Any, Literal, TypeGuard

LISTS: frozenset[type] = frozenset({list, abc.Sequence, abc.MutableSequence, abc.Collection})
STREAMS: frozenset[type] = frozenset({abc.Iterator, abc.Iterable, abc.Generator})
ASYNC_STREAMS: frozenset[type] = frozenset({abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator})
AWAITABLES: frozenset[type] = frozenset({abc.Awaitable, abc.Coroutine})
_RECORDS: frozenset[type] = frozenset({dict, abc.Mapping, abc.MutableMapping})
_UNITS = {int: float, float: complex, bytearray: bytes}
"""What type checkers take for the other, too."""
_ARRAY_TRAITS = ("__array__", "__setitem__")


def bare(annotation: Any) -> Any:
    """The annotation without `Annotated`, aliases and type variables."""
    while True:
        head, args = typing.get_origin(annotation), typing.get_args(annotation)
        if head is typing.Annotated:
            annotation = args[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif type(head).__name__ == "TypeAliasType":
            annotation = head.__value__[args]
        elif isinstance(annotation, typing.TypeVar) or annotation is inspect.Parameter.empty:
            return Any
        else:
            return annotation


def parts(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The class of an annotation and its type arguments: `list[int]` is `list` of `int`."""
    annotation = bare(annotation)
    generic = getattr(annotation, "__pydantic_generic_metadata__", None)
    if generic and generic["origin"]:
        return generic["origin"], generic["args"]
    return typing.get_origin(annotation) or annotation, typing.get_args(annotation)


def without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without `None`, and whether it had it."""
    annotation = bare(annotation)
    if not is_union(annotation):
        return annotation, False
    rest = [member for member in typing.get_args(annotation) if member is not types.NoneType]
    if len(rest) == len(typing.get_args(annotation)):
        return annotation, False
    return (bare(rest[0]) if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007 - made at run time


def is_union(annotation: Any) -> bool:
    """Whether the annotation is `A | B` in either spelling."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def is_class(annotation: Any) -> TypeGuard[type]:
    """Whether the annotation is a class, and no `list[int]` that merely passes for one."""
    return isinstance(annotation, type) and typing.get_origin(annotation) is None


def is_table_type(annotation: Any) -> bool:
    """Whether the annotation is a table of any library: it speaks the Arrow stream, or is polars' lazy one."""
    if not is_class(annotation):
        return False
    lazy = annotation.__name__ == "LazyFrame" and annotation.__module__.partition(".")[0] == "polars"
    return lazy or hasattr(annotation, "__arrow_c_stream__")


def among(head: Any, classes: frozenset[type]) -> bool:
    """Whether the head of an annotation is one of these classes; an annotation can be anything, hashable or not."""
    return is_class(head) and head in classes


def is_array(annotation: Any) -> bool:
    """Whether the annotation is a bare array, whose rows have no names."""
    head, _ = parts(annotation)
    if not is_class(head) or is_table_type(head):
        return False
    return issubclass(head, array.array) or all(hasattr(head, trait) for trait in _ARRAY_TRAITS)


def never_an_item(annotation: Any) -> str:
    """What an item can never be, by name: tuples, sets, arrays; empty for everything else."""
    head, _ = parts(annotation)
    if is_class(head) and issubclass(head, tuple) and not hasattr(head, "_fields"):
        return "a tuple"
    if is_class(head) and issubclass(head, abc.Set):
        return "a set"
    return "a bare array" if is_array(annotation) else ""


def can_be_an_item(annotation: Any) -> bool:
    """Whether one item can be of this type."""
    return not among(parts(annotation)[0], LISTS) and not never_an_item(annotation)


def choices(annotation: Any) -> tuple[Any, ...] | None:
    """The values that a `Literal` or an enum can have; `None` for types that say less."""
    annotation, _ = without_none(annotation)
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if is_class(annotation) and issubclass(annotation, enum.Enum):
        return tuple(annotation)
    return None


def readable(annotation: Any) -> str:
    """A type as its author would write it, without modules."""
    annotation = bare(annotation)
    head, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is types.NoneType or annotation is None:
        return "None"
    if is_union(annotation):
        return " | ".join(readable(member) for member in args)
    if head is Literal:
        return " | ".join(repr(value) for value in args)
    if annotation is Ellipsis:
        return "…"
    if isinstance(annotation, list):
        return f"[{', '.join(readable(member) for member in annotation)}]"
    if args:
        return f"{readable(head)}[{', '.join(readable(member) for member in args)}]"
    name = getattr(annotation, "__name__", None)
    return name if isinstance(name, str) else str(annotation).replace("typing.", "")


def fits(given: Any, wanted: Any) -> bool:
    """Whether what gives the one may lead to what takes the other.

    Types are nominal. What says nothing of its own (tables, plain dicts, `Any`, protocols) fits everything here, and is
    validated when it arrives.
    """
    given, wanted = bare(given), bare(wanted)
    if given == wanted or _says_nothing(given) or _says_nothing(wanted):
        return True
    if is_union(given):
        return all(fits(member, wanted) for member in typing.get_args(given) if member is not types.NoneType)
    if is_union(wanted):
        return any(fits(given, member) for member in typing.get_args(wanted))
    if typing.get_origin(given) is Literal:
        return _literal_fits(typing.get_args(given), wanted)
    if typing.get_origin(wanted) is Literal:
        return False
    if hasattr(given, "__supertype__"):
        return fits(given.__supertype__, wanted)
    return not hasattr(wanted, "__supertype__") and _class_fits(given, wanted)


def _class_fits(given: Any, wanted: Any) -> bool:
    given_head, given_args = parts(given)
    wanted_head, wanted_args = parts(wanted)
    if not is_class(given_head) or not is_class(wanted_head):
        return True
    if given_head is not wanted_head:
        promoted = [wider for unit, wider in _UNITS.items() if issubclass(given_head, unit)]
        return issubclass(given_head, wanted_head) or any(_class_fits(wider, wanted) for wider in promoted)
    if len(given_args) != len(wanted_args):
        return True
    return all(fits(have, want) for have, want in zip(given_args, wanted_args, strict=True))


def _literal_fits(values: tuple[Any, ...], wanted: Any) -> bool:
    if typing.get_origin(wanted) is Literal:
        return set(values) <= set(typing.get_args(wanted))
    return all(fits(type(value), wanted) for value in values)


def _says_nothing(annotation: Any) -> bool:
    if annotation is Any or annotation is object or typing.is_typeddict(annotation) or is_table_type(annotation):
        return True
    head, _ = parts(annotation)
    return among(head, _RECORDS) or getattr(head, "_is_protocol", False)
