"""A drawing without groups: every box placed, every link a line of points."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from codemation.views.alignment import across
from codemation.views.layers import Box, Layered, Link, layered

LAYER_GAP = 48.0
EDGE_GAP = 14.0
"""Between the side of a drawing and its first or last layer."""
STEEPEST = 0.12
"""Pixels that a gap grows for each pixel that a link climbs in it."""
WIDEST_CLIMB = 48.0

Point = tuple[float, float]
"""Along the layers and across them."""
Path = tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where everything stands: boxes by their nearest corner, links as points from box to box."""

    corners: Mapping[Hashable, Point]
    paths: Mapping[Link, Path]
    length: float
    breadth: float


def placed(boxes: Sequence[Box], links: Sequence[Link]) -> Placement:
    """Place boxes in layers and lay the links between them; the links must not lead in a circle."""
    drawing = layered(boxes, links)
    centres = across(drawing)
    spans = _spans(drawing, centres)
    corners: dict[Hashable, Point] = {}
    for box, layer, centre in zip(drawing.boxes, drawing.layer_of, centres, strict=True):
        if box:
            corners[box.key] = (spans[layer][0], centre - box.breadth / 2)
    far = max((corners[box.key][1] + box.breadth for box in boxes), default=0.0)
    return Placement(
        corners=corners,
        paths={link: _path(drawing, link, centres, spans) for link in drawing.chains},
        length=spans[-1][1] if spans else 0.0,
        breadth=max(far, max(centres, default=0.0)),
    )


def shifted(path: Sequence[Point], by: Point) -> Path:
    """The path moved along and across."""
    return tuple((along + by[0], over + by[1]) for along, over in path)


def straightened(path: Sequence[Point]) -> Path:
    """The path without the points that it would pass through anyway."""
    kept: list[Point] = []
    for point in path:
        level = len(kept) > 1 and abs(kept[-1][1] - point[1]) < 0.01 and abs(kept[-2][1] - point[1]) < 0.01
        if level:
            kept[-1] = point
        elif not kept or kept[-1] != point:
            kept.append(point)
    return tuple(kept)


def _spans(drawing: Layered, centres: Sequence[float]) -> list[Point]:
    """From where to where each layer reaches, along."""
    climbs = [0.0] * len(drawing.layers)
    for hop in drawing.hops:
        climb = abs(centres[hop.source] + hop.leaves - centres[hop.target] - hop.enters)
        layer = drawing.layer_of[hop.source]
        climbs[layer] = max(climbs[layer], climb)
    spans: list[Point] = []
    start = 0.0
    for index, slots in enumerate(drawing.layers):
        boxes = [box for slot in slots if (box := drawing.boxes[slot])]
        length = max((box.length for box in boxes), default=0.0)
        room = max((box.room for box in boxes), default=0.0)
        spans.append((start, start + length))
        last = index + 1 == len(drawing.layers)
        wide = not (_is_edge(drawing, index) or last or _is_edge(drawing, index + 1))
        least = max(LAYER_GAP, room) if wide else max(EDGE_GAP, room)
        start += length + least + min(climbs[index] * STEEPEST, WIDEST_CLIMB)
    return spans


def _is_edge(drawing: Layered, layer: int) -> bool:
    boxes = [drawing.boxes[slot] for slot in drawing.layers[layer]]
    return all(box is None or box.edge for box in boxes)


def _path(drawing: Layered, link: Link, centres: Sequence[float], spans: Sequence[Point]) -> Path:
    chain = drawing.chains[link]
    box = drawing.boxes[chain[0]]
    start, end = spans[drawing.layer_of[chain[0]]]
    leaves = centres[chain[0]] + link.leaves
    points = [(start + (box.length if box else 0.0), leaves), (end, leaves)]
    for slot in chain[1:-1]:
        near, far = spans[drawing.layer_of[slot]]
        points += [(near, centres[slot]), (far, centres[slot])]
    points.append((spans[drawing.layer_of[chain[-1]]][0], centres[chain[-1]] + link.enters))
    return straightened(points)
