"""From what failed inside of a piece to what entered it: the failures that its `on_error=` is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from codemation.core.ids import NodeId
from codemation.core.items import Failure, Item


def caught(
    failed: Iterable[tuple[NodeId, Item[Failure[Any]]]], entered: Sequence[Item[Any]], scope: NodeId
) -> list[Item[Failure[Any]]]:
    """A failure for each item that entered and of which anything failed, in the order in which they entered.

    Each failure comes with the node that numbered it. Where that is who numbered what entered, its number says which
    item it began as. A failure that has no such number concerns the whole batch: it is then the only one, and its item
    is the list of all that entered.
    """
    places = {item.origins: position for position, item in enumerate(entered)}
    first: dict[int, Failure[Any]] = {}
    for numbered_by, item in failed:
        position = _began_as(item.origins, places) if numbered_by == scope else None
        if position is None:
            return [Item(replace(item.value, item=[one.value for one in entered]))]
        first.setdefault(position, item.value)
    return [
        replace(entered[position], value=replace(first[position], item=entered[position].value))
        for position in sorted(first)
    ]


def _began_as(path: tuple[int, ...], places: dict[tuple[int, ...], int]) -> int | None:
    """The item whose number this one's begins with: a fan-out adds a place to it."""
    return next((places[path[:length]] for length in range(len(path), 0, -1) if path[:length] in places), None)
