"""What came out, against what should have: a difference that can be read at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel

from codemation.core.items import Item
from codemation.core.run import NodeResult
from codemation.host.results import ResultHandle

SHOWN = 10
"""Items of a difference that are shown; the others are counted."""
WIDTH = 300
"""Characters of one item that are shown."""


def assert_items(result: NodeResult[Any] | Iterable[Any], expected: Iterable[Any]) -> None:
    """Check the items that a node gave, in order; models are compared with dicts by their fields.

    Raises:
        AssertionError: they are others; shows which, and in which fields.
    """
    __tracebackhide__ = True
    node = result.plan.id if isinstance(result, ResultHandle) else None
    found = list(result.items if isinstance(result, ResultHandle) else cast("Iterable[Any]", result))
    wanted = list(expected)
    lines = [line for at in range(max(len(found), len(wanted))) for line in _difference(at, found, wanted)]
    if not lines:
        return
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    counts = f"{len(found)} items" + ("" if len(found) == len(wanted) else f", and not {len(wanted)}")
    whose = f'"{node}" gave' if node else "there are"
    raise AssertionError("\n  ".join([f"{whose} {counts}:", *lines[:SHOWN], *more]))


def _difference(at: int, found: list[Any], wanted: list[Any]) -> list[str]:
    if at >= len(found):
        return [f"item {at} is missing: {_short(wanted[at])}"]
    if at >= len(wanted):
        return [f"item {at} is too much: {_short(_bare(found[at]))}"]
    one, other = _bare(found[at]), _bare(wanted[at])
    if _same(one, other):
        return []
    ones, others = _fields(one), _fields(other)
    if ones is None or others is None:
        return [f"item {at} is {_short(one)}, and not {_short(other)}"]
    return [
        f"item {at}, {name}: {_in(ones, name)}, and not {_in(others, name)}"
        for name in dict.fromkeys([*others, *ones])
        if name not in ones or name not in others or not _same(ones[name], others[name])
    ] or [f"item {at} is a {type(one).__name__}, and not a {type(other).__name__}"]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, BaseModel) and isinstance(other, dict):
        fields = _fields(one)
        return fields is not None and fields.keys() == other.keys() and all(_same(fields[n], other[n]) for n in fields)
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN is NaN here


def _fields(value: Any) -> dict[str, Any] | None:
    if isinstance(value, BaseModel):
        return dict(value)
    return value if isinstance(value, dict) else None


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Item) else value


def _in(fields: dict[str, Any], name: str) -> str:
    return _short(fields[name]) if name in fields else "nothing"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
