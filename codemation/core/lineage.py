"""Where items come from and what becomes of them, as a graph of places that reads as a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codemation.core.ids import MAIN, NodeId

_LINES = 200
"""Lines of a tree that are shown."""
_SHOWN = 12
"""Items beside one another that are shown one by one."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One item of an output port, or one row of a table there; without a position, all of them."""

    node: NodeId
    port: str
    position: int | None
    count: int = field(default=1, compare=False)
    """Of how many."""

    @property
    def key(self) -> str:
        """Names the item within its run."""
        port = "" if self.port == MAIN else f".{self.port}"
        return f"{self.node}{port}:{'*' if self.position is None else self.position}"

    def __str__(self) -> str:
        if self.position is not None:
            return self.key
        port = "" if self.port == MAIN else f" ({self.port})"
        return f"all {self.count:,} of {self.node}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What one item came from, and what became of it, through the whole run; `print` it to read it."""

    item: Place
    origins: Mapping[Place, tuple[Place, ...]]
    """For each place on the way back: the places that it was made from."""
    results: Mapping[Place, tuple[Place, ...]]
    """For each place on the way on: the places that were made from it."""
    ends: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)
    """Where the way on ends, and why: `keep: dropped`."""
    values: Callable[[Place], str] = field(default=lambda place: "", repr=False, compare=False)
    """What is held at a place, in few words."""

    @property
    def ancestors(self) -> list[Place]:
        """All that the item came from, the nearest first."""
        return list(self.origins)[1:]

    @property
    def descendants(self) -> list[Place]:
        """All that became of the item, the nearest first."""
        return list(self.results)[1:]

    def __str__(self) -> str:
        """The item, with what it came from and what became of it as two trees."""
        lines = [self._line(self.item), "came from"]
        origins = _tree(self.item, self.origins, {}, self._line)
        lines += origins or ["  nothing: it was given to the run, or made by a source"]
        lines.append("became")
        lines += _tree(self.item, self.results, self.ends, self._line) or ["  nothing"]
        return "\n".join(lines)

    def _line(self, place: Place) -> str:
        held = self.values(place)
        return f"{place}  {held}" if held else str(place)


def _tree(
    root: Place,
    edges: Mapping[Place, tuple[Place, ...]],
    ends: Mapping[Place, tuple[str, ...]],
    line: Callable[[Place], str],
) -> list[str]:
    lines: list[str] = []
    seen = {root}
    rest: list[tuple[int, Place | str]] = list(_below(root, edges, ends, 1))
    while rest:
        depth, one = rest.pop()
        if len(lines) == _LINES:
            lines.append(f"  … and {len(rest) + 1} more")
            break
        indent = "  " * depth
        if isinstance(one, str):
            lines.append(f"{indent}{one}")
        elif one in seen:
            lines.append(f"{indent}{one}  (see above)")
        else:
            seen.add(one)
            lines.append(f"{indent}{line(one)}")
            rest += _below(one, edges, ends, depth + 1)
    return lines


def _below(
    place: Place, edges: Mapping[Place, tuple[Place, ...]], ends: Mapping[Place, tuple[str, ...]], depth: int
) -> Iterator[tuple[int, Place | str]]:
    """What stands below a place, last first, because it is taken from the end."""
    below: Sequence[Place | str] = (*edges.get(place, ()), *ends.get(place, ()))
    if len(below) > _SHOWN:
        yield depth, f"… and {len(below) - _SHOWN} more"
    for one in reversed(below[:_SHOWN]):
        yield depth, one


def walked(root: Place, step: Callable[[Place], Sequence[Place]], most: int) -> dict[Place, tuple[Place, ...]]:
    """All that is reached from a place, nearest first, each with what is reached from it directly."""
    found: dict[Place, tuple[Place, ...]] = {}
    rest = [root]
    while rest:
        following: list[Place] = []
        for place in rest:
            if place not in found and len(found) < most:
                found[place] = tuple(dict.fromkeys(step(place)))
                following += found[place]
        rest = following
    return found
