"""Pins: outputs fixed by hand, taken instead of executing a node, with the word of where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codemation.core.ids import MAIN, NodeId
from codemation.core.items import BatchKind

AT = "@"
"""Stands between a node and a port; no id has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a pin comes from."""

    by: str = ""
    """Who made it."""
    at: str = ""
    """When, in ISO 8601."""
    origin: str = ""
    """`run <id>`, `file <path>` or `by hand`."""

    def __str__(self) -> str:
        """Where it comes from, in words."""
        words = (self.origin, self.by and f"by {self.by}", self.at and f"at {self.at}")
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedData:
    """What is pinned at one port, as it is stored."""

    data: bytes = field(repr=False)
    count: int
    kind: BatchKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a node is to give without being executed; ports that are not named give nothing."""

    node: NodeId
    ports: Mapping[str, PinnedData]
    provenance: Provenance = field(default_factory=Provenance)


def split_key(key: str) -> tuple[NodeId, str | None]:
    """Node and port of a pin's name; no port where none is named."""
    node, at, port = key.partition(AT)
    return NodeId(node), port if at else None


def pin_key(node: str, port: str) -> str:
    """The name of a pin: the node, and the port unless it is the main one."""
    return node if port == MAIN else f"{node}{AT}{port}"
