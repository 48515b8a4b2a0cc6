"""Boxes in layers: which layer each box stands in, and in which order, so that few links cross.

Every box stands in the layer after the last of the boxes that lead to it. A wire that passes over layers gets a virtual
slot in each of them, so that from here on it runs only between neighbouring layers; the links of one wire share their
slots. The order within the layers comes from a fixed number of barycentre sweeps: the same graph is always drawn alike.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 8
MOST_VIRTUAL = 6000
"""Virtual slots that a drawing can have; the longest wires beyond them are drawn straight across."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something with a size; `length` runs along the layers' direction, `breadth` across it."""

    key: Hashable
    length: float
    breadth: float
    room: float = 0.0
    """What must stay free behind it for the lettering of its wires."""
    edge: int = 0
    """-1 stands before all other boxes, 1 behind them: where a wire enters or leaves the drawing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A piece of a wire from one box to another; offsets are across, from the boxes' centres."""

    wire: Hashable
    source: Hashable
    target: Hashable
    leaves: float = 0.0
    enters: float = 0.0


@dataclass(frozen=True, slots=True)
class Hop:
    """A link between slots of neighbouring layers."""

    source: int
    target: int
    leaves: float
    enters: float


@dataclass(slots=True)
class Layered:
    """The slots of a drawing, layer by layer; a slot is a box or, without one, a virtual point of a wire."""

    boxes: list[Box | None] = field(default_factory=list)
    layer_of: list[int] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    chains: dict[Link, tuple[int, ...]] = field(default_factory=dict)
    """The slots that a link runs through, its two boxes included."""
    layers: list[list[int]] = field(default_factory=list)

    def slot(self, box: Box | None, layer: int) -> int:
        """A new slot in a layer."""
        self.boxes.append(box)
        self.layer_of.append(layer)
        return len(self.boxes) - 1


def layered(boxes: Sequence[Box], links: Sequence[Link]) -> Layered:
    """The boxes in ordered layers; the links must not lead in a circle."""
    depth = _depths(boxes, links)
    drawing = Layered()
    at = {box.key: drawing.slot(box, depth[box.key]) for box in boxes}
    _thread(drawing, links, at)
    drawing.layers = [[] for _ in range(max(drawing.layer_of, default=-1) + 1)]
    for slot, layer in enumerate(drawing.layer_of):
        drawing.layers[layer].append(slot)
    _untangle(drawing)
    return drawing


def _depths(boxes: Sequence[Box], links: Sequence[Link]) -> dict[Hashable, int]:
    """Longest path from the sources; what stands at an edge of the drawing has a layer of its own."""
    first = 1 if any(box.edge < 0 for box in boxes) else 0
    depth = {box.key: 0 if box.edge < 0 else first for box in boxes}
    followers: dict[Hashable, list[Hashable]] = defaultdict(list)
    missing = dict.fromkeys(depth, 0)
    for link in links:
        followers[link.source].append(link.target)
        missing[link.target] += 1
    ready = [key for key, count in missing.items() if not count]
    for key in ready:
        for after in followers[key]:
            depth[after] = max(depth[after], depth[key] + 1)
            missing[after] -= 1
            if not missing[after]:
                ready.append(after)
    inner = max((depth[box.key] for box in boxes if box.edge <= 0), default=-1)
    return {box.key: inner + 1 if box.edge > 0 else depth[box.key] for box in boxes}


def _thread(drawing: Layered, links: Sequence[Link], at: Mapping[Hashable, int]) -> None:
    """Lay every link through virtual slots; the shortest first, as long as there are slots to give."""
    threads: dict[tuple[Hashable, int], list[tuple[int, float]]] = {}
    left = MOST_VIRTUAL
    for link in sorted(links, key=lambda link: drawing.layer_of[at[link.target]] - drawing.layer_of[at[link.source]]):
        source, target = at[link.source], at[link.target]
        thread = threads.setdefault((link.wire, source), [(source, link.leaves)])
        missing = drawing.layer_of[target] - drawing.layer_of[source] - len(thread)
        if missing > left:
            drawing.chains[link] = (source, target)
            continue
        left -= max(missing, 0)
        for layer in range(drawing.layer_of[source] + len(thread), drawing.layer_of[target]):
            slot = drawing.slot(None, layer)
            drawing.hops.append(Hop(thread[-1][0], slot, thread[-1][1], 0.0))
            thread.append((slot, 0.0))
        passed = thread[: drawing.layer_of[target] - drawing.layer_of[source]]
        drawing.hops.append(Hop(passed[-1][0], target, passed[-1][1], link.enters))
        drawing.chains[link] = (*(slot for slot, _ in passed), target)


def _untangle(drawing: Layered) -> None:
    """Reorder the layers by barycentre, forwards and backwards in turn; the order with the fewest crossings stays."""
    before: dict[int, list[Hop]] = defaultdict(list)
    after: dict[int, list[Hop]] = defaultdict(list)
    for hop in drawing.hops:
        before[hop.target].append(hop)
        after[hop.source].append(hop)
    best = [list(layer) for layer in drawing.layers]
    fewest = _crossings(drawing.layers, after)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        _sweep(drawing.layers, before, after, forwards=sweep % 2 == 0)
        crossings = _crossings(drawing.layers, after)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in drawing.layers], crossings
    drawing.layers = best


def _sweep(
    layers: list[list[int]], before: Mapping[int, list[Hop]], after: Mapping[int, list[Hop]], *, forwards: bool
) -> None:
    place: dict[int, float] = {}
    for layer in layers if forwards else reversed(layers):
        if place:
            centre: dict[int, float] = {}
            for at, slot in enumerate(layer):
                if forwards:
                    pulls = [place[hop.source] + _lean(hop.leaves) for hop in before.get(slot, ())]
                else:
                    pulls = [place[hop.target] + _lean(hop.enters) for hop in after.get(slot, ())]
                centre[slot] = sum(pulls) / len(pulls) if pulls else float(at)
            layer.sort(key=centre.__getitem__)
        place = {slot: float(at) for at, slot in enumerate(layer)}


def _lean(offset: float) -> float:
    """How far an offset moves the end of a link within its place; less than half a place."""
    return offset / (abs(offset) + 1) * 0.4 if offset else 0.0


def _crossings(layers: Iterable[Sequence[int]], after: Mapping[int, list[Hop]]) -> int:
    total = 0
    place: dict[int, int] = {}
    for layer in layers:
        place.update({slot: at for at, slot in enumerate(layer)})
    for layer in layers:
        seen: list[float] = []
        for slot in layer:
            hops = sorted(after.get(slot, ()), key=lambda hop: (hop.leaves, place[hop.target] + _lean(hop.enters)))
            for hop in hops:
                end = place[hop.target] + _lean(hop.enters)
                total += len(seen) - bisect_left(seen, end + 1e-9)
                insort(seen, end)
    return total
