"""From the ends that lead to an input to its sources: which ports those are, and of which type the items."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codemation.core.annotations import readable
from codemation.core.definition import Source
from codemation.core.ids import ERROR, MAIN, NodeId
from codemation.core.mistakes import listed, meant
from codemation.core.policies import Report
from codemation.core.steps import End, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """What a step gives, once it has been read."""

    gives: Mapping[str, Any]
    """The type of an item, by port."""
    nothing: bool = False
    """It is the end of a line."""

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports in the order of their declaration."""
        return tuple(self.gives)

    @property
    def leading(self) -> tuple[str, ...]:
        """The ports that a verb may follow without naming them."""
        return (MAIN,) if MAIN in self.gives else tuple(port for port in self.gives if port != ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What arrives at an input."""

    sources: tuple[Source, ...] = ()
    type: Any = Any
    """Of one item; `Any` also where a mistake has been reported already."""

    @property
    def origin(self) -> str:
        """The nodes that it comes from, for a message."""
        return " or ".join(f'"{node}"' for node in dict.fromkeys(source.node for source in self.sources))


@dataclass(slots=True)
class Wiring:
    """What all steps give that have been read so far."""

    outlets: dict[Step, Outlets] = field(default_factory=dict)

    def arrival(self, ends: Iterable[End], taker: str, report: Report) -> Arrival:
        """What the ends bring to a node; whatever cannot be followed is reported once."""
        sources: list[Source] = []
        types: list[Any] = []
        lost = False
        for end in ends:
            outlets = self.outlets.get(end.step)
            if outlets is None:
                _foreign(end, taker, report)
            elif outlets.nothing and end.port is None and end.joins:
                continue
            elif self._is_followable(end, outlets, taker, report):
                port = end.port or outlets.leading[0]
                sources.append(Source(node=NodeId(end.step.id), port=port))
                types.append(outlets.gives[port])
                continue
            lost = True
        if not sources and not lost:
            way_out = "leave out an .end(), or return the items from the node before"
            report(f'nothing reaches "{taker}": every branch before it ends', way_out)
        return Arrival(sources=tuple(sources), type=Any if lost else either(types))

    def open_ports(self, end: End) -> list[Source]:
        """The ports that a flow leaves open at its end; none where a mistake has been reported already."""
        outlets = self.outlets.get(end.step)
        if outlets is None or end.unknown or (outlets.nothing and end.port is None):
            return []
        ports = outlets.leading if end.port is None else (end.port,)
        return [Source(node=NodeId(end.step.id), port=port) for port in ports if port in outlets.gives]

    def check_port(self, end: End, report: Report) -> None:
        """Report a port that was named and does not exist."""
        outlets = self.outlets.get(end.step)
        if outlets is not None and end.port not in outlets.gives:
            node, ports = end.step.id, outlets.ports
            what = f'"{node}" has no port {end.port!r}'
            if end.port == ERROR:
                report(what, f'give "{node}" one: on_error="port"')
            else:
                report(what, meant(end.port, ports, f"it has {listed(ports)}"))

    @staticmethod
    def _is_followable(end: End, outlets: Outlets, taker: str, report: Report) -> bool:
        node = end.step.id
        if end.unknown or (end.port is not None and end.port not in outlets.gives):
            return False
        if outlets.nothing and end.port is None:
            what = f'"{node}" returns None, so nothing would ever reach "{taker}"'
            report(what, f"return the item from {node}, or use .tap({node}) to keep the items")
            return False
        if end.port is None and len(outlets.leading) != 1:
            ports = outlets.leading
            what = f'"{node}" has the ports {listed(ports)}; "{taker}" does not say which it follows'
            ways = ", ".join(f"{port}=…" for port in ports)
            report(what, f'.route({ways}) or ["{next(iter(ports), "")}"].then({taker})')
            return False
        return True


def either(types: Iterable[Any]) -> Any:
    """The type of items that are of one of these types."""
    members: list[Any] = []
    for member in types:
        if member not in members:
            members.append(member)
    if not members or Any in members:
        return Any
    try:
        return typing.Union[tuple(members)]  # noqa: UP007 - made at run time
    except TypeError:  # an annotation that is no type
        return Any


def described(given: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Readable types, for people."""
    return {f"{prefix}:{name}": readable(annotation) for name, annotation in given.items()}


def _foreign(end: End, taker: str, report: Report) -> None:
    what = f'"{taker}" follows a flow of another workflow, "{end.step.draft.id}"'
    report(what, "begin both flows from one cm.workflow(…)")
