"""What the engine does by itself: `merge` makes a stream longer, `join` makes it wider."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from itertools import zip_longest
from typing import Any

from pydantic import BaseModel

from codemation.core.errors import ContractError
from codemation.core.ids import NodeId
from codemation.core.inputs import joined
from codemation.core.payload import StoredItems


def merged(
    parts: Sequence[StoredItems], *, by: str, prefer: Sequence[int], scope: NodeId, rank: Callable[[NodeId], int]
) -> StoredItems:
    """One stream of several.

    `append`: one after the other. `position`: the first of each, the second of each, … `origin`: in the order in which
    the items parted; with `prefer`, of several items with one origin only that of the part named first is kept.
    """
    if by == "origin":
        return joined(_preferred(parts, prefer) if prefer else parts, rank)
    rows = [[(value, part.attachments.get(at)) for at, value in enumerate(part.values)] for part in parts]
    if by == "position":
        flat = [row for together in zip_longest(*rows) for row in together if row is not None]
    else:
        flat = [row for part in rows for row in part]
    return StoredItems(
        values=[value for value, _ in flat],
        scope=scope,
        attachments={at: files for at, (_, files) in enumerate(flat) if files},
    )


def _preferred(parts: Sequence[StoredItems], prefer: Sequence[int]) -> list[StoredItems]:
    """The parts without the items whose origin a preferred part has as well."""
    order = [*prefer, *(at for at in range(len(parts)) if at not in prefer)]
    taken: set[tuple[NodeId, tuple[int, ...]]] = set()
    kept: dict[int, StoredItems] = {}
    for at in order:
        part = parts[at]
        names = [(part.scope, part.origin(position)) for position in range(len(part.values))]
        chosen = [position for position, name in enumerate(names) if name not in taken]
        taken.update(names)
        kept[at] = replace(
            part,
            values=[part.values[position] for position in chosen],
            origins=[part.origin(position) for position in chosen],
            attachments={
                now: part.attachments[before] for now, before in enumerate(chosen) if before in part.attachments
            },
        )
    return [kept[at] for at in range(len(parts))]


def joined_by_key(parts: Sequence[Sequence[object]], *, on: Sequence[str], how: str) -> list[dict[str, Any]]:
    """Records matched by the values of the fields `on`, in the order of the first part.

    A field that both sides have keeps the left one's name; the right one's gets `_right` behind it. `left` keeps
    records without a match, `outer` those of the right side as well, at the end; missing fields are `None`, and a key
    with a `None` in it matches nothing, as in SQL.

    Raises:
        ContractError: something is no record, or has no such field.
    """
    left = [_record(value) for value in parts[0]]
    for right in parts[1:]:
        left = _join_two(left, [_record(value) for value in right], on, how)
    return left


def matched(parts: Sequence[Sequence[object]], *, on: Sequence[str], how: str) -> list[tuple[int | None, ...]]:
    """Which record of each part stands in each of the records that `joined_by_key` makes."""
    names = [f"\x00{part}" for part in range(len(parts))]
    numbered = [
        [{**{field: _record(value)[field] for field in on}, name: at} for at, value in enumerate(values)]
        for name, values in zip(names, parts, strict=True)
    ]
    rows = joined_by_key(numbered, on=on, how=how)
    return [tuple(row.get(name) for name in names) for row in rows]


def _join_two(
    left: list[dict[str, Any]], right: list[dict[str, Any]], on: Sequence[str], how: str
) -> list[dict[str, Any]]:
    left_names = list(dict.fromkeys(name for row in left for name in row))
    right_names = [name for name in dict.fromkeys(name for row in right for name in row) if name not in on]
    renamed = {name: f"{name}_right" if name in left_names else name for name in right_names}
    for name, free in renamed.items():
        if name != free and (free in left_names or free in right_names):
            raise ContractError(f"both sides have {name!r}, and {free!r} is taken", way_out="rename one before")
    by_key: dict[tuple[Hashable, ...], list[dict[str, Any]]] = {}
    for row in right:
        by_key.setdefault(_key(row, on), []).append(row)
    rows: list[dict[str, Any]] = []
    matched: set[tuple[Hashable, ...]] = set()
    for row in left:
        key = _key(row, on)
        found = by_key.get(key, []) if None not in key else []
        matched.update([key] if found else [])
        rows += [{**row, **{renamed[name]: other.get(name) for name in right_names}} for other in found]
        if not found and how in ("left", "outer"):
            rows.append({**row, **{renamed[name]: None for name in right_names}})
    if how == "outer":
        nothing = dict.fromkeys(left_names)
        for row in right:
            if (key := _key(row, on)) not in matched:
                others = {renamed[name]: row.get(name) for name in right_names}
                rows.append({**nothing, **{name: row[name] for name in on}, **others})
    return rows


def _key(row: Mapping[str, Any], on: Sequence[str]) -> tuple[Hashable, ...]:
    try:
        key = tuple(row[name] for name in on)
        hash(key)
    except TypeError:
        held = ", ".join(f"{name!r} holds {type(row[name]).__name__}" for name in on)
        raise ContractError(
            f"records cannot be matched by what may change: {held}", way_out="join on texts, numbers or dates"
        ) from None
    except KeyError as error:
        raise ContractError(
            f"a record to join has no field {error.args[0]!r}; it has {', '.join(map(repr, row))}",
            way_out="join on fields that both sides have, or rename one before",
        ) from None
    return key


def _record(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise ContractError(
        f"{type(value).__name__} has no fields to join on", way_out="map it to a dict, a model or a dataclass before"
    )
