"""Where the slots of ordered layers stand across: straight wires, even gaps, nothing overlapping.

The method of Brandes and Köpf (2002), with offsets for wires that do not leave or enter a box at its centre. Slots are
strung into blocks along their median wires, four times over: following wires forwards or backwards, giving way to one
side or to the other. Each time the blocks are packed; a slot ends between the two middle ones of its four places.
What is virtual wins over what is not, so a long wire is straight wherever it does not cross another long one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from codemation.views.layers import Hop, Layered

BOX_GAP = 24.0
WIRE_GAP = 14.0
NOWHERE = float("inf")


@dataclass(frozen=True, slots=True)
class Pull:
    """A neighbour that a slot would stand level with, and where it would stand then, seen from there."""

    slot: int
    offset: float


@dataclass(slots=True)
class Blocks:
    """Slots strung together: each has a root, and an offset from where its root stands."""

    root: list[int]
    offset: list[float]
    strung: set[int] = field(default_factory=set)
    """Slots that another one of the next layer is strung to."""


def across(drawing: Layered) -> list[float]:
    """The centre of every slot, across; the smallest edge of all is at 0."""
    if not drawing.boxes:
        return []
    crossed = _crossed(drawing)
    places = [
        _placed(drawing, crossed, backwards=backwards, mirrored=mirrored)
        for backwards in (False, True)
        for mirrored in (False, True)
    ]
    _level(drawing, places)
    middle = [sum(sorted(place[slot] for place in places)[1:3]) / 2 for slot in range(len(drawing.boxes))]
    top = min(at - breadth(drawing, slot) / 2 for slot, at in enumerate(middle))
    return [at - top for at in middle]


def breadth(drawing: Layered, slot: int) -> float:
    """The room that a slot takes across."""
    box = drawing.boxes[slot]
    return box.breadth if box else 0.0


def gap(drawing: Layered, one: int, other: int) -> float:
    """The room between two neighbours of one layer."""
    boxes = (drawing.boxes[one], drawing.boxes[other])
    return BOX_GAP if all(box and not box.edge for box in boxes) else WIRE_GAP


def _crossed(drawing: Layered) -> set[Hop]:
    """The hops that cross a piece of a long wire: they give way."""
    place = {slot: at for layer in drawing.layers for at, slot in enumerate(layer)}
    between: dict[int, list[Hop]] = defaultdict(list)
    for hop in drawing.hops:
        between[drawing.layer_of[hop.source]].append(hop)
    crossed: set[Hop] = set()
    for hops in between.values():
        inner = sorted((place[hop.source], place[hop.target]) for hop in hops if _is_inner(drawing, hop))
        starts = [start for start, _ in inner]
        furthest = [-1, *accumulate((end for _, end in inner), max)]
        nearest = [*reversed([*accumulate((end for _, end in reversed(inner)), min)]), len(place)]
        for hop in hops:
            start, end = place[hop.source], place[hop.target]
            above, below = furthest[bisect_left(starts, start)], nearest[bisect_right(starts, start)]
            if not _is_inner(drawing, hop) and not above <= end <= below:
                crossed.add(hop)
    return crossed


def _is_inner(drawing: Layered, hop: Hop) -> bool:
    return drawing.boxes[hop.source] is None and drawing.boxes[hop.target] is None


def _placed(drawing: Layered, crossed: set[Hop], *, backwards: bool, mirrored: bool) -> list[float]:
    """One of the four placements."""
    sign = -1.0 if mirrored else 1.0
    layers = [layer[::-1] if mirrored else layer for layer in drawing.layers]
    pulls: dict[int, list[Pull]] = defaultdict(list)
    for hop in drawing.hops:
        if hop in crossed:
            continue
        level = (hop.leaves - hop.enters) * sign
        if backwards:
            pulls[hop.source].append(Pull(hop.target, -level))
        else:
            pulls[hop.target].append(Pull(hop.source, level))
    blocks = _strung(layers[::-1] if backwards else layers, pulls, len(drawing.boxes))
    return [sign * at for at in _packed(drawing, layers, blocks)]


def _strung(layers: Sequence[Sequence[int]], pulls: Mapping[int, list[Pull]], count: int) -> Blocks:
    """String each slot to the median of the slots that pull it, unless that crosses a string."""
    blocks = Blocks(list(range(count)), [0.0] * count)
    place: dict[int, int] = {}
    for layer in layers:
        furthest = -1
        for slot in layer:
            candidates = sorted(pulls.get(slot, ()), key=lambda pull: (place[pull.slot], pull.offset))
            for pull in candidates[(len(candidates) - 1) // 2 : len(candidates) // 2 + 1]:
                if blocks.root[slot] == slot and pull.slot not in blocks.strung and furthest < place[pull.slot]:
                    blocks.strung.add(pull.slot)
                    blocks.root[slot] = blocks.root[pull.slot]
                    blocks.offset[slot] = blocks.offset[pull.slot] + pull.offset
                    furthest = place[pull.slot]
        place = {slot: at for at, slot in enumerate(layer)}
    return blocks


def _packed(drawing: Layered, layers: Sequence[Sequence[int]], blocks: Blocks) -> list[float]:
    """Push every block as far to the front as it goes, then as far back as the others leave room."""
    apart: dict[int, dict[int, float]] = defaultdict(dict)
    for layer in layers:
        for one, other in pairwise(layer):
            room = (breadth(drawing, one) + breadth(drawing, other)) / 2 + gap(drawing, one, other)
            front, back = blocks.root[one], blocks.root[other]
            room += blocks.offset[one] - blocks.offset[other]
            apart[front][back] = max(apart[front].get(back, -NOWHERE), room)
    order = _sorted_roots(sorted(set(blocks.root)), apart)
    at = dict.fromkeys(order, 0.0)
    bound: set[int] = set()
    for front in order:
        for back, room in apart.get(front, {}).items():
            at[back] = max(at[back], at[front] + room) if back in bound else at[front] + room
            bound.add(back)
    for front in reversed(order):
        slack = min((at[back] - room for back, room in apart.get(front, {}).items()), default=at[front])
        at[front] = max(at[front], slack)
    return [at[root] + offset for root, offset in zip(blocks.root, blocks.offset, strict=True)]


def _sorted_roots(roots: Sequence[int], apart: Mapping[int, Mapping[int, float]]) -> list[int]:
    missing = dict.fromkeys(roots, 0)
    for backs in apart.values():
        for back in backs:
            missing[back] += 1
    order = [root for root in roots if not missing[root]]
    for front in order:
        for back in apart.get(front, {}):
            missing[back] -= 1
            if not missing[back]:
                order.append(back)
    return order


def _level(drawing: Layered, places: list[list[float]]) -> None:
    """Shift the placements onto the narrowest one: the mirrored ones by their far side, the others by their near."""
    sides = [_sides(drawing, place) for place in places]
    narrowest = min(sides, key=lambda side: side[1] - side[0])
    for index, (near, far) in enumerate(sides):
        shift = narrowest[1] - far if index % 2 else narrowest[0] - near
        places[index] = [at + shift for at in places[index]]


def _sides(drawing: Layered, place: Sequence[float]) -> tuple[float, float]:
    half = [breadth(drawing, slot) / 2 for slot in range(len(place))]
    return (
        min(at - room for at, room in zip(place, half, strict=True)),
        max(at + room for at, room in zip(place, half, strict=True)),
    )
